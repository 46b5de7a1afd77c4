"""Timing contenders side by side in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp, log
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

Step = Callable[[], object]
Times = dict[str, list[float]]


def interleave(
    contenders: Mapping[str, Step], rounds: int, turn: float = 0.1, warm: float = 0.04, least: int = 1
) -> Times:
    """Seconds a step, one figure a round, for every contender in turn, the order rotated.

    Each turn starts with ``warm`` seconds that are not counted: thread pools of the one before go on
    spinning for some 30 ms and hold a core, and idle ones take as long to spread over the cores. A turn is of
    ``least`` steps or more.
    """
    names = list(contenders)
    times: Times = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            step = contenders[name]
            run_for(step, warm)
            times[name].append(run_for(step, turn, least))
    return times


def run_for(step: Step, seconds: float, least: int = 1) -> float:
    """Seconds a step, over as many steps as fit."""
    start, count = perf_counter(), 0
    while (elapsed := perf_counter() - start) < seconds or count < least:
        for _ in range(max(1, count // 4)):
            step()
        count += max(1, count // 4)
    return elapsed / count


def ratio(times: Times, peer: str, ours: str = "handbrew") -> float:
    """How many times faster ``ours`` is: the median over rounds of the ratio within a round."""
    return median(theirs / mine for theirs, mine in zip(times[peer], times[ours], strict=True))


def summarise(times: Times, ours: str = "handbrew") -> dict[str, Any]:
    """Median microseconds and ratios of all contenders, and the ratio to PyTorch's best way of those measured."""
    ratios = {name: ratio(times, name, ours) for name in times}
    torch = {name: value for name, value in ratios.items() if name.startswith("PyTorch")}
    best = min(torch, key=lambda name: torch[name])
    us = {name: 1e6 * median(seconds) for name, seconds in times.items()}
    return {"us": us, "ratios": ratios, "best": best, "ratio": torch[best]}


def geometric_mean(ratios: list[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


def check_equal(results: dict[str, Any], rtol: float, what: str) -> None:
    """Refuse to compare programs that do not compute the same.

    Raises
    ------
    SystemExit
        If they do not.
    """
    expected = np.asarray(results["handbrew"])
    for name, found in results.items():
        if not np.allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max()):
            raise SystemExit(f"{what}: {name} and handbrew differ: {found} and {expected}")
