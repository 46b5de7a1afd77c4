"""``ArgMax``: where the largest number is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from .layer import Layer
from .param import Array


class ArgMax(Layer):
    """y = the index of the largest x along ``axis``, the first of equals;  dx = 0.

    y holds integers, so nothing below it learns: dy is not looked at, and may be ``None``. The axis goes, or has
    length 1 with ``keepdims``. NaN counts as the largest.

    Raises
    ------
    ShapeError
        If the input has no such axis, or it is the batch's.
    """

    backward_uses = ()

    def __init__(self, axis: int = 1, keepdims: bool = False) -> None:
        refuse_batch_axis("ArgMax", axis)
        self.axis, self.keepdims = axis, keepdims

    def build(self, in_shape: Any) -> Any:
        at = axis_of(self.where, self.axis, in_shape)
        return (*in_shape[: at - 1], *((1,) if self.keepdims else ()), *in_shape[at:])

    def forward(self, x: Array) -> Array:
        self.cache.zero = np.zeros((), x.dtype)
        self.cache.shape = x.shape
        return x.argmax(axis=axis_of(self.where, self.axis, x.shape[1:]), keepdims=self.keepdims)

    def backward(self, dy: Any) -> Array | None:
        c = self.cache
        return np.broadcast_to(c.zero, c.shape) if c.zero.dtype.kind == "f" else None
