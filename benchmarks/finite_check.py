"""What it costs to look at every step whether all numbers are finite: 784-1024-1024-10, batch 256."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from statistics import median
from time import perf_counter
from typing import Any

import mlp
import numpy as np
from harness import interleave, ratio, run_for

from handbrew.layers import Affine, ReLU
from handbrew.solvers import SGD, Layout, Watch

NET = "784-1024-1024-10, batch 256"


class Unchecked(SGD):
    """Steps that look at nothing."""

    def step(self, total: float | None = None) -> None:
        layout = self._layout or self.attach()
        for p in layout.trainable:
            p.fill_if_fresh()
        self.steps += 1
        for stretch in layout.stretches:
            self._move(stretch, self.lr)
        for p in layout.params:
            p.fresh = True


class Timed(SGD):
    """Says how long its look at the gradients takes, within a whole step."""

    seconds = 0.0

    def _average_and_clip(self, layout: Layout, total: float) -> None:
        start = perf_counter()
        super()._average_and_clip(layout, total)
        self.seconds = perf_counter() - start


def measure(rounds: int) -> dict[str, float]:
    """Microseconds of a step and of the looks in it, by the clock, and how much slower steps with them are."""
    sizes, size = mlp.NETS[NET]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(size, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], size)
    steps = {name: _make_step(solver, sizes, X, y) for name, solver in (("handbrew", SGD), ("unchecked", Unchecked))}
    times = interleave(steps, 4 * rounds, turn=0.06, least=3)
    looks = _looks(sizes, X, y)
    return {
        "us": 1e6 * median(times["handbrew"]),
        "looks us": 1e6 * looks,
        "share": looks / median(times["handbrew"]),
        "with / without": 1 / ratio(times, "unchecked"),
    }


def _make_step(kind: type[SGD], sizes: tuple[int, ...], X: Any, y: Any) -> Callable[[], None]:
    net = mlp.build_net(sizes, Affine, ReLU)
    solver, watch = kind(net, lr=mlp.LR, momentum=mlp.MOMENTUM), Watch(net)

    def step() -> None:
        if kind is SGD:
            watch.note()
        loss = net.forward(X, y)
        if kind is SGD and not isfinite(loss):
            raise watch.explain(f"the loss is {loss}", X, y)
        net.backward()
        solver.step()

    return step


def _looks(sizes: tuple[int, ...], X: Any, y: Any) -> float:
    """Median seconds of the looks in a step."""
    net = mlp.build_net(sizes, Affine, ReLU)
    solver, watch, found = Timed(net, lr=mlp.LR, momentum=mlp.MOMENTUM), Watch(net), list[float]()

    def step() -> None:
        start = perf_counter()
        watch.note()
        noting = perf_counter() - start
        net.forward(X, y)
        net.backward()
        solver.step()
        found.append(noting + solver.seconds)

    run_for(step, 2.0)
    return median(found)


if __name__ == "__main__":
    for name, value in measure(9).items():
        print(f"{name:15} {value:.4g}")
