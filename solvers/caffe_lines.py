"""Lines as Caffe logs them: for people, and for the scripts that read Caffe's logs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import Any

import numpy as np

Log = Callable[[str], None]
Values = list[tuple[str, float]]


def print_line(text: str) -> None:
    """Print a line behind glog's prefix: ``I1128 10:00:00.000000  1234 solver.cpp:1] Iteration 0, lr = 0.01``.

    After the kind of line (I, information) come month, day, time and process; the place in Caffe's sources, which
    there is none of here, is only what scripts expect to find there.
    """
    now = datetime.now()
    print(f"I{now:%m%d %H:%M:%S.%f} {os.getpid():>5} solver.cpp:1] {text}", flush=True)  # noqa: T201


def number(value: float) -> str:
    """Six digits, as C++ prints numbers."""
    return f"{value:g}"


def values_of(outputs: Mapping[str, Any]) -> Values:
    """Each number in a net's outputs, with the blob's name, in the order of the alphabet."""
    return [(name, float(value)) for name in sorted(outputs) for value in np.ravel(outputs[name])]


def means(batches: Sequence[Values]) -> Values:
    """The mean of each number over all batches."""
    return [(row[0][0], float(np.mean([value for _, value in row]))) for row in zip(*batches, strict=True)]


def output_lines(which: str, values: Values, weights: Mapping[str, float]) -> Iterator[str]:
    """``    Train net output #1: loss = 2.3 (* 1 = 2.3 loss)``, a line for each number."""
    for i, (name, value) in enumerate(values):
        yield f"    {which} net output #{i}: {name} = {number(value)}{weighted(name, value, weights)}"


def weighted(name: str, value: float, weights: Mapping[str, float]) -> str:
    """What an output counts for in the total loss: `` (* 1 = 2.3 loss)``; nothing for one that is no loss."""
    weight = weights.get(name, 0)
    return f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""


class Display:
    """The loss, averaged over the last ``window`` iterations, and the speed: what is shown every so many iterations."""

    def __init__(self, every: int, window: int) -> None:
        self.every, self.window = every, max(1, window)
        self.restart()

    def restart(self, iteration: int = 0) -> None:
        """Forget the losses, and take the time from now on."""
        self._recent: list[float] = []
        self._last = iteration, perf_counter()

    def add(self, loss: float) -> None:
        """Take note of an iteration's loss."""
        self._recent = [*self._recent, loss][-self.window :]

    @property
    def loss(self) -> str:
        """The averaged loss."""
        return number(float(np.mean(self._recent)))

    def due(self, iteration: int) -> bool:
        """Whether to show this one."""
        return self.every > 0 and iteration % self.every == 0

    def lines(self, iteration: int, values: Values, weights: Mapping[str, float], rate: float) -> Iterator[str]:
        """What Caffe shows of an iteration."""
        (last, then), now = self._last, perf_counter()
        speed = (iteration - last) / (now - then or 1)
        timing = f"{number(speed)} iter/s, {number(now - then)}s/{self.every} iters"
        yield f"Iteration {iteration} ({timing}), loss = {self.loss}"
        yield from output_lines("Train", values, weights)
        yield f"Iteration {iteration}, lr = {number(rate)}"
        self._last = iteration, now
