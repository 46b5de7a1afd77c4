"""The ready-made convnets, and a training step of each in handbrew.

python benchmarks/convnets.py [--without-threadpoolctl]    # milliseconds a step, alone in this process
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("HANDBREW_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np
from harness import interleave

from handbrew.layers import Dropout
from handbrew.nets import Sequential, cifar10_quick, lenet, resnet20, vgg_small
from handbrew.solvers import SGD

Array = np.ndarray[Any, np.dtype[Any]]
LR, MOMENTUM = 0.001, 0.9


class Workload(NamedTuple):
    """A net, and the shape of a batch."""

    make: Callable[..., Sequential]
    batch: int
    in_shape: tuple[int, ...]


NETS = {
    "LeNet, batch 64": Workload(lenet, 64, (1, 28, 28)),
    "cifar10_quick, batch 100": Workload(cifar10_quick, 100, (3, 32, 32)),
    "vgg_small, batch 64": Workload(vgg_small, 64, (3, 32, 32)),
    "resnet20, batch 64": Workload(resnet20, 64, (3, 32, 32)),
}
INFERENCE = {f"LeNet inference, batch {n}": Workload(lenet, n, (1, 28, 28)) for n in (1, 256)}


def build_net(workload: Workload) -> Sequential:
    """Dropout, which draws other numbers in each library, is turned off."""
    net = workload.make(seed=0)
    for layer in net.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    net.build(workload.in_shape)
    return net


def make_batch(workload: Workload) -> tuple[Array, Array]:
    """Images as users have them, (N, C, H, W) in memory too, and labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(workload.batch, *workload.in_shape)).astype(np.float32)
    return X, rng.integers(0, 10, workload.batch)


def training_step(net: Sequential, X: Array, y: Array) -> Callable[[], float]:
    solver = SGD(net, lr=LR, momentum=MOMENTUM)

    def step() -> float:
        loss = net.forward(X, y)
        net.backward()
        solver.step()
        return float(loss)

    return step


def main() -> None:
    """Print a JSON of milliseconds by net."""
    if "--without-threadpoolctl" in sys.argv[1:]:
        sys.modules["threadpoolctl"] = None  # type: ignore[assignment]  # importing it raises ImportError now
    found = {}
    for name, workload in NETS.items():
        times = interleave({name: training_step(build_net(workload), *make_batch(workload))}, rounds=5, least=3)
        found[name] = 1000 * median(times[name])
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
