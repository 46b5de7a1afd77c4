"""Two ranks on two cores against one process with two threads, and what a step's all-reduce costs.

    python benchmarks/ranks.py [--rounds N]      # needs the extra mpi; prints the tables of docs/many-machines.md

Both train on the same batch: the ranks on a half each. Every figure comes from a process of its own; the two kinds
take turns, and a ratio is that of neighbours, the median over the rounds. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential, cifar10_quick, lenet, resnet20, vgg_small
from handbrew.solvers import SGD

MPIEXEC = Path(sys.executable).with_name("mpiexec")
SECONDS = 2.0  # of steps, in each process
MACHINES = (2, 8)
BANDWIDTHS = {"10 Gbit/s": 1.25e9, "25 Gbit/s": 3.125e9}  # bytes a second


class Workload(NamedTuple):
    make: Any
    batch: int
    in_shape: tuple[int, ...]


def perceptron(*hidden: int) -> Any:
    def make(seed: int) -> Sequential:
        layers = [layer for size in hidden for layer in (Affine(size), ReLU())]
        return Sequential(*layers, Affine(10), SoftmaxCrossEntropy(), seed=seed)

    return make


NETS = {
    "784-256-10, batch 128": Workload(perceptron(256), 128, (784,)),
    "784-1024-1024-10, batch 256": Workload(perceptron(1024, 1024), 256, (784,)),
    "LeNet, batch 64": Workload(lenet, 64, (1, 28, 28)),
    "cifar10_quick, batch 100": Workload(cifar10_quick, 100, (3, 32, 32)),
    "vgg_small, batch 64": Workload(vgg_small, 64, (3, 32, 32)),
    "resnet20, batch 64": Workload(resnet20, 64, (3, 32, 32)),
}


def work(name: str) -> dict[str, float]:
    """Seconds a step of this process, alone or as one of several; of which in the all-reduce, and one by itself."""
    from handbrew.solvers.parallel import world

    workload, comm = NETS[name], world()
    rank, size = (comm.Get_rank(), comm.Get_size()) if comm else (0, 1)
    rng = np.random.default_rng(0)
    n = workload.batch
    X, y = rng.normal(size=(n, *workload.in_shape)).astype(np.float32), rng.integers(0, 10, n)
    X, y = (np.array_split(a, size)[rank] for a in (X, y))
    net = workload.make(seed=0)
    solver = SGD(net, lr=1e-4, momentum=0.9, comm=comm)
    ranks, waits = solver.ranks, [0.0]
    if ranks is not None:
        plain = ranks.sum

        def timed(array: Any) -> None:
            start = perf_counter()
            plain(array)
            waits[-1] += perf_counter() - start

        ranks.sum = timed  # type: ignore[method-assign]

    def step() -> None:
        net.forward(X, y)
        net.backward()
        solver.step()

    steps = [_timed(step) for _ in range(5)]
    count = max(5, int(SECONDS / median(steps)))
    if comm:
        count = comm.bcast(count)
    waits, steps = [], []
    for _ in range(count):
        waits.append(0.0)
        steps.append(_timed(step))
    found = {"step": median(steps), "parameters": sum(p.data.size for p in net.params.values())}
    if ranks is not None:
        message = np.zeros(int(found["parameters"]), np.float32)
        alone = []
        for _ in range(20):
            comm.Barrier()
            start = perf_counter()
            plain(message)
            alone.append(perf_counter() - start)
        found |= {"waited": median(waits), "message": median(alone)}
    return found if rank == 0 else {}


def _timed(step: Any) -> float:
    start = perf_counter()
    step()
    return perf_counter() - start


def measure(name: str, size: int, threads: int) -> dict[str, float]:
    """The same, from processes of their own."""
    start = [] if size == 1 else [str(MPIEXEC), "-n", str(size)]
    environment = os.environ | dict.fromkeys(
        ("HANDBREW_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads)
    )
    command = [*start, sys.executable, __file__, "--work", name]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def compare(name: str, rounds: int) -> dict[str, float]:
    ones, twos = [], []
    for _ in range(rounds):
        ones.append(measure(name, 1, 2))
        twos.append(measure(name, 2, 1))
    return {key: median(two[key] for two in twos) for key in twos[0]} | {
        "one": median(one["step"] for one in ones),
        "ratio": median(one["step"] / two["step"] for one, two in zip(ones, twos, strict=True)),
    }


def compare_all(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of a step, of the all-reduce in it, and ratios, by net."""
    return {name: compare(name, rounds) for name in NETS}


def ring(size: int, nbytes: float, bandwidth: float) -> float:
    """Seconds of a ring all-reduce: each of n machines sends, and receives, 2 (n - 1) / n times the message."""
    return 2 * (size - 1) / size * nbytes / bandwidth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", metavar="NET", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        if found := work(args.work):
            print(json.dumps(found))
        return
    found = compare_all(args.rounds)
    print("| net | one process | two ranks | ratio | all-reduce | of the step |\n|---|---|---|---|---|---|")
    for name, row in found.items():
        print(
            f"| {name} | {1e3 * row['one']:.3g} ms | {1e3 * row['step']:.3g} ms | {row['ratio']:.2f} "
            f"| {1e3 * row['message']:.2g} ms | {row['message'] / row['step']:.1%} |"
        )
    heads = [f"{n} at {speed}" for speed in BANDWIDTHS for n in MACHINES]
    print(f"\n| net, batch a machine | step | message | {' | '.join(heads)} |\n{'|---' * (3 + len(heads))}|")
    for name, row in found.items():
        nbytes, own = 4 * row["parameters"], row["one"]
        times = [ring(n, nbytes, speed) for speed in BANDWIDTHS.values() for n in MACHINES]
        cells = [f"{1e3 * t:.2g} ms: {own / (own + t):.0%}" for t in times]
        print(f"| {name} | {1e3 * own:.3g} ms | {nbytes / 1e6:.2f} MB | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
