"""Layers that pick elements by their indices, or put them where their indices say."""

from __future__ import annotations

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted


class OnnxGather(OnnxLayer):
    """y = x[…, indices, …] along ``axis``;  dx[…, i, …] = the sum of dy over the places where i was taken.

    The second input holds the indices, any array of integers; negative ones count from the end. With ``along`` they
    have as many axes as x, and each picks from its own line: y[i, j] = x[index[i, j], j] for axis 0
    [ONNX: GatherElements].

    Raises
    ------
    ShapeError
        If an index is out of range.
    """

    backward_uses = ()

    def __init__(self, axis: int = 0, along: bool = False) -> None:
        self.axis, self.along = axis, along

    def forward(self, x: Array, indices: Array) -> Array:
        c = self.cache
        (at,) = counted((self.axis,), x.ndim, self.where)
        found = _from_front(indices, x.shape[at], self.where)
        if self.along:
            c.index = _along(found, at)
        else:
            self.allow((*x.shape[:at], *found.shape, *x.shape[at + 1 :]), x, found)
            c.index = (slice(None),) * at + (found,)
        c.shape = x.shape
        return np.asarray(x[c.index])

    def backward(self, dy: Array) -> tuple[Array | None, None]:
        c = self.cache
        if dy.dtype.kind != "f":
            return None, None
        dx = np.zeros_like(dy, shape=c.shape)
        np.add.at(dx, c.index, dy)
        return dx, None

    def flops(self) -> int:
        return 0


class OnnxScatter(OnnxLayer):
    """y = x with the updates, the third input, put to y[index[i, j], j] for axis 0  [ONNX: ScatterElements].

    dx = dy where nothing was put, else 0; the updates get dy from where they were put. Of several put to one place the
    last stays, and it alone gets the gradient.

    Raises
    ------
    ShapeError
        If an index is out of range.
    """

    backward_uses = ()

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Array, indices: Array, updates: Array) -> Array:
        c = self.cache
        (at,) = counted((self.axis,), x.ndim, self.where)
        if indices.ndim != x.ndim or indices.shape != updates.shape:
            raise ShapeError(f"{self.where}: indices of {indices.shape} do not fit {x.shape} and {updates.shape}")
        c.index = _along(_from_front(indices, x.shape[at], self.where), at)
        y = x.copy()
        y[c.index] = updates
        c.shape = updates.shape
        return y

    def backward(self, dy: Array) -> tuple[Array | None, None, Array | None]:
        c = self.cache
        if dy.dtype.kind != "f":
            return None, None, None
        mine = np.arange(int(np.prod(c.shape))).reshape(c.shape)
        owner = np.zeros(dy.shape, np.intp)
        owner[c.index] = mine
        dx = dy.copy()
        dx[c.index] = 0
        return dx, None, dy[c.index] * (owner[c.index] == mine)

    def flops(self) -> int:
        return 0


def _from_front(indices: Array, size: int, where: str) -> Array:
    """Indices counted from the front, checked."""
    if indices.dtype.kind not in "iu":
        raise ShapeError(f"{where}: expected integers as indices, got {indices.dtype}")
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise ShapeError(
            f"{where}: expected indices below the {size} elements of the axis, got {indices.min()} to {indices.max()}"
        )
    return np.where(indices < 0, indices + size, indices)


def _along(indices: Array, axis: int) -> tuple[Array, ...]:
    """An index for each axis: those given for one, and the place of each of them for the others."""
    places = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    places[axis] = indices
    return tuple(places)
