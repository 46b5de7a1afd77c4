"""What training has achieved, epoch by epoch."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from handbrew.nets import write_atomically

TRAIL = 10_000  # steps


class Epoch(NamedTuple):
    """One pass over the training set; validation figures, the last of the epoch, are ``None`` where there were none."""

    epoch: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float


class Validation(NamedTuple):
    """One look at the validation set, after so many steps; ``metrics`` holds the values of those asked for."""

    step: int
    loss: float
    accuracy: float | None
    metrics: dict[str, Any]


class History(list[Epoch]):
    """The epochs, first to last.

    Attributes
    ----------
    validations : list of Validation
        All looks at the validation set.
    losses : deque of float
        The loss of each step, of the last 10,000.
    """

    def __init__(self, epochs: Iterable[Epoch] = ()) -> None:
        super().__init__(epochs)
        self.validations: list[Validation] = []
        self.losses: deque[float] = deque(maxlen=TRAIL)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a CSV file: a header, and one line an epoch."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(self)  # csv leaves a None empty
        with write_atomically(path) as file:
            file.write(text.getvalue().encode())

    def state(self) -> dict[str, Any]:
        """All of it as plain values and an array, for a snapshot."""
        return {
            "epochs": [list(row) for row in self],
            "validations": [[v.step, v.loss, v.accuracy, _plain(v.metrics)] for v in self.validations],
            "losses": np.array(self.losses, np.float64),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` returned."""
        self[:] = [Epoch(*row) for row in state["epochs"]]
        self.validations = [Validation(*row) for row in state["validations"]]
        self.losses = deque(state["losses"].tolist(), TRAIL)


def _plain(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in metrics.items()}
