"""Telling how far training is: a bar where there is a terminal and rich, plain lines elsewhere."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from .history import Epoch

REFRESH = 0.1  # seconds between two updates of the bar


class Progress:
    """Prints one line an epoch; ``advance`` does nothing."""

    def __init__(self, epochs: int, batches: int) -> None:
        self.epochs, self.batches = epochs, batches

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self, epoch: int, batch: int, loss: float) -> None:
        """One batch is done; called at every step, so it must be quick."""

    def close_epoch(self, row: Epoch) -> None:
        """One epoch is done."""
        self.print(describe(row, self.epochs))

    def print(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201


class Silence(Progress):
    """Prints nothing."""

    def close_epoch(self, row: Epoch) -> None:
        pass


class Bar(Progress):
    """A bar of rich's over all batches, with the lines above it."""

    def __init__(self, epochs: int, batches: int) -> None:
        super().__init__(epochs, batches)
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}"),
            progress.TimeRemainingColumn(),
            console=_console(),
            transient=True,
        )
        self._task = self._bar.add_task("", total=epochs * batches, epoch=f"1/{epochs}", loss=0.0)
        self._next = 0.0

    def __enter__(self) -> Bar:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def close_epoch(self, row: Epoch) -> None:
        self._next = 0.0
        self.advance(row.epoch, self.batches, row.loss)
        super().close_epoch(row)

    def advance(self, epoch: int, batch: int, loss: float) -> None:
        now = perf_counter()
        if now >= self._next:
            self._next = now + REFRESH
            done = (epoch - 1) * self.batches + batch
            self._bar.update(self._task, completed=done, epoch=f"{epoch}/{self.epochs}", loss=loss)

    def print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False)


def progress_for(wanted: bool, epochs: int, batches: int) -> Progress:
    """Return the kind of progress that fits the place training runs in."""
    if not wanted:
        return Silence(epochs, batches)
    if sys.stderr.isatty():
        try:
            return Bar(epochs, batches)
        except ImportError:
            pass  # rich is an extra; lines do as well
    return Progress(epochs, batches)


def describe(row: Epoch, epochs: int) -> str:
    """Return an epoch as one line of text."""
    text = f"epoch {row.epoch:>{len(str(epochs))}}/{epochs}  loss {row.loss:.4f}"
    if row.validation_loss is not None:
        text += f"  validation loss {row.validation_loss:.4f}"
    if row.validation_accuracy is not None:
        text += f"  accuracy {100 * row.validation_accuracy:.2f} %"
    return f"{text}  {duration(row.seconds)}"


def duration(seconds: float) -> str:
    """Return a time as text: milliseconds below a second."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
