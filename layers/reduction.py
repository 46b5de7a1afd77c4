"""Layers that sum over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from ._images import check_gradient
from .errors import ShapeError
from .layer import Layer
from .param import Array

OPERATIONS = ("sum", "mean", "abs_sum", "square_sum")


class Reduce(Layer):
    """y = s sum of f(x) over ``axis`` and all later axes,  dx = s dy f'(x)  [Caffe: Reduction].

    f(x) is x for the operations "sum" and "mean", abs(x) for "abs_sum" and x² for "square_sum"; f'(x) is
    1, sign(x) and 2 x. s is ``scale`` [Caffe: coeff], for "mean" divided by the number of elements that go
    into one sum. The batch's axis stays: a sum over samples is a loss.

    Raises
    ------
    ShapeError
        If the input has no such axis, or it is the batch's.
    """

    def __init__(self, operation: str = "sum", axis: int = 1, scale: float = 1.0) -> None:
        refuse_batch_axis("Reduce", axis)
        if operation not in OPERATIONS:
            raise ValueError(f"Reduce: operation: expected one of {', '.join(OPERATIONS)}, got {operation!r:.40}")
        self.operation, self.axis, self.scale = operation, axis, float(scale)

    @property
    def backward_uses(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("input",) if self.operation in ("abs_sum", "square_sum") else ()

    def build(self, in_shape: Any) -> Any:
        return in_shape[: axis_of(self.where, self.axis, in_shape) - 1]

    def forward(self, x: Array) -> Array:
        c, at = self.cache, axis_of(self.where, self.axis, x.shape[1:])
        x = x if x.dtype.kind == "f" else self.cast(x)
        c.shape, c.x = x.shape, x if self.backward_uses else None
        count = math.prod(x.shape[at:])
        if self.operation == "mean" and not count:
            raise ShapeError(f"{self.where}: the mean of no numbers, in input of shape {x.shape} from axis {at} on")
        c.scale = self.scale / count if self.operation == "mean" else self.scale
        y = {"abs_sum": np.abs, "square_sum": np.square}.get(self.operation, np.asarray)(x)
        while y.ndim > at:  # one axis after the other: NumPy's rounding errors grow with the terms in one sum
            y = y.sum(axis=-1)
        return c.scale * y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        check_gradient(self.where, dy, c.shape[: axis_of(self.where, self.axis, c.shape[1:])])
        d = (c.scale * dy).reshape(*dy.shape, *(1,) * (len(c.shape) - dy.ndim))
        if self.operation == "abs_sum":
            return d * np.sign(c.x)
        if self.operation == "square_sum":
            return 2 * d * c.x
        return np.broadcast_to(d, c.shape)  # a view, which costs nothing

    def flops(self) -> int:
        return math.prod(self.in_shape or (1,))
