"""Layers that give an array another shape, or its axes another order, and keep all elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import ShapeError
from .layer import Layer, Shape
from .param import Array


class _Reshaping(Layer):
    """y = x in another shape, dx = dy in x's; ``build`` says which shape, so it is all a subclass defines.

    Sizes may change from batch to batch.
    """

    backward_uses = ()

    def new_shape(self, in_shape: Shape) -> Shape:
        raise NotImplementedError

    def build(self, in_shape: Any) -> Any:
        return self.new_shape(in_shape)

    def forward(self, x: Array) -> Array:
        self.cache.shape = x.shape
        return x.reshape(x.shape[0], *self.new_shape(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.cache.shape)

    def flops(self) -> int:
        return 0


class Flatten(_Reshaping):
    """y = x with the axes from ``axis`` to ``end_axis`` (included) made one;  dx = dy in x's shape.

    The last axis varies fastest: y[n, c H W + h W + w] = x[n, c, h, w] for images. Negative axes count
    from the end. The batch's axis 0 stays.

    Raises
    ------
    ShapeError
        If the input has no such axes, or they include axis 0.
    """

    def __init__(self, axis: int = 1, end_axis: int = -1) -> None:
        self.axis, self.end_axis = axis, end_axis

    def new_shape(self, in_shape: Shape) -> Shape:
        ndim = 1 + len(in_shape)
        first, last = (a + ndim if a < 0 else a for a in (self.axis, self.end_axis))
        if not 1 <= first <= last < ndim:
            raise ShapeError(
                f"{self.where}: expected axes {self.axis} to {self.end_axis} beyond the batch's axis 0, "
                f"got input of shape {in_shape} without the batch axis"
            )
        return (*in_shape[: first - 1], math.prod(in_shape[first - 1 : last]), *in_shape[last:])


class Reshape(_Reshaping):
    """y = x in the given shape, the batch axis left out;  dx = dy in x's shape.

    ``Reshape(3, -1)``: one -1 stands for whatever is left. A 0 copies the input's axis in that place, as
    in Caffe: ``Reshape(0, -1)`` makes (N, C, H, W) to (N, C, H W).

    Raises
    ------
    ShapeError
        If the shape has a second -1 or another negative number, or does not hold the input's elements.
    """

    def __init__(self, *shape: int) -> None:
        if not all(isinstance(n, (int, np.integer)) and n >= -1 for n in shape) or shape.count(-1) > 1:
            raise ShapeError(f"Reshape: expected sizes, as in Reshape(3, 8, -1), with at most one -1; got {shape}")
        self.shape = tuple(map(int, shape))

    def new_shape(self, in_shape: Shape) -> Shape:
        there = dict(enumerate(in_shape))
        sizes = [n or there.get(axis, 0) for axis, n in enumerate(self.shape)]
        size, known = math.prod(in_shape), math.prod(n for n in sizes if n != -1)
        rest = size // known if known else 0
        shape = tuple(rest if n == -1 else n for n in sizes)
        if math.prod(shape) != size:
            raise ShapeError(
                f"{self.where}: expected {size} elements as in the input's shape {in_shape}, "
                f"got {self.shape} (both without the batch axis)"
            )
        return shape


class Transpose(Layer):
    """y = x with its axes in the given order, the batch's first;  dx = dy with its axes put back.

    ``Transpose(2, 3, 1)`` makes images (N, C, H, W) to (N, H, W, C). y and dx are views.

    Raises
    ------
    ShapeError
        If the axes are not 1 to the number of a sample's axes, each once.
    """

    backward_uses = ()

    def __init__(self, *axes: int) -> None:
        if sorted(axes) != list(range(1, 1 + len(axes))) or not axes:
            raise ShapeError(
                f"Transpose: expected the sample's axes in their new order, each once, as in Transpose(2, 3, 1); "
                f"the batch's axis 0 stays first; got {axes}"
            )
        self.axes = axes

    def build(self, in_shape: Any) -> Any:
        self._check(in_shape)
        return tuple(in_shape[axis - 1] for axis in self.axes)

    def forward(self, x: Array) -> Array:
        self._check(x.shape[1:])
        return x.transpose(0, *self.axes)

    def backward(self, dy: Array) -> Array:
        return dy.transpose(0, *(1 + self.axes.index(axis) for axis in range(1, dy.ndim)))

    def flops(self) -> int:
        return 0

    def _check(self, in_shape: Shape) -> None:
        if len(in_shape) != len(self.axes):
            raise ShapeError(
                f"{self.where}: expected a sample of {len(self.axes)} axes, got {in_shape} without the batch axis"
            )
