"""``OnnxPad``: a border around an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers


class OnnxPad(OnnxLayer):
    """y = x with a border;  dx = dy inside, and what the border repeats gets the border's gradient too.

    What is not given here is a further input: pads, value, axes, of which the last two may be empty.

    Parameters
    ----------
    pads : sequence of int
        Of all axes before, then of all axes after; a negative one cuts off.
    mode : "constant", "edge", "reflect" or "wrap"
        What the border holds: ``value``; the nearest element; what lies as far inside; what comes from the other end.
    value : float
    axes : sequence of int, optional
        Those that the pads belong to; all, unless given.

    Raises
    ------
    ShapeError
        If the pads are not two for each axis, or nothing is there to repeat.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, pads: Any = None, mode: str = "constant", value: float = 0.0, axes: Any = None) -> None:
        if mode not in ("constant", "edge", "reflect", "wrap"):
            raise ValueError(f'OnnxPad: mode: expected "constant", "edge", "reflect" or "wrap", got {mode!r:.40}')
        self.pads, self.axes = (None if v is None else integers(v) for v in (pads, axes))
        self.mode, self.value = mode, value

    def forward(self, x: Array, *given: Array) -> Array:
        c = self.cache
        pads, value, axes = self.pads or (), self.value, self.axes
        if given:
            pads = integers(given[0])
            value = given[1].reshape(-1)[0] if len(given) > 1 and given[1].size else self.value
            axes = integers(given[2]) if len(given) > 2 and given[2].size else None
        at = counted(range(x.ndim) if axes is None else axes, x.ndim, self.where)
        if len(pads) != 2 * len(at):
            raise ShapeError(f"{self.where}: expected two pads for each of the axes {at}, got {pads}")
        widths = {axis: (pads[i], pads[i + len(at)]) for i, axis in enumerate(at)}
        self.allow([max(0, n + sum(widths.get(axis, (0, 0)))) for axis, n in enumerate(x.shape)], x)
        c.given, c.steps = len(given), []
        for axis, (before, after) in widths.items():
            source, inside = self._sources(before, after, x.shape[axis])
            c.steps.append((axis, source, inside, x.shape))
            x = x.take(source, axis)
            if not inside.all():
                x[(slice(None),) * axis + (~inside,)] = value
        return x

    def backward(self, dy: Array) -> Any:
        c, dx = self.cache, None
        if dy.dtype.kind == "f":
            dx = dy
            for axis, source, inside, shape in reversed(c.steps):
                part, dx = dx, np.zeros_like(dy, shape=shape)
                at = (slice(None),) * axis
                np.add.at(dx, (*at, source[inside]), part[(*at, inside)])
        return (dx, *(None,) * c.given) if c.given else dx

    def flops(self) -> int:
        return 0

    def _sources(self, before: int, after: int, size: int) -> tuple[Array, Array]:
        """Where each element of y comes from along an axis, and which of them come from anywhere."""
        place = np.arange(-before, max(size + after, -before))
        inside = (place >= 0) & (place < size)
        if not size and (len(place) or self.mode != "constant"):
            raise ShapeError(f"{self.where}: there is nothing to put a border around: an axis of size 0")
        if self.mode == "constant":
            return place.clip(0, size - 1), inside
        if self.mode == "edge":
            place = place.clip(0, size - 1)
        elif self.mode == "wrap":
            place %= size
        else:
            place = abs((place + size - 1) % max(1, 2 * (size - 1)) - (size - 1))
        return place, np.ones(len(place), bool)
