"""Where a training step's time goes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .table import table

if TYPE_CHECKING:
    from .net import Net


class ProfileRow(NamedTuple):
    """Median seconds that one layer takes, forward and backward."""

    name: str
    kind: str
    forward: float
    backward: float


class Profile(tuple[ProfileRow, ...]):
    """The rows, one a layer; printed, a table in microseconds with each layer's share."""

    __slots__ = ()

    def __str__(self) -> str:
        whole = sum(r.forward + r.backward for r in self) or 1.0
        lines = [(r.name, r.kind, r.forward, r.backward) for r in self]
        lines.append(("total", "", sum(r.forward for r in self), sum(r.backward for r in self)))
        rows = [
            (name, kind, f"{1e6 * f:.1f}", f"{1e6 * b:.1f}", f"{100 * (f + b) / whole:.0f} %")
            for name, kind, f, b in lines
        ]
        return table(("layer", "class", "forward us", "backward us", "share"), rows, left=2)


def profile(net: Net, x: Any, y: Any, repeats: int) -> Profile:
    """Time every layer in whole forward and backward passes, on a copy of ``net``: it stays as it is."""
    net = copy.deepcopy(net)
    given = *net.samples(x), y
    output = net.forward(*given)  # builds, and takes the first-time hooks away
    dy = None if net.takes_target and y is not None else _ones(output)
    times: dict[tuple[str, str], list[float]] = {}
    for name, layer in net.children.items():
        for verb in ("forward", "backward"):
            vars(layer)[verb] = timed_calls(getattr(layer, verb), times.setdefault((name, verb), []))
    for _ in range(repeats):
        net.forward(*given)
        net.backward(dy)
    return Profile(
        ProfileRow(name, type(layer).__name__, _median(times[name, "forward"]), _median(times[name, "backward"]))
        for name, layer in net.children.items()
    )


def _ones(output: Any) -> Any:
    return tuple(map(_ones, output)) if isinstance(output, tuple) else np.ones_like(output)


def timed_calls(method: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The method, which notes how long each call takes."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        result = method(*args, **kwargs)
        seconds.append(perf_counter() - start)
        return result

    return timed


def _median(seconds: list[float]) -> float:
    return median(seconds) if seconds else 0.0
