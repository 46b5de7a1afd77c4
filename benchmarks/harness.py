"""Timing contenders side by side in one process."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

Step = Callable[[], object]


def interleave(
    contenders: dict[str, Step], rounds: int, turn: float = 0.1, warm: float = 0.04
) -> dict[str, list[float]]:
    """Seconds a step, one figure a round, for every contender in turn, the order rotated.

    Each turn starts with ``warm`` seconds that are not counted: thread pools of the one before go on
    spinning for some 30 ms and hold a core, and idle ones take as long to spread over the cores.
    """
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            step = contenders[name]
            run_for(step, warm)
            times[name].append(run_for(step, turn))
    return times


def run_for(step: Step, seconds: float) -> float:
    """Seconds a step, over as many steps as fit."""
    start, count = perf_counter(), 0
    while (elapsed := perf_counter() - start) < seconds:
        for _ in range(max(1, count // 4)):
            step()
        count += max(1, count // 4)
    return elapsed / count


def ratio(times: dict[str, list[float]], peer: str, ours: str = "handbrew") -> float:
    """How many times faster ``ours`` is: the median over rounds of the ratio within a round."""
    return median(theirs / mine for theirs, mine in zip(times[peer], times[ours], strict=True))
