"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from math import inf, isfinite
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn
from warnings import warn

import numpy as np

from handbrew.data import Batches
from handbrew.nets import Metric, RunningLoss

from .arguments import as_dataset, check_net, check_options
from .averaging import WeightAverage
from .callbacks import Callback
from .diagnosis import Watch
from .environment import environment
from .errors import NonFiniteError
from .explaining import raise_explained
from .history import Epoch, History
from .identity import fingerprint, setup
from .progress import progress_for
from .signals import Signals
from .snapshots import Snapshots
from .training_state import claimed, refuse_earlier_snapshots, resume, snapshot
from .validating import observe, validate

if TYPE_CHECKING:
    from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]


class Training:
    """One ``Solver.fit``: where it stands, and how it goes on. Its parameters are those of ``fit``.

    Attributes
    ----------
    net, solver, batches, validation, history
        What it works with; ``validation`` is a ``Dataset`` or ``None``.
    epoch, step : int
        Epochs and steps done, those before a resumed run's snapshot included.
    """

    def __init__(
        self,
        solver: Solver,
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
    ) -> None:
        net, loss = check_net(solver.net)
        check_options(epochs, iter_size, average_loss, test_interval, validation, callbacks, metrics)
        self.solver, self.net, self.ranks = solver, net, solver.ranks
        if not isinstance(train, Batches):
            train = Batches(as_dataset(train, "train"), batch_size=batch_size, shuffle=shuffle, seed=seed)
        self._whole = train
        self.batches = train.shard(self.ranks.rank, self.ranks.size) if self.ranks else train
        self.validation = None if validation is None else as_dataset(validation, "validation")
        self.epochs, self.iter_size, self.test_interval = epochs, iter_size, test_interval
        self.metrics, self.callbacks, self.progress = metrics or {}, callbacks, progress
        self.average = WeightAverage(net, average_decay) if average_decay is not None else None
        self.snapshots = snapshots if isinstance(snapshots, Snapshots | None) else Snapshots(snapshots)
        if dump is None and self.snapshots is not None:
            dump = self.snapshots.folder / "non-finite.safetensors"
        self.dump, self.average_loss = None if dump is None else Path(dump), average_loss
        self.history, self.running, self.best = History(), RunningLoss(loss), inf
        self.epoch = self.step = self.epoch_step = 0  # epoch_step: the step that this epoch began with
        self.watch, self._signals = Watch(net), Signals()
        self.reason = ""  # why a callback has ended the training
        self._begun = perf_counter()
        self._passes, self._total, self._shares = 0, 0.0, 0.0  # of the step that is running
        self._until: int | None = None
        self._noted: list[str] = []  # floating-point errors
        self.saved = 0, 0  # step and epoch of the last snapshot
        self.best_now = False  # whether the last look was the best, and no snapshot of it has been taken
        self.lr = 0.0  # of the last step
        self.environment: dict[str, Any] = environment() if snapshots is not None else {}
        self.train_mark, self.validation_mark = (
            fingerprint(data) if data is not None and snapshots is not None else None
            for data in (self.batches.data, self.validation)
        )
        self.given: dict[str, Any] | None = None  # how the net was set up when the training began

    def run(self, go_on: bool) -> History:
        """Train to the end, from the newest snapshot if that is asked for; return the history.

        Raises
        ------
        KeyboardInterrupt, SystemExit
            Once SIGINT or SIGTERM has come, and the step is finished.
        """
        with self.ranks or nullcontext(), claimed(self):
            if go_on:
                resume(self)
            else:
                refuse_earlier_snapshots(self)
            self._begin_alike()
            self.advance()
            if self._whole is not self.batches:
                self._whole.restore(self.batches.state())  # it goes on where its shard is
        self.leave_if_asked()
        return self.history

    def leave_if_asked(self) -> None:
        """Leave as a signal wants it that has come meanwhile, if one has."""
        if self._signals.stop is not None:
            self._signals.leave()

    def _begin_alike(self) -> None:
        """Give all processes the first one's net, before any gradient is taken."""
        if self.ranks is not None:
            if self.net.in_shape is None:
                self.net.predict(self.batches.data.X[:1])  # builds
            self.ranks.broadcast_state(self.net)

    def advance(self, until: int | None = None) -> None:
        """Train until all epochs, or so many steps, are done."""
        self._until = until
        # NumPy says when an operation makes an infinity or a NaN. In a layer that may be meant; in an update it is not.
        with (
            np.errstate(divide="call", over="call", invalid="call", call=lambda kind, flag: self._noted.append(kind)),
            self._signals,
            progress_for(self.progress and self.first, self) as self._report,
        ):
            self.net.zero_grad()  # of a pass that nobody has finished
            if not self.net.training:
                warn("fit: the net is in evaluation mode, and is trained so; net.train() ends that", stacklevel=5)
            if self.given is None and self.net.in_shape is not None:
                self.given = setup(self.net)
            if self.step:
                self.tell(f"goes on after step {self.step}, in epoch {self.epoch + 1}")
            for callback in self.callbacks:
                callback.start(self)
            while self.epoch < self.epochs and not self._over:
                self._run_epoch()
            if self._signals.stop is None and until is None:
                self._finish()
                self._share_sums()  # a signal may have come since the last step

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and tells: alone, or the first of several."""
        return self.ranks is None or self.ranks.rank == 0

    @property
    def _over(self) -> bool:
        return bool(self.reason) or self._signals.stop is not None or self.step == self._until

    def tell(self, line: str) -> None:
        """Print a line among the progress."""
        self._report.print(line)

    def stop(self, reason: str) -> None:
        """End the training after the step that is running."""
        self.reason = reason

    @property
    def elapsed(self) -> float:
        """Seconds since this epoch began, those before a resumed run's snapshot included."""
        return perf_counter() - self._begun

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self._begun = perf_counter() - seconds

    def _run_epoch(self) -> None:
        for X, y, *weight in self.batches:
            self._accumulate(X, y, weight)
            if self._passes == self.iter_size or self.batches.batch == len(self.batches):
                self._step()
                if self._over:
                    return
        self.close_epoch()

    @property
    def _alone(self) -> bool:
        """Whether each batch is a step of its own, so that its gradients need no weight."""
        return self.iter_size == 1 and self.ranks is None

    def _accumulate(self, X: Array, y: Array, weight: list[Array]) -> None:
        """Add a batch's gradients, weighted by its share in the mean over all that make the step."""
        net, loss_layer = self.net, self.running.loss
        self.watch.note()
        self._last = X, y, *weight
        self._passes += 1
        if self.ranks is not None:
            self.ranks.samples = len(y) + (self.ranks.samples if self._passes > 1 else 0)
        if not len(y):  # of a batch with fewer samples than processes; the others may wait for this one in a layer
            scores = net.forward(X)
            net.backward(tuple(map(np.zeros_like, scores)) if isinstance(scores, tuple) else np.zeros_like(scores))
            return
        loss = float(net.forward(X, y, *weight))
        if not isfinite(loss) and self.ranks is None:
            self._explain(f"the loss is {loss}")
        share = loss_layer.share(len(y))
        if self._alone:
            net.backward()
        else:
            net.backward(share / self.batches.batch_size if loss_layer.reduction == "mean" else 1.0)
        self._total, self._shares = self._total + loss * share, self._shares + share
        if self._passes < self.iter_size and self.ranks is None:  # step looks at the last one's, and at the sum
            self._stepping(self.solver.check_gradients)

    def _step(self) -> None:
        self._share_sums()
        if not isfinite(self._total):  # in one of several processes, perhaps; all know it now
            self._explain(f"the loss is {self._total}")
        if self.given is None:  # it was not built before
            self.given = setup(self.net)
        whole = self._alone or self.running.loss.reduction == "sum"
        self._noted.clear()
        self.lr = self.solver.lr
        self._stepping(self.solver.step, 1.0 if whole else self._shares / self.batches.batch_size)
        if self._noted:
            self._stepping(self.solver.check_results)
        self.step += 1
        self.running.add_sum(self._total, self._shares)
        mean = self._total / self._shares if self._shares else 0.0
        loss = self._total if self.running.loss.reduction == "sum" else mean
        self._passes, self._total, self._shares = 0, 0.0, 0.0
        self.history.losses.append(loss)
        if self.average is not None:
            self.average.update()
        self._report.advance()
        for callback in self.callbacks:
            callback.after_step(self, loss)
        if self.validation is not None and self.test_interval and self.step % self.test_interval == 0:
            validate(self)
        self._keep(bool(self.snapshots and self.snapshots.every and self.step % self.snapshots.every == 0))
        self._heed_signals()

    def _share_sums(self) -> None:
        """Add up over all processes what each has seen: losses, and signals, so that all act at the same step."""
        come: list[float] = [*self._signals.take()]
        if self.ranks is not None:
            sums = np.array([self._total, self._shares, *come])
            self.ranks.sum(sums)
            self._total, self._shares, *come = sums.tolist()
        self._signals.heed(come)

    def _stepping(self, method: Callable[..., None], *arguments: float) -> None:
        try:
            method(*arguments)
        except NonFiniteError as error:
            self._explain(str(error), error)

    def close_epoch(self) -> None:
        """Do all that is due after an epoch's last step."""
        if self.validation is not None and not self.test_interval:
            validate(self)
        looks = self.history.validations
        look = looks[-1] if looks and looks[-1].step > self.epoch_step else None
        row = Epoch(
            self.epoch + 1,
            self.running.value,
            look and look.loss,
            look and look.accuracy,
            self.lr,
            self.elapsed,
        )
        if self.validation is None:
            observe(self, row.loss)
        self.history.append(row)
        self.epoch, self.epoch_step, self.elapsed = self.epoch + 1, self.step, 0.0
        self.running = RunningLoss(self.running.loss)
        self._report.close_epoch(row)
        for callback in self.callbacks:
            callback.after_epoch(self, row)
        self._keep(bool(self.snapshots and not self.snapshots.every))
        self._heed_signals()

    def _heed_signals(self) -> None:
        if self.ranks is None:  # else with the next step's sums
            self._share_sums()
        if self._signals.stop is None and not self._signals.snapshot:
            return
        if self._signals.snapshot and self.snapshots is not None:
            self.tell(f"SIGHUP: a snapshot after step {self.step}")
        self._signals.snapshot = False
        self._snapshot()
        if self._signals.stop is not None:
            self.tell(f"stopped by {self._signals.stop.name} after step {self.step}{self._how_to_go_on()}")

    def _keep(self, due: bool) -> None:
        """Take the snapshots that are due: of the best so far, and the ordinary one."""
        if self.best_now and self.snapshots is not None:
            snapshot(self, best=True)
        self.best_now = False
        if due:
            self._snapshot()

    def _snapshot(self) -> None:
        """Take a snapshot, if any are wanted and the last is not of this very moment."""
        if self.snapshots is not None and self.saved != (self.step, self.epoch) and snapshot(self):
            self.saved = self.step, self.epoch

    def _how_to_go_on(self) -> str:
        if self.snapshots is None or self.saved == (0, 0):
            return ""
        return f"; its snapshot is in {self.snapshots.folder}"

    def _finish(self) -> None:
        """Take the last snapshot, then make the net what it is to be in use."""
        if self.reason:
            self.tell(f"stopped after step {self.step}: {self.reason}")
        self._snapshot()
        if self.average is not None:
            self.average.apply()
        for callback in self.callbacks:
            callback.end(self)

    def _explain(self, what: str, error: NonFiniteError | None = None) -> NoReturn:
        """Raise a ``NonFiniteError`` that says where it comes from; keep the batch."""
        place = f"fit: in epoch {self.epoch + 1}, batch {self.batches.batch} of {len(self.batches)}"
        raise_explained(self, self._last, f"{place}, {what}", error)
