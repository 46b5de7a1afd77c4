"""``Fitter``: what a solver can do with a whole data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

from handbrew.nets import Metric

from .callbacks import Callback
from .history import History
from .snapshots import Snapshots
from .training import Training
from .verify import Verdict, verify

if TYPE_CHECKING:
    from .solver import Solver


class Fitter:
    """The training loop, as methods of the solver that takes its steps."""

    def fit(
        self,
        train: Any,
        validation: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        progress: bool = True,
        iter_size: int = 1,
        test_interval: int | None = None,
        average_loss: int = 1,
        metrics: Mapping[str, Metric] | None = None,
        callbacks: Sequence[Callback] = (),
        average_decay: float | None = None,
        snapshots: Snapshots | str | PathLike[str] | None = None,
        dump: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> History:
        """Train for some epochs; return what each achieved.

        Called again, it shuffles as before: pass another ``seed``, or the same ``Batches``, which go on with their
        next epoch. Ctrl-C (SIGINT) and SIGTERM finish the step, take a snapshot, and leave with ``KeyboardInterrupt``
        and ``SystemExit(143)``; a second Ctrl-C leaves at once. SIGHUP takes a snapshot and goes on.

        Parameters
        ----------
        train, validation : pair (X, y), triple (X, y, weight) or Dataset
            ``train`` may also be ``Batches``, which bring their own batch size, order and position.
        epochs : int
            Passes over ``train``, those before a resumed run's snapshot included.
        batch_size, shuffle, seed
            Of the ``Batches`` made of ``train``.
        progress : bool
            Tell on stderr: a bar on a terminal, plain lines elsewhere.
        iter_size : int
            Batches whose gradients make one step, as if they had been one batch. An epoch's last step takes those
            that are left.
        test_interval : int, optional
            Steps from one look at ``validation`` to the next; by default one after each epoch.
        average_loss : int
            Steps over which the loss that progress shows is averaged.
        metrics : dict of Metric, optional
            Measured, with loss and accuracy, at each look at ``validation``; see ``History.validations``.
        callbacks : sequence of Callback
        average_decay : float, optional
            Keep an exponential moving average of the weights with this decay per step: what ``validation`` is
            looked at with, and what the net has at the end.
        snapshots : Snapshots or path, optional
            Where, and how often, the whole state of the training is written to disk.
        dump : path, optional
            Where the batch of a ``NonFiniteError`` is kept, for ``replay``; by default with the snapshots.
        resume : bool
            Go on from the newest of ``snapshots`` that is whole, in the middle of an epoch if that is where it
            was taken: the same bits come out as from a run that was never stopped. Without any, begin.

        Raises
        ------
        NonFiniteError
            The moment a loss, a gradient or a parameter is not finite, saying where that comes from.
        FileFormatError, StateError
            If no snapshot is whole, or it is of another net, solver or data set.
        """
        return self._training(
            train,
            validation,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            progress=progress,
            iter_size=iter_size,
            test_interval=test_interval,
            average_loss=average_loss,
            metrics=metrics,
            callbacks=callbacks,
            average_decay=average_decay,
            snapshots=snapshots,
            dump=dump,
        ).run(resume)

    def verify(self, steps: int, train: Any, validation: Any = None, **options: Any) -> Verdict:
        """Repeat steps of a training from its snapshots, and tell whether the same bits come out.

        From the last snapshot but one on, so many steps are repeated, at most up to the last one. Each step's loss is
        compared with the one on record and, where the last snapshot is reached, so are parameters, buffers and
        the rule's arrays. No snapshot is written. The net is then as it was after those steps.

        Parameters
        ----------
        steps : int
        train, validation, **options
            As they were for ``fit``, ``snapshots`` among them.

        Raises
        ------
        ValueError
            Without two snapshots.
        FileFormatError, StateError
            As for ``fit``.
        """
        return verify(self._training(train, validation, **options | {"progress": False}), steps)

    def _training(self, train: Any, validation: Any, **options: Any) -> Training:
        return Training(cast("Solver", self), train, validation, **options)
