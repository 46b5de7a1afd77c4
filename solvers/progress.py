"""Telling how far training is: a bar where there is a terminal and rich, plain lines elsewhere."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .history import Epoch

if TYPE_CHECKING:
    from .training import Training

REFRESH = 0.1  # seconds between two updates of the bar
PATIENCE = 30.0  # seconds that a plain line may keep one waiting


class Progress:
    """Prints one line an epoch, and within a long one a line every half a minute."""

    def __init__(self, run: Training) -> None:
        self.run, self.interval = run, PATIENCE
        self._start, self._first = perf_counter(), self._batches
        self._next = self._start + self.interval

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self) -> None:
        """One step is done; called at every one, so it must be quick."""
        now = perf_counter()
        if now >= self._next:
            self._next = now + self.interval
            self.show()

    def show(self) -> None:
        """Show where training is."""
        run = self.run
        self.print(
            f"epoch {run.epoch + 1}/{run.epochs}, batch {run.batches.batch}/{len(run.batches)}  loss {self.loss:.4f}  "
            f"{self.pace()}"
        )

    def close_epoch(self, row: Epoch) -> None:
        """One epoch is done."""
        self._next = perf_counter() + self.interval
        self.print(f"{describe(row, self.run.epochs)}  {self.pace()}")

    def print(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    @property
    def loss(self) -> float:
        """The loss of the last steps, as many as ``average_loss`` says."""
        losses = self.run.history.losses
        count = min(self.run.average_loss, len(losses))
        return sum(losses[-i - 1] for i in range(count)) / max(count, 1)

    @property
    def _batches(self) -> int:
        within = self.run.batches.batch if self.run.batches.batch < len(self.run.batches) else 0
        return self.run.epoch * len(self.run.batches) + within

    def pace(self) -> str:
        """How fast it is, looks at the validation set included, and how long the rest will take."""
        done, seconds = self._batches - self._first, perf_counter() - self._start
        if not done or not seconds:
            return ""
        left = (self.run.epochs * len(self.run.batches) - self._batches) * seconds / done
        rate = f"{done * self.run.batches.batch_size / seconds:,.0f} samples/s"
        return f"{rate}, {duration(left)} left" if left else rate


class Silence(Progress):
    """Prints nothing."""

    def advance(self) -> None:
        pass

    def print(self, line: str) -> None:
        pass


class Bar(Progress):
    """A bar of rich's over all batches, with the lines above it."""

    def __init__(self, run: Training) -> None:
        super().__init__(run)
        from rich import progress

        self.interval, self._next = REFRESH, 0.0
        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("loss {task.fields[loss]:.4f}  {task.fields[pace]}"),
            console=_console(),
            transient=True,
        )
        total = run.epochs * len(run.batches)
        self._task = self._bar.add_task("", total=total, epoch=f"{run.epoch + 1}/{run.epochs}", loss=0.0, pace="")

    def __enter__(self) -> Bar:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def show(self) -> None:
        run = self.run
        epoch = f"{min(run.epoch + 1, run.epochs)}/{run.epochs}"
        self._bar.update(self._task, completed=self._batches, epoch=epoch, loss=self.loss, pace=self.pace())

    def close_epoch(self, row: Epoch) -> None:
        super().close_epoch(row)
        self.show()

    def print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False)


def progress_for(wanted: bool, run: Training) -> Progress:
    """Return the kind of progress that fits the place training runs in."""
    if not wanted:
        return Silence(run)
    if sys.stderr.isatty():
        try:
            return Bar(run)
        except ImportError:
            pass  # rich is an extra; lines do as well
    return Progress(run)


def describe(row: Epoch, epochs: int) -> str:
    """Return an epoch as one line of text."""
    text = f"epoch {row.epoch:>{len(str(epochs))}}/{epochs}  loss {row.loss:.4f}"
    if row.validation_loss is not None:
        text += f"  validation loss {row.validation_loss:.4f}"
    if row.validation_accuracy is not None:
        text += f"  accuracy {100 * row.validation_accuracy:.2f} %"
    return f"{text}  {duration(row.seconds)}"


def duration(seconds: float) -> str:
    """Return a time as text: milliseconds below a second, hours and minutes above a minute or two."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
