"""Layers that give an array another shape."""

from __future__ import annotations

import math
from typing import Any

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers


class _Reshaping(OnnxLayer):
    """y = x in another shape, which a subclass tells,  dx = dy in x's; a second input may say which."""

    backward_uses = ()
    shaped_by = 1

    def forward(self, x: Array, extra: Array | None = None) -> Array:
        self.cache.shape, self.cache.given = x.shape, extra is not None
        return x.reshape(self.new_shape(x.shape, None if extra is None else integers(extra)))

    def backward(self, dy: Array) -> Any:
        dx = dy.reshape(self.cache.shape) if dy.dtype.kind == "f" else None
        return (dx, None) if self.cache.given else dx

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        raise NotImplementedError

    def flops(self) -> int:
        return 0


class OnnxIdentity(_Reshaping):
    """y = x,  dx = dy."""

    batch_coupled = False

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        return shape


class OnnxReshape(_Reshaping):
    """y = x in the given shape, axis 0 included;  dx = dy in x's.

    Parameters
    ----------
    shape : sequence of int, optional
        One -1 stands for whatever is left; a 0 copies the input's axis in that place. Without it, it is a second
        input.
    allowzero : bool
        A 0 is a size of 0.

    Raises
    ------
    ShapeError
        If the shape does not hold the input's elements.
    """

    def __init__(self, shape: Any = None, allowzero: bool = False) -> None:
        self.shape, self.allowzero = None if shape is None else integers(shape), allowzero

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        wanted = self.shape if extra is None else extra
        if wanted is None:
            raise ShapeError(f"{self.where}: expected a second input, the shape")
        there = dict(enumerate(shape))
        sizes = [n if n or self.allowzero else there.get(axis, 0) for axis, n in enumerate(wanted)]
        known = math.prod(n for n in sizes if n != -1)
        found = tuple(math.prod(shape) // max(known, 1) if n == -1 else n for n in sizes)
        if math.prod(found) != math.prod(shape) or sizes.count(-1) > 1 or min(found, default=0) < 0:
            raise ShapeError(f"{self.where}: an input of shape {shape} cannot take the shape {wanted}")
        return found


class OnnxFlatten(_Reshaping):
    """y = x as a matrix: the axes before ``axis`` are its rows, the others its columns;  dx = dy in x's shape."""

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        at = self.axis + len(shape) if self.axis < 0 else self.axis
        if not 0 <= at <= len(shape):
            raise ShapeError(f"{self.where}: expected an axis {self.axis}, got input of shape {shape}")
        return math.prod(shape[:at]), math.prod(shape[at:])


class OnnxSqueeze(_Reshaping):
    """y = x without some axes of size 1: those given here or as a second input, or all;  dx = dy in x's shape.

    Raises
    ------
    ShapeError
        If one of the axes is of another size.
    """

    def __init__(self, axes: Any = None) -> None:
        self.axes = None if axes is None else integers(axes)

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        given = self.axes if extra is None else extra
        ones = [axis for axis, n in enumerate(shape) if n == 1]
        axes = ones if given is None else counted(given, len(shape), self.where)
        if any(shape[axis] != 1 for axis in axes):
            raise ShapeError(f"{self.where}: expected axes of size 1, {tuple(axes)}, got input of shape {shape}")
        return tuple(n for axis, n in enumerate(shape) if axis not in axes)


class OnnxUnsqueeze(_Reshaping):
    """y = x with axes of size 1 put in, at the places that they have in y;  dx = dy in x's shape.

    The axes are given here or as a second input.
    """

    def __init__(self, axes: Any = None) -> None:
        self.axes = None if axes is None else integers(axes)

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        given = self.axes if extra is None else extra
        if given is None:
            raise ShapeError(f"{self.where}: expected a second input, the axes")
        ndim = len(shape) + len(given)
        axes, left = counted(given, ndim, self.where), iter(shape)
        return tuple(1 if axis in axes else next(left) for axis in range(ndim))
