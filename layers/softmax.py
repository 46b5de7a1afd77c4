"""Softmax and its logarithm. To train a classifier see ``SoftmaxCrossEntropy``, which has softmax inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .layer import Layer
from .param import Array


class _AlongAxis(Layer):
    backward_uses = ("output",)

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def build(self, in_shape: Any) -> Any:
        ndim = 1 + len(in_shape)
        if not -ndim < self.axis < ndim or self.axis == 0:
            raise ShapeError(
                f"{self.where}: expected an axis {self.axis} beyond the batch's axis 0, "
                f"got input of shape {in_shape} without the batch axis"
            )
        return in_shape


class Softmax(_AlongAxis):
    """y = exp(x) / sum of exp(x);  dx = y (dy - sum of y dy);  sums along ``axis``.

    The maximum along the axis is subtracted first: y stays the same, and exp cannot overflow. Bridle,
    "Probabilistic interpretation of feedforward classification network outputs", 1990.

    Raises
    ------
    ShapeError
        If the input has no such axis, or it is the batch's.
    """

    def forward(self, x: Array) -> Array:
        y = np.exp(x - x.max(axis=self.axis, keepdims=True))
        y /= y.sum(axis=self.axis, keepdims=True)
        self.cache.y = y
        return y

    def backward(self, dy: Array) -> Array:
        y = self.cache.y
        return y * (dy - (y * dy).sum(axis=self.axis, keepdims=True))


class LogSoftmax(_AlongAxis):
    """y = x - log(sum of exp(x));  dx = dy - exp(y) (sum of dy);  sums along ``axis``.

    Exact where ``Softmax`` rounds to 0; the maximum along the axis is subtracted from x first.

    Raises
    ------
    ShapeError
        If the input has no such axis, or it is the batch's.
    """

    def forward(self, x: Array) -> Array:
        y = x - x.max(axis=self.axis, keepdims=True)
        y -= np.log(np.exp(y).sum(axis=self.axis, keepdims=True))
        self.cache.y = y
        return y

    def backward(self, dy: Array) -> Array:
        return dy - np.exp(self.cache.y) * dy.sum(axis=self.axis, keepdims=True)
