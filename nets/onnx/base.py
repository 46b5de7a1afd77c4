"""What the layers for ONNX operators have in common."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import Layer, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
LARGE, ENLARGED = 2**26, 64


class OnnxLayer(Layer):
    """Base of layers that do what an ONNX operator does: axis 0 is an axis like any other.

    So ``build`` cannot tell the output's shape, which is found out at the first ``forward``. What is an input of
    the operator but no data (a shape, axes, indices) is an argument of the layer where it is known beforehand, and
    a further input where it is not.
    """

    batch_coupled = True
    most: int | None = None  # elements that may be made at all, whatever the inputs' size
    shaped_by: int | None = None  # the first of the inputs whose values, not only shapes, decide the output's shape

    @property
    def shapes_vary(self) -> bool:  # type: ignore[override]
        """Whether it makes no arrays, so that no size binds it."""
        return self.builds_nothing

    def flops(self) -> int:
        """One for each element of the outputs."""
        shapes = self.out_shape or ()
        several = bool(shapes) and isinstance(shapes[0], tuple)
        return sum(math.prod(shape) for shape in shapes) if several else math.prod(shapes)

    def broadcast(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that arrays of these shapes have together.

        Raises
        ------
        ShapeError
            If they do not fit.
        """
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            told = ", ".join(map(str, shapes))
            raise ShapeError(f"{self.where}: expected shapes that broadcast against each other, got {told}") from None

    def allow(self, shape: Any, *inputs: Array) -> None:
        """Refuse to make very much out of little, before it is made.

        Raises
        ------
        ShapeError
            For more than 2^26 elements, and more than 64 times as many as there are in the inputs; or more than
            ``most``.
        """
        size = math.prod(map(int, shape))
        most = max(LARGE, ENLARGED * sum(x.size for x in inputs)) if self.most is None else self.most
        if size > most:
            raise ShapeError(f"{self.where}: would make {size:,} elements, {tuple(shape)}, of a few; is it damaged?")


def reduced(dy: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of what was broadcast to ``dy``'s shape from ``shape``: the sum over its copies."""
    if dy.shape == shape:
        return dy
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    stretched = tuple(axis for axis, n in enumerate(shape) if n == 1 and dy.shape[axis] != 1)
    return dy.sum(axis=stretched, keepdims=True) if stretched else dy


def is_float(x: Any) -> bool:
    """Whether an input has a gradient."""
    return x.dtype.kind == "f"


def integers(x: Any) -> tuple[int, ...]:
    """A vector of integers, an argument's or a further input's, as a tuple."""
    return tuple(int(n) for n in np.asarray(x).reshape(-1))


def counted(axes: Any, ndim: int, where: str) -> tuple[int, ...]:
    """Axes counted from the front.

    Raises
    ------
    ShapeError
        If there is no such axis, or one is named twice.
    """
    found = tuple(axis + ndim if axis < 0 else axis for axis in integers(axes))
    if any(not 0 <= axis < ndim for axis in found) or len(set(found)) < len(found):
        raise ShapeError(f"{where}: expected axes of an input of {ndim} axes, each once, got {tuple(axes)}")
    return found
