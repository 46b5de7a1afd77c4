"""Layers that take a part of an array along one axis, or all its parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index
from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from ._images import check_gradient
from .errors import ShapeError
from .layer import Layer, Shape
from .param import Array


class Slice(Layer):
    """y = x from ``start`` to ``stop`` (not included) along ``axis``;  dx = dy there, 0 elsewhere.

    As in Python, negative numbers count from the end, and a ``stop`` of ``None`` is the end. But what is
    not there is an error. y is a view. ``Split`` gives all parts at once, as Caffe's Slice does.

    Raises
    ------
    ShapeError
        If the input has no such axis, or the axis no such stretch.
    """

    backward_uses = ()

    def __init__(self, start: int, stop: int | None, axis: int = 1) -> None:
        refuse_batch_axis("Slice", axis)
        if not _integers([start] if stop is None else [start, stop]):
            raise ShapeError(
                f"Slice: expected integers, or None as the end, got start={start!r:.40} and stop={stop!r:.40}"
            )
        self.start, self.stop, self.axis = start, stop, axis

    def build(self, in_shape: Any) -> Any:
        at, start, stop = self._stretch(in_shape)
        return (*in_shape[: at - 1], stop - start, *in_shape[at:])

    def forward(self, x: Array) -> Array:
        at, start, stop = self._stretch(x.shape[1:])
        c = self.cache
        c.shape, c.part = x.shape, (slice(None),) * at + (slice(start, stop),)
        y = x[c.part]
        c.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        check_gradient(self.where, dy, self.cache.y_shape)
        dx = np.zeros_like(dy, shape=self.cache.shape)  # which lies in memory as dy does
        dx[self.cache.part] = dy
        return dx

    def flops(self) -> int:
        return 0

    def _stretch(self, in_shape: Shape) -> tuple[int, int, int]:
        at = axis_of(self.where, self.axis, in_shape)
        size = in_shape[at - 1]
        ends = index(self.start), size if self.stop is None else index(self.stop)
        start, stop = (n + size if n < 0 else n for n in ends)
        if not 0 <= start < stop <= size:
            raise ShapeError(
                f"{self.where}: expected 0 <= start < stop <= {size}, the size of axis {self.axis}, "
                f"got start {self.start} and stop {self.stop}"
            )
        return at, start, stop


class Split(Layer):
    """y1, y2, … = x cut along ``axis``;  dx = [dy1, dy2, …] along it  [Caffe: Slice]. ``Concat`` undoes it.

    ``Split(2)`` makes equal parts; ``Split(points=(1, 3))`` cuts before these indices, into three parts:
    [0, 1), [1, 3) and the rest. The outputs are views. (Caffe's own Split copies a blob for several
    readers; here they all read the one array.)

    Raises
    ------
    ShapeError
        If the axis is not there, does not divide by the number of parts or holds no such points.
    """

    backward_uses = ()

    def __init__(self, parts: int | None = None, points: Sequence[int] = (), axis: int = 1) -> None:
        refuse_batch_axis("Split", axis)
        self.parts, self.points, self.axis = parts, points, axis
        one = _integers(points) and (parts is None) == (len(points) > 0)
        if not one or not (parts is None or (_integers([parts]) and parts > 1)):
            raise ShapeError(
                f"Split: expected 2 equal parts or more, as in Split(2), or points=(…) to cut at; "
                f"got parts={parts!r:.40}, points={points!r:.40}"
            )

    def build(self, in_shape: Any) -> Any:
        at, cuts = self._cuts(in_shape)
        return tuple((*in_shape[: at - 1], stop - start, *in_shape[at:]) for start, stop in pairwise(cuts))

    def forward(self, x: Array) -> tuple[Array, ...]:
        at, cuts = self._cuts(x.shape[1:])
        ys = tuple(np.split(x, cuts[1:-1], at))
        self.cache.axis, self.cache.y_shapes = at, [y.shape for y in ys]
        return ys

    def backward(self, dys: tuple[Array, ...]) -> Array:
        for dy, shape in zip(dys, self.cache.y_shapes, strict=True):
            check_gradient(self.where, dy, shape)
        return np.concatenate(dys, self.cache.axis)

    def flops(self) -> int:
        return 0

    def _cuts(self, in_shape: Shape) -> tuple[int, list[int]]:
        """The axis, and on it where each part starts, and the end."""
        at = axis_of(self.where, self.axis, in_shape)
        size = in_shape[at - 1]
        parts = None if self.parts is None else index(self.parts)
        if parts is not None and size % parts:
            raise ShapeError(
                f"{self.where}: expected a size that divides into {parts} equal parts on axis {self.axis}, "
                f"got {size}; or say where to cut, points=(…)"
            )
        points = map(index, self.points) if parts is None else range(size // parts, size, max(size // parts, 1))
        cuts = [0, *points, size]
        if any(a >= b for a, b in pairwise(cuts)):
            raise ShapeError(
                f"{self.where}: expected rising points inside axis {self.axis}, from 1 to {size - 1}, got {self.points}"
            )
        return at, cuts


def _integers(values: Any) -> bool:
    """Whether these are integers, Python's or NumPy's, each of them."""
    return isinstance(values, (Sequence, np.ndarray)) and all(isinstance(n, (int, np.integer)) for n in values)
