"""The tables of a run folder, which grow while the run is under way."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handbrew.nets import write_atomically
from handbrew.solvers import Callback, Epoch, History

from .run_folder import HISTORY, VALIDATIONS

if TYPE_CHECKING:
    from handbrew.solvers.training import Training


class Records(Callback):
    """Writes both tables anew after each epoch.

    On a full disk it says so once and training goes on: the snapshots hold the same.
    """

    def __init__(self, folder: Path, per_epoch: int) -> None:
        self.folder, self.per_epoch, self.failed = folder, per_epoch, False

    def after_epoch(self, run: Training, row: Epoch) -> None:
        if not run.first:
            return
        try:
            save_tables(self.folder, run.history, self.per_epoch)
        except OSError as error:
            if not self.failed:
                run.tell(f"{error.filename}: {error.strerror}; training goes on")
            self.failed = True


def save_tables(folder: Path, history: History, per_epoch: int) -> None:
    """One line an epoch, and one for each look at the held-out samples; an epoch has ``per_epoch`` steps."""
    history.save(folder / HISTORY)
    looks = history.validations
    metrics = list(dict.fromkeys(name for look in looks for name in look.metrics))
    rows = [
        (look.step, look.step / per_epoch, look.loss, look.accuracy, *(look.metrics.get(name) for name in metrics))
        for look in looks
    ]
    write_csv(folder / VALIDATIONS, ("step", "epoch", "loss", "accuracy", *metrics), rows)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; a ``None`` is left empty."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    with write_atomically(path) as file:
        file.write(text.getvalue().encode())
