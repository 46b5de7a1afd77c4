"""``TensorBoard``: a training's figures as event files for TensorBoard."""

from __future__ import annotations

from numbers import Real
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from .callbacks import Callback

if TYPE_CHECKING:
    from .history import Epoch, Validation
    from .training import Training


class TensorBoard(Callback):
    """Writes loss and learning rate every so many steps, and what each look at the validation set finds.

    Needs the extra ``tensorboard`` (tensorboardX). A training that goes on from a snapshot writes another file, and
    TensorBoard drops what the first one had from that step on.

    Parameters
    ----------
    folder : path
        For ``tensorboard --logdir``.
    every : int
        Steps from one loss to the next.

    Raises
    ------
    ImportError
        Without tensorboardX, saying how to get it.
    """

    def __init__(self, folder: str | PathLike[str], every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"TensorBoard: every must be at least 1, got {every}")
        try:
            import tensorboardX  # noqa: F401
        except ImportError as error:
            raise ImportError('TensorBoard needs tensorboardX: pip install "handbrew[tensorboard]"') from error
        self.folder, self.every = fspath(folder), every
        self._writer: Any = None

    def start(self, run: Training) -> None:
        from tensorboardX import SummaryWriter

        if run.first:
            self._writer = SummaryWriter(self.folder, purge_step=run.step + 1 if run.step else None)

    def after_step(self, run: Training, loss: float) -> None:
        if run.step % self.every == 0:
            self._write(run.step, {"loss/step": loss, "lr": run.solver.lr})

    def after_validation(self, run: Training, result: Validation) -> None:
        values = {"loss/validation": result.loss, "accuracy/validation": result.accuracy}
        values |= {f"{name}/validation": value for name, value in result.metrics.items()}
        self._write(run.step, values)

    def after_epoch(self, run: Training, row: Epoch) -> None:
        self._write(run.step, {"loss/epoch": row.loss})
        if self._writer is not None:
            self._writer.flush()

    def state(self) -> dict[str, Any]:
        if self._writer is not None:
            self._writer.flush()  # what came before a snapshot is not written again after it
        return {}

    def end(self, run: Training) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, step: int, values: dict[str, Any]) -> None:
        if self._writer is not None:
            for name, value in values.items():
                if isinstance(value, Real):  # a confusion matrix is none
                    self._writer.add_scalar(name, float(value), step)
