"""Lines as Caffe logs them: for people, and for the scripts that read Caffe's logs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np

Log = Callable[[str], None]


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


def outputs(blobs: Mapping[str, Any], names: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Each number in a net's outputs, with the blob's name, in the order of the alphabet."""
    for name in sorted(names):
        for value in np.ravel(blobs[name]):
            yield name, float(value)


def output_lines(which: str, values: Iterable[tuple[str, float]], weights: Mapping[str, float]) -> Iterator[str]:
    """``    Train net output #1: loss = 2.3 (* 1 = 2.3 loss)``, a line for each number."""
    for i, (name, value) in enumerate(values):
        yield f"    {which} net output #{i}: {name} = {number(value)}{weighted(name, value, weights)}"


def weighted(name: str, value: float, weights: Mapping[str, float]) -> str:
    """What an output counts for in the total loss: `` (* 1 = 2.3 loss)``; nothing for one that is no loss."""
    weight = weights.get(name, 0)
    return f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
