"""``CaffeSolver``: a training that a Caffe solver's prototxt describes, step for step as Caffe does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from handbrew.nets import Graph
from handbrew.nets.caffe import read_solver

from .caffe_feed import Samples, read_samples
from .caffe_lines import Log, number, output_lines, outputs, print_line
from .caffe_nets import FedNet, test_descriptions, train_description
from .caffe_rules import make_rule
from .caffe_snapshot import load_into, restore, write_snapshot
from .signals import Signals


class CaffeSolver:
    """Trains and tests as ``caffe train --solver`` does, and prints what that prints.

    Each iteration: a test if one is due; ``iter_size`` passes; clip their sum, divide by their number, add weight
    decay, apply the rule; a snapshot if one is due.

    Parameters
    ----------
    solver : path
        A solver's prototxt. Files that it names are looked for from here, then from its folder.
    data, test_data : path, Dataset or pair, optional
        What feeds the train net, and the test nets (by default the test part of ``data``). Without, the data layers'
        own sources do.
    level, stages
        Of the train net's state, besides what the files say.
    custom : dict, optional
        Classes for layers that handbrew does not know, as ``load_caffe`` takes them.
    log : callable, optional
        What each line goes to; by default it is printed.

    Attributes
    ----------
    net : Graph
    test_nets : list of Graph
    rule : Solver
    iteration : int
        Updates so far.

    Raises
    ------
    FileFormatError
        If a file is not what it should be, or asks for what there is not.
    FileNotFoundError
        If a file, or samples for a data layer, are not there.
    """

    def __init__(
        self,
        solver: str | PathLike[str],
        data: Samples | None = None,
        test_data: Samples | None = None,
        *,
        level: int = 0,
        stages: Sequence[str] = (),
        custom: Mapping[str, Any] | None = None,
        log: Log = print_line,
    ) -> None:
        path = Path(solver)
        self.param, folder, self.log = read_solver(path), path.parent, log
        seed = self.param.random_seed
        if seed < 0:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        train, test = read_samples(data, test_data)
        description = train_description(self.param, folder, level, stages)
        self.train = FedNet(description, train, folder, training=True, seed=seed, custom=custom)
        self.tests = [
            FedNet(net, test, folder, training=False, seed=seed, custom=custom)
            for net in test_descriptions(self.param, folder)
        ]
        self.rule = make_rule(self.param, self.train.graph)
        self.signals = Signals()
        self._recent: list[float] = []
        self._mean, self._started, self._last = 0.0, 0, (0, perf_counter())

    @property
    def net(self) -> Graph:
        """The net that is trained."""
        return self.train.graph

    @property
    def test_nets(self) -> list[Graph]:
        """The nets that are tested, with the weights that the last test took over."""
        return [test.graph for test in self.tests]

    @property
    def iteration(self) -> int:
        """Updates so far."""
        return self.rule.steps

    def load(self, paths: Iterable[str | PathLike[str]]) -> None:
        """Take over the layers of these files of weights, by name, where there are layers of these names."""
        for path in paths:
            self.log(f"Finetuning from {path}")
            for fed in (self.train, *self.tests):
                load_into(fed.graph, Path(path))

    def restore(self, path: str | PathLike[str]) -> None:
        """Go on from a snapshot, to the same bits."""
        self.log(f"Restoring previous solver status from {path}")
        restore(self, Path(path))

    def snapshot(self) -> None:
        """Write ``<snapshot_prefix>_iter_<iteration>.caffemodel`` and, beside it, the solver's state."""
        write_snapshot(self)

    def solve(self) -> bool:
        """Train to ``max_iter``; return whether it came so far, and was not stopped by a signal."""
        p, log = self.param, self.log
        log(f"Solving {self.train.param.name}")
        log(f"Learning Rate Policy: {p.lr_policy}")
        with self.signals:
            self.step(p.max_iter - self.iteration)
            if p.snapshot_after_train and not (p.snapshot and self.iteration % p.snapshot == 0):
                self.snapshot()
            if self.signals.stop is not None:
                log("Optimization stopped early.")
                return False
            if p.display and self.iteration % p.display == 0:
                self._average(self.train.forward())
                log(f"Iteration {self.iteration}, loss = {number(self._mean)}")
            if p.test_interval and self.iteration % p.test_interval == 0:
                self.test()
        log("Optimization Done.")
        return True

    def step(self, iterations: int) -> None:
        """Do so many iterations, fewer if a signal asks to stop."""
        p = self.param
        end, self._started = self.iteration + iterations, self.iteration
        self._recent, self._mean = [], 0.0
        self._last = 0, perf_counter()
        while self.iteration < end:
            self.net.zero_grad()
            if p.test_interval and self.iteration % p.test_interval == 0 and (self.iteration or p.test_initialization):
                self.test()
                if self.signals.stop is not None:
                    break
            loss = 0.0
            for _ in range(p.iter_size):
                loss += self.train.forward()
                self.net.backward()
            self._average(loss / p.iter_size)
            if p.display and self.iteration % p.display == 0:
                self._display()
            self.rule.step(p.iter_size)
            self._heed_signals()
            if p.snapshot and self.iteration % p.snapshot == 0:
                self.snapshot()
            if self.signals.stop is not None:
                break

    def test(self) -> list[dict[str, float]]:
        """Test every test net; return the mean of each of its outputs."""
        return [self._test(i) for i in range(len(self.tests))]

    def _test(self, i: int) -> dict[str, float]:
        p, fed, loss = self.param, self.tests[i], 0.0
        self.log(f"Iteration {self.iteration}, Testing net (#{i})")
        fed.share(self.net)
        rows: list[list[tuple[str, float]]] = []
        for _ in range(p.test_iter[i]):
            self._heed_signals()
            if self.signals.stop is not None:
                self.log("Test interrupted.")
                return {}
            loss += fed.test()
            rows.append(list(outputs(fed.outputs, fed.graph.outputs)))
        if p.test_compute_loss:
            self.log(f"Test loss: {number(loss / max(1, len(rows)))}")
        means = [(row[0][0], float(np.mean([value for _, value in row]))) for row in zip(*rows, strict=True)]
        for line in output_lines("Test", means, fed.graph.loss_weights):
            self.log(line)
        return dict(means)

    def _display(self) -> None:
        now, (last, then) = perf_counter(), self._last
        seconds = now - then
        rate = (self.iteration - last) / (seconds or 1)
        self.log(
            f"Iteration {self.iteration} ({number(rate)} iter/s, {number(seconds)}s/{self.param.display} iters), "
            f"loss = {number(self._mean)}"
        )
        for line in output_lines("Train", outputs(self.train.outputs, self.net.outputs), self.net.loss_weights):
            self.log(line)
        self.log(f"Iteration {self.iteration}, lr = {number(self.rule.lr)}")
        self._last = self.iteration, now

    def _average(self, loss: float) -> None:
        """The mean of the last ``average_loss`` losses."""
        window = max(1, self.param.average_loss)
        self._recent = [*self._recent, loss][-window:]
        self._mean = float(np.mean(self._recent))

    def _heed_signals(self) -> None:
        self.signals.heed(self.signals.take())
        if self.signals.snapshot:
            self.signals.snapshot = False
            self.snapshot()
