"""Boxes cut out of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from ._images import check_gradient
from .errors import ShapeError
from .layer import Layer, Shape
from .param import Array


class Crop(Layer):
    """y = a box cut out of x;  dx = dy in the box, 0 around it.

    The box starts at ``offset`` and has the given ``size`` on ``axis`` and all later ones, each a single
    number or one for each of these axes: ``Crop(24, offset=(2, 4))`` for images. Without a size it is
    taken from a second input, ``forward(x, reference)``, whose gradient is 0 [Caffe: Crop]. y is a view.

    Long et al., "Fully Convolutional Networks for Semantic Segmentation", 2015, crop so.

    Raises
    ------
    ShapeError
        If the axis is not there, the box reaches beyond x, or the reference has other axes than x.
    """

    backward_uses = ()

    def __init__(self, size: int | Sequence[int] | None = None, offset: int | Sequence[int] = 0, axis: int = 2) -> None:
        refuse_batch_axis("Crop", axis)
        self.size, self.offset, self.axis = size, offset, axis

    def build(self, in_shape: Any) -> Any:
        two = bool(in_shape) and isinstance(in_shape[0], tuple)
        box = self._box(*in_shape) if two else self._box(in_shape)
        shape = in_shape[0] if two else in_shape
        return (*shape[: len(shape) - len(box)], *(part.stop - part.start for part in box))

    def forward(self, x: Array, reference: Array | None = None) -> Array:
        c = self.cache
        c.reference, c.shape = None, x.shape
        if reference is None:
            c.part = (..., *self._box(x.shape[1:]))
        else:
            c.part = (..., *self._box(x.shape[1:], reference.shape[1:]))
            c.reference = reference.shape, reference.dtype
        y = x[c.part]
        c.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Array | tuple[Array, Array | None]:
        c = self.cache
        check_gradient(self.where, dy, c.y_shape)
        dx = np.zeros_like(dy, shape=c.shape)
        dx[c.part] = dy
        if c.reference is None:
            return dx
        shape, dtype = c.reference
        return dx, np.zeros(shape, dtype) if dtype.kind == "f" else None

    def flops(self) -> int:
        return 0

    def _box(self, shape: Shape, reference: Shape | None = None) -> tuple[slice, ...]:
        """The stretch of each axis from ``axis`` on."""
        if (self.size is None) == (reference is None):
            raise ShapeError(
                f"{self.where}: expected a size, as in Crop(24), or a reference as the second input, "
                f"got {'neither' if reference is None else 'both'}"
            )
        from_axis = axis_of(self.where, self.axis, shape) - 1
        count = len(shape) - from_axis
        sizes = self._each("size", self.size, count) if reference is None else tuple(reference[from_axis:])
        starts = self._each("offset", self.offset, count)
        stretches = zip(starts, sizes, shape[from_axis:], strict=False)
        if len(sizes) != count or not all(0 <= a < a + n <= whole for a, n, whole in stretches):
            raise ShapeError(
                f"{self.where}: expected a box inside {shape[from_axis:]}, the input's shape from axis {self.axis} on, "
                f"got one of size {sizes} at offset {starts}"
            )
        return tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))

    def _each(self, name: str, value: Any, count: int) -> tuple[int, ...]:
        values = value if isinstance(value, (Sequence, np.ndarray)) else (value,) * count
        if len(values) != count or not all(isinstance(n, (int, np.integer)) for n in values):
            raise ShapeError(
                f"{self.where}: {name}: expected one number, or {count}, one for each axis from {self.axis} on; "
                f"got {value}"
            )
        return tuple(map(int, values))
