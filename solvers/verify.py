"""Repeating steps of a training from its snapshots, to see whether the same bits come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.data import FileFormatError

from .history import TRAIL
from .snapshots import read_snapshot
from .training_state import restore_training, training_state

if TYPE_CHECKING:
    from .training import Training


Array = np.ndarray[Any, np.dtype[Any]]


class Verdict(NamedTuple):
    """What came out of repeating the steps after ``first`` up to ``last``.

    ``step`` is the first whose loss differs, and ``arrays`` are those that differ at the end, by path; both are
    empty where all bits are equal. ``whole`` says whether the last snapshot was reached, and arrays compared.
    """

    first: int
    last: int
    step: int | None
    arrays: list[str]
    whole: bool

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.step is None and not self.arrays

    def __str__(self) -> str:
        steps = f"steps {self.first + 1} to {self.last} repeated"
        if self.step is not None:
            return f"{steps}: the loss of step {self.step} is the first that differs"
        if self.arrays:
            return f"{steps}: the losses are equal, but not {', '.join(self.arrays[:10])}"
        return f"{steps}: all losses{', and all arrays at the end,' if self.whole else ''} are equal to the bit"


def verify(run: Training, steps: int) -> Verdict:
    """See ``Solver.verify``."""
    if steps < 1:
        raise ValueError(f"verify: expected at least 1 step, got {steps}")
    before, after = _last_two(run)
    run.snapshots = None  # none is written
    restore_training(run, before)
    first, end = run.step, int(after["step"])
    last = min(first + steps, end)
    run.history.losses.clear()
    run.advance(until=last)
    run.leave_if_asked()
    last = run.step  # a callback may have ended it
    if last == end and run.epoch < after["epoch"]:
        run.close_epoch()
    on_record = dict(zip(range(end, 0, -1), reversed(after["history"]["losses"].tolist()), strict=False))
    again = dict(zip(range(last, first, -1), reversed(run.history.losses), strict=False))
    both = sorted(on_record.keys() & again.keys())
    if not both and last < end:
        raise ValueError(
            f"verify: the losses of steps {first + 1} to {last} are on no record, which holds the last {TRAIL:,}; "
            f"repeat all {end - first:,} up to the last snapshot, or take snapshots more often"
        )
    differ = [step for step in both if on_record[step] != again[step]]
    arrays = [] if last < end else _differing(training_state(run, []), after)
    return Verdict(first, last, differ[0] if differ else None, arrays, last == end)


def _differing(mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    pairs = [(mine["net"]["arrays"], other["net"]["arrays"], "")]
    states, others = mine["solver"]["arrays"], other["solver"]["arrays"]
    pairs += [(states.get(path, {}), others.get(path, {}), f"{path}/") for path in states | others]
    return [
        prefix + name
        for a, b, prefix in pairs
        for name in a | b
        if name not in a or name not in b or not _same(a[name], b[name])
    ]


def _last_two(run: Training) -> list[dict[str, Any]]:
    """The last two snapshots that are whole, the older one first."""
    found, complaints = [], []
    for path in [] if run.snapshots is None else run.snapshots.paths()[::-1]:
        try:
            found.append(read_snapshot(path))
        except FileFormatError as error:
            complaints.append(str(error))
        if len(found) == 2:
            return found[::-1]
    text = "\n".join(("verify: needs two snapshots, one to begin with and one to compare with", *complaints))
    raise ValueError(text)


def _same(a: Array, b: Array) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
