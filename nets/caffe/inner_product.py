"""``InnerProduct``: Caffe's, where it is not a ``Flatten`` and an ``Affine``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import He, Initializer, Layer, ShapeError, Zeros, column_sum, matrix_product

Array = np.ndarray[Any, np.dtype[Any]]


class InnerProduct(Layer):
    """y = x W + b,  dW = xᵀ dy,  db = sum of dy over rows,  dx = dy Wᵀ;  x flattened from ``axis`` on.

    It is ``Affine`` for input of any shape: (N, …, K…) with K numbers from ``axis`` on gives (N, …, out_features). W is
    (K, out_features). With ``transpose`` it is y = x Wᵀ + b, and W is (out_features, K): tied to an ``Affine`` from
    out_features to K numbers it goes the way back with the same weights, as in an autoencoder.

    Raises
    ------
    ShapeError
        If the input has no such axis, it is the batch's, or there are not as many numbers as it was built for.
    """

    backward_uses = ("input",)

    def __init__(
        self,
        out_features: int,
        axis: int = 1,
        transpose: bool = False,
        bias: bool = True,
        weight_init: Initializer = He(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        if out_features < 1:
            raise ShapeError(f"InnerProduct: out_features: expected an integer of at least 1, got {out_features!r:.40}")
        self.out_features, self.axis, self.transpose, self.bias = out_features, axis, transpose, bias
        self.weight_init, self.bias_init = weight_init, bias_init

    def build(self, in_shape: Any) -> Any:
        at = self._axis(in_shape)
        n, m = math.prod(in_shape[at - 1 :]), self.out_features
        self.W = self.param("W", (m, n) if self.transpose else (n, m), self.weight_init, fan_in=n, fan_out=m)
        if self.bias:
            self.b = self.param("b", (m,), self.bias_init, fan_in=n, fan_out=m)
        return (*in_shape[: at - 1], m)

    def forward(self, x: Array) -> Array:
        c, at = self.cache, self._axis(x.shape[1:])
        x = self.cast(x)
        weights = c.weights = self.W.data.T if self.transpose else self.W.data
        if math.prod(x.shape[at:]) != len(weights):
            raise ShapeError(f"{self.where}: expected {len(weights)} numbers from axis {at} on, got shape {x.shape}")
        c.shape, rows = x.shape, x.reshape(-1, len(weights))
        c.rows = rows
        y = matrix_product(rows, weights)
        if self.bias:
            y += self.b.data
        return y.reshape(*x.shape[:at], self.out_features)

    def backward(self, dy: Array) -> Array | None:
        c, dy = self.cache, self.cast(dy).reshape(-1, self.out_features)
        if self.W.trainable:
            self.W.add_grad_product(dy.T, c.rows) if self.transpose else self.W.add_grad_product(c.rows.T, dy)
        if self.bias and self.b.trainable:
            self.b.add_grad(column_sum(dy))
        return matrix_product(dy, c.weights.T).reshape(c.shape) if self.input_grad else None

    def flops(self) -> int:
        return super().flops() * (2 * self.W.data.size // self.out_features + self.bias)

    def _axis(self, in_shape: tuple[int, ...]) -> int:
        ndim = 1 + len(in_shape)
        at = self.axis + ndim if self.axis < 0 else self.axis
        if not 1 <= at < ndim:
            raise ShapeError(
                f"{self.where}: expected an input with an axis {self.axis} beyond the batch's, got one of shape "
                f"{in_shape} without the batch axis"
            )
        return at
