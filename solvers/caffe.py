"""``CaffeSolver``: a training that a Caffe solver's prototxt describes, step for step as Caffe does it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.nets import Graph
from handbrew.nets.caffe.text import read_solver

from .caffe_files import find
from .caffe_lines import Display, Log, Values, means, number, output_lines, print_line, values_of
from .caffe_nets import FedNet, test_descriptions, train_description
from .caffe_rules import make_rule
from .caffe_samples import Samples, read_samples
from .caffe_snapshot import load_into, prefix_of, refuse_unwritable, restore, write_snapshot
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
        self.prefix = prefix_of(self.param, path)
        refuse_unwritable(self.param, self.prefix)
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
        for name in ("debug_info", "snapshot_diff"):
            if getattr(self.param, name):
                warnings.warn(f"{path}: {name} has no use here", stacklevel=2)
        self._display = Display(self.param.display, self.param.average_loss)
        self.load(find(name, folder) for names in self.param.weights for name in names.split(","))

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
        files = [Path(path) for path in paths]
        for path in files:
            self.log(f"Finetuning from {path}")
        for fed in (self.train, *self.tests) if files else ():
            load_into(fed.graph, *files, tell=fed is self.train)  # what the others do not find, it has

    def restore(self, path: str | PathLike[str]) -> None:
        """Go on from a snapshot, to the same bits."""
        self.log(f"Restoring previous solver status from {path}")
        for sentence in restore(self, Path(path)):
            self.log(sentence)

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
            if self._display.due(self.iteration):
                self._display.add(self.train.forward())
                log(f"Iteration {self.iteration}, loss = {self._display.loss}")
            if p.test_interval and self.iteration % p.test_interval == 0:
                self.test()
        log("Optimization Done.")
        return True

    def step(self, iterations: int) -> None:
        """Do so many iterations, fewer if a signal asks to stop."""
        p = self.param
        end = self.iteration + iterations
        self._display.restart(self.iteration)
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
            self._display.add(loss / p.iter_size)
            if self._display.due(self.iteration):
                values, weights = values_of(self.train.outputs), self.net.loss_weights
                for line in self._display.lines(self.iteration, values, weights, self.rule.lr):
                    self.log(line)
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
        batches: list[Values] = []
        for batch_loss, values in fed.test(p.test_iter[i]):
            self._heed_signals()
            if self.signals.stop is not None:
                self.log("Test interrupted.")
                return {}
            loss += batch_loss
            batches.append(values)
        if p.test_compute_loss:
            self.log(f"Test loss: {number(loss / max(1, len(batches)))}")
        found = means(batches)
        for line in output_lines("Test", found, fed.graph.loss_weights):
            self.log(line)
        return dict(found)

    def _heed_signals(self) -> None:
        self.signals.heed(self.signals.take())
        if self.signals.snapshot:
            self.signals.snapshot = False
            self.snapshot()
