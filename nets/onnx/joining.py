"""Layers that put arrays together, cut them up, or repeat them, along any axis."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers, is_float, reduced


class OnnxConcat(OnnxLayer):
    """y = [x1, x2, …] along ``axis``, which may be 0;  dx_i = the part of dy that came from x_i."""

    backward_uses = ()

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *inputs: Array) -> Array:
        c = self.cache
        (c.axis,) = counted((self.axis,), inputs[0].ndim, self.where)
        rest = {(*x.shape[: c.axis], *x.shape[c.axis + 1 :], x.ndim) for x in inputs}
        if len(rest) > 1:
            told = ", ".join(str(x.shape) for x in inputs)
            raise ShapeError(f"{self.where}: expected inputs that differ on axis {self.axis} only, got {told}")
        *c.ends, size = accumulate(x.shape[c.axis] for x in inputs)
        distinct = {id(x): x for x in inputs}.values()
        self.allow((*inputs[0].shape[: c.axis], size, *inputs[0].shape[c.axis + 1 :]), *distinct)
        return np.concatenate(inputs, c.axis)

    def backward(self, dy: Array) -> Any:
        if dy.dtype.kind != "f":
            return (None,) * (len(self.cache.ends) + 1) if self.cache.ends else None
        parts = tuple(np.split(dy, self.cache.ends, self.cache.axis))
        return parts if len(parts) > 1 else parts[0]

    def flops(self) -> int:
        return 0


class OnnxSplit(OnnxLayer):
    """y1, y2, … = x cut along ``axis``, which may be 0;  dx = [dy1, dy2, …] along it.

    Parameters
    ----------
    axis : int
    parts : int
        How many; they are of equal size, the last one smaller if it has to be.
    sizes : sequence of int, optional
        Those of the parts, instead; or a second input.

    Raises
    ------
    ShapeError
        If the sizes do not add up to the input's.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, axis: int, parts: int, sizes: Any = None) -> None:
        self.axis, self.parts, self.sizes = axis, parts, None if sizes is None else integers(sizes)

    def forward(self, x: Array, split: Array | None = None) -> Any:
        c = self.cache
        (c.axis,) = counted((self.axis,), x.ndim, self.where)
        c.given, c.float = split is not None, is_float(x)
        size = x.shape[c.axis]
        sizes = self.sizes if split is None else integers(split)
        if sizes is None:
            part = -(-size // self.parts)
            sizes = tuple(max(0, min(part, size - i * part)) for i in range(self.parts))
        if sum(sizes) != size or min(sizes, default=0) < 0 or len(sizes) != self.parts:
            raise ShapeError(
                f"{self.where}: expected {self.parts} sizes that add up to {size} on axis {self.axis}, got {sizes}"
            )
        parts = tuple(np.split(x, [*accumulate(sizes)][:-1], c.axis))
        return parts if len(parts) > 1 else parts[0]

    def backward(self, dys: Any) -> Any:
        c = self.cache
        dx = None
        if c.float:
            dx = np.concatenate(dys, c.axis) if isinstance(dys, tuple) else dys
        return (dx, None) if c.given else dx

    def flops(self) -> int:
        return 0


class OnnxTile(OnnxLayer):
    """y = x repeated so many times along each axis;  dx = the sum of dy over the copies.

    ``repeats``, one number for each axis, are given here or as a second input.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, repeats: Any = None) -> None:
        self.repeats = None if repeats is None else integers(repeats)

    def forward(self, x: Array, repeats: Array | None = None) -> Array:
        c = self.cache
        times = self.repeats if repeats is None else integers(repeats)
        if times is None or len(times) != x.ndim or min(times, default=0) < 0:
            raise ShapeError(f"{self.where}: expected a number of repeats for each axis of {x.shape}, got {times}")
        self.allow([n * t for n, t in zip(x.shape, times, strict=True)], x)
        c.shape, c.times, c.given = x.shape, times, repeats is not None
        return np.tile(x, times)

    def backward(self, dy: Array) -> Any:
        c, dx = self.cache, None
        if dy.dtype.kind == "f":
            pairs = [n for pair in zip(c.times, c.shape, strict=True) for n in pair]
            dx = dy.reshape(pairs).sum(axis=tuple(range(0, 2 * len(c.shape), 2)))
        return (dx, None) if c.given else dx


class OnnxExpand(OnnxLayer):
    """y = x broadcast against a shape, given here or as a second input;  dx = the sum of dy over the copies."""

    backward_uses = ()
    shaped_by = 1

    def __init__(self, shape: Any = None) -> None:
        self.shape = None if shape is None else integers(shape)

    def forward(self, x: Array, shape: Array | None = None) -> Array:
        c = self.cache
        wanted = self.shape if shape is None else integers(shape)
        if wanted is None:
            raise ShapeError(f"{self.where}: expected a second input, the shape")
        c.shape, c.given = x.shape, shape is not None
        sizes = self.broadcast(x.shape, wanted)
        self.allow(sizes, x)
        return np.broadcast_to(x, sizes)

    def backward(self, dy: Array) -> Any:
        dx = reduced(dy, self.cache.shape) if dy.dtype.kind == "f" else None
        return (dx, None) if self.cache.given else dx
