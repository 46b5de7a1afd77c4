"""Looks at the validation set, and who is told what they find."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from math import isfinite
from typing import TYPE_CHECKING

from .errors import NonFiniteError
from .history import Validation

if TYPE_CHECKING:
    from .training import Training


def validate(run: Training) -> None:
    """Look at the validation set, with the averaged weights if there are any; tell callbacks and policy.

    Raises
    ------
    NonFiniteError
        If the loss is not finite.
    """
    with run.average.in_place() if run.average else nullcontext():
        found = _look(run)
        if not isfinite(found.loss):
            raise NonFiniteError(f"fit: after step {run.step} the validation loss is {found.loss}; is the data clean?")
        run.history.validations.append(found)
        for callback in run.callbacks:
            callback.after_validation(run, found)
    observe(run, found.loss)
    if found.loss < run.best:
        run.best, run.best_now = found.loss, True


def observe(run: Training, loss: float) -> None:
    """Tell the learning rate's policy, if there is one, of a loss."""
    if run.solver.policy is not None:
        run.solver.policy.observe(loss)


def _look(run: Training) -> Validation:
    """Measure; of several processes the first does, and tells the others."""
    if run.ranks is not None and not run.first:
        return run.ranks.broadcast(None)
    loss, accuracy = run.net.evaluate(run.validation, metrics=run.metrics)
    metrics = {name: copy.deepcopy(metric.value) for name, metric in run.metrics.items()}
    found = Validation(run.step, loss, accuracy, metrics)
    return found if run.ranks is None else run.ranks.broadcast(found)
