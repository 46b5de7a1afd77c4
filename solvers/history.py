"""What training has achieved, epoch by epoch."""

from __future__ import annotations

import csv
import io
from os import PathLike
from typing import NamedTuple

from handbrew.nets import write_atomically


class Epoch(NamedTuple):
    """One pass over the training set; validation figures are ``None`` where there were none."""

    epoch: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    lr: float
    seconds: float


class History(list[Epoch]):
    """The epochs, first to last."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write a CSV file: a header, and one line an epoch."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Epoch._fields)
        writer.writerows(self)  # csv leaves a None empty
        with write_atomically(path) as file:
            file.write(text.getvalue().encode())
