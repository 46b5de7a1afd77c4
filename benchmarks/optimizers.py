"""Updates alone: one array of ten million parameters, moved by Adam, with and without Numba, and by momentum SGD.

python benchmarks/optimizers.py [ROUNDS]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("HANDBREW_THREADS", "2")

import numpy as np
import torch
from harness import Times, check_equal, summarise

from handbrew.layers import Layer, Zeros
from handbrew.solvers import SGD, Adam, Solver, _compiled

Array = np.ndarray[Any, np.dtype[Any]]
SIZE = 10_000_000
JIT, LOOP = "handbrew, jit", _compiled._compiled
WAYS: dict[str, dict[str, bool]] = {"PyTorch, foreach": {"foreach": True}, "PyTorch, fused": {"fused": True}}
UPDATES, WARM = 6, 3  # a turn: updates that are timed, after some that are not


class Contender(NamedTuple):
    """``refill`` puts the gradient back, which an update may have used as scratch; only ``update`` is timed."""

    refill: Callable[[], object]
    update: Callable[[], object]
    read: Callable[[], Array]


class Parameters(Layer):
    """Parameters and nothing else."""

    def build(self, in_shape: Any) -> Any:
        self.W = self.param("W", (SIZE,), Zeros())
        return in_shape


def rules(gradient: Array) -> dict[str, dict[str, Contender]]:
    """Contenders by rule; PyTorch's Adam adds eps to the corrected root."""
    adam, momentum = torch.optim.Adam, torch.optim.SGD
    return {
        "Adam": {
            "handbrew": ours(gradient, lambda net: Adam(net, eps_corrected=True)),
            JIT: ours(gradient, lambda net: Adam(net, eps_corrected=True), LOOP),
            **{name: theirs(gradient, lambda p, o=options: adam(p, lr=1e-3, **o)) for name, options in WAYS.items()},
        },
        "SGD, momentum": {
            "handbrew": ours(gradient, lambda net: SGD(net, 0.01, 0.9)),
            **{
                name: theirs(gradient, lambda p, o=options: momentum(p, lr=0.01, momentum=0.9, **o))
                for name, options in WAYS.items()
            },
        },
    }


def ours(gradient: Array, make: Callable[[Layer], Solver], loop: Callable[..., bool] | None = None) -> Contender:
    """With the compiled loop, or as it is without the extra."""
    net = Parameters()
    net.build((1,))
    solver, W = make(net), net.W

    def refill() -> None:
        _compiled._compiled, W.grad = loop, gradient

    return Contender(refill, solver.step, lambda: W.data)


def theirs(gradient: Array, make: Callable[[list[torch.Tensor]], torch.optim.Optimizer]) -> Contender:
    p = torch.nn.Parameter(torch.zeros(SIZE))
    p.grad = torch.empty(SIZE)
    solver, source, grad = make([p]), torch.from_numpy(gradient), p.grad
    return Contender(lambda: grad.copy_(source), solver.step, lambda: p.detach().numpy())


def measure(rounds: int) -> dict[str, Any]:
    """Figures for each rule."""
    gradient = np.random.default_rng(0).normal(scale=0.01, size=SIZE).astype(np.float32)
    found = {}
    for rule, contenders in rules(gradient).items():
        times: Times = {name: [] for name in contenders}
        names = list(contenders)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                times[name].append(time_updates(contenders[name]))
        check_equal({name: contender.read()[::1000] for name, contender in contenders.items()}, 1e-4, rule)
        compiled = times.pop(JIT, None)
        found[rule] = summarise(times)
        if compiled:
            found[f"{rule}, with the extra jit"] = summarise(times | {"handbrew": compiled})
    return found


def time_updates(contender: Contender) -> float:
    """Seconds an update, in the middle of several."""
    seconds = []
    for _ in range(WARM + UPDATES):
        contender.refill()
        start = perf_counter()
        contender.update()
        seconds.append(perf_counter() - start)
    return median(seconds[WARM:])


if __name__ == "__main__":
    torch.set_num_threads(2)
    for rule, entry in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 9).items():
        for name, us in entry["us"].items():
            print(f"{rule}, {SIZE / 1e6:.0f} M parameters: {name:18} {us / 1000:6.2f} ms  {entry['ratios'][name]:.2f}")
