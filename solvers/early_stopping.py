"""``EarlyStopping``: end a training that gets no better."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from .callbacks import Callback

if TYPE_CHECKING:
    from .history import Validation
    from .training import Training

Array = np.ndarray[Any, np.dtype[Any]]


class EarlyStopping(Callback):
    """Stops once the validation loss has not fallen for ``patience`` looks at it in a row.

    Prechelt, "Early stopping, but when?", 1998.

    Parameters
    ----------
    patience : int
        Looks without a new best; there is one an epoch, or one every ``test_interval`` steps.
    min_delta : float
        How much lower than the best a loss has to be to count.
    restore_best : bool
        Give the net, at the end, the parameters and buffers that it had at its best.

    Attributes
    ----------
    best : float
        The lowest validation loss so far.
    best_step : int
        The step after which that was.
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0, restore_best: bool = True) -> None:
        if patience < 1:
            raise ValueError(f"EarlyStopping: patience must be at least 1, got {patience}")
        if not min_delta >= 0:
            raise ValueError(f"EarlyStopping: min_delta must be at least 0, got {min_delta}")
        self.patience, self.min_delta, self.restore_best = patience, min_delta, restore_best
        self._forget()

    def _forget(self) -> None:
        self.best, self.best_step, self.waited = inf, 0, 0
        self._weights: dict[str, Array] | None = None

    def start(self, run: Training) -> None:
        if run.validation is None:
            raise ValueError("EarlyStopping: needs a validation set: fit(train, validation, …)")
        if not run.step:  # of another training it need not remember anything
            self._forget()
        self._stop_if_in_vain(run)

    def after_validation(self, run: Training, result: Validation) -> None:
        if result.loss < self.best - self.min_delta:
            self.best, self.best_step, self.waited = result.loss, result.step, 0
            if self.restore_best:
                self._weights = run.net.state()
        else:
            self.waited += 1
            self._stop_if_in_vain(run)

    def _stop_if_in_vain(self, run: Training) -> None:
        if self.waited >= self.patience:
            run.stop(
                f"no validation loss below {self.best:.4g}, that of step {self.best_step}, in {self.waited} looks at it"
            )

    def end(self, run: Training) -> None:
        if self._weights is not None:
            run.net.load_state(self._weights)

    def state(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_step": self.best_step,
            "waited": self.waited,
            "weights": self._weights,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_step, self.waited = state["best"], state["best_step"], state["waited"]
        self._weights = state["weights"]
