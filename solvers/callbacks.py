"""``Callback``: what is told of a training, and may end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history import Epoch, Validation
    from .training import Training


class Callback:
    """Is told what happens in ``Solver.fit``.

    A subclass defines what it wants to hear of::

        class PrintRate(Callback):
            def after_epoch(self, run, row):
                print(row.epoch, run.solver.lr)

    ``run`` has ``net``, ``solver``, ``history``, ``step`` (steps done), ``epoch`` (epochs done) and ``stop(reason)``,
    which ends the training after the step that is running. Of several processes each tells callbacks of its own, which
    have to decide alike.
    """

    def start(self, run: Training) -> None:
        """Training begins, or goes on from a snapshot."""

    def after_step(self, run: Training, loss: float) -> None:
        """The parameters have moved; ``loss`` is what the step's batches had before that."""

    def after_validation(self, run: Training, result: Validation) -> None:
        """The validation set has been looked at; the net is as it was for that, averaged weights and all."""

    def after_epoch(self, run: Training, row: Epoch) -> None:
        """An epoch is over."""

    def end(self, run: Training) -> None:
        """Training is over, and its last snapshot taken. Not called if an error or a signal ends it."""

    def state(self) -> dict[str, Any]:
        """What a snapshot has to hold of the callback: plain values, arrays, lists and dicts of them."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` returned."""
