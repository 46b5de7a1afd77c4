"""``OnnxSlice``: parts of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers


class OnnxSlice(OnnxLayer):
    """y = x[start:stop:step] along some axes, as in Python, backwards too;  dx = dy there, 0 elsewhere.

    What is not given here is a further input: starts, stops, axes, steps, of which the last two may be empty.

    Parameters
    ----------
    starts, stops : sequence of int
    axes : sequence of int, optional
        The first ones, unless given.
    steps : sequence of int, optional
        All 1, unless given.

    Raises
    ------
    ShapeError
        If an axis is not there, or a step is 0.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, starts: Any = None, stops: Any = None, axes: Any = None, steps: Any = None) -> None:
        self.starts, self.stops = (None if v is None else integers(v) for v in (starts, stops))
        self.axes, self.steps = (None if v is None else integers(v) for v in (axes, steps))

    def forward(self, x: Array, *given: Array) -> Array:
        c = self.cache
        starts, stops, axes, steps = (
            (integers(a) if a.size else None for a in (*given, *[np.zeros(0, int)] * 2)[:4])
            if given
            else (self.starts, self.stops, self.axes, self.steps)
        )
        starts, stops = starts or (), stops or ()
        axes = counted(range(len(starts)) if axes is None else axes, x.ndim, self.where)
        steps = (1,) * len(starts) if steps is None else steps
        if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
            raise ShapeError(
                f"{self.where}: expected a start, a stop and a step other than 0 for each axis, "
                f"got {starts}, {stops}, {axes}, {steps}"
            )
        part = [slice(None)] * x.ndim
        for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
            part[axis] = _slice(start, stop, step, x.shape[axis])
        c.shape, c.part, c.given = x.shape, tuple(part), len(given)
        return x[c.part]

    def backward(self, dy: Array) -> Any:
        c, dx = self.cache, None
        if dy.dtype.kind == "f":
            dx = np.zeros_like(dy, shape=c.shape)
            dx[c.part] = dy
        return (dx, *(None,) * c.given) if c.given else dx

    def flops(self) -> int:
        return 0


def _slice(start: int, stop: int, step: int, size: int) -> slice:
    """ONNX's stop: far below 0, going backwards, is beyond the first element, where Python's None is."""
    if step < 0 and stop < -size:
        return slice(start, None, step)
    return slice(start, stop, step)
