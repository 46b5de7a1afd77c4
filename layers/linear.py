"""Layers that are linear in their input."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._numerics import FEW, column_sum, matrix_product
from .errors import ShapeError
from .initializers import He, Initializer, Zeros
from .layer import Layer
from .param import Array


class Affine(Layer):
    """y = x W + b,  dW = xᵀ dy,  db = sum of dy over rows,  dx = dy Wᵀ  [Caffe: InnerProduct].

    x is (N, …, in_features), y is (N, …, out_features): it acts on the last axis. W is (in_features,
    out_features), b (out_features,). Images are flattened first, by ``Flatten``.

    Raises
    ------
    ShapeError
        If the features are not those it was built for, or the input has no batch axis or is images.
    """

    backward_uses = ("input",)

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        weight_init: Initializer = He(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        if not isinstance(out_features, (int, np.integer)) or out_features < 1:
            raise ShapeError(f"Affine: out_features: expected an integer of at least 1, got {out_features!r:.40}")
        if not isinstance(bias, (bool, np.bool_)):
            raise TypeError(
                f"Affine: bias is True or False, got {bias!r:.40}; only the number of outputs is given, "
                f"that of inputs is found at the first forward"
            )
        self.out_features, self.bias = out_features, bias
        self.weight_init, self.bias_init = weight_init, bias_init

    def build(self, in_shape: Any) -> Any:
        if len(in_shape) == 3:
            raise ShapeError(f"{self.where}: expected features, got images of shape {in_shape}; put a Flatten() before")
        if not in_shape:
            raise ShapeError(f"{self.where}: expected (N, features), got a vector; a single sample is x[None, :]")
        n, m = in_shape[-1], self.out_features
        self.W = self.param("W", (n, m), self.weight_init, fan_in=n, fan_out=m)
        if self.bias:
            self.b = self.param("b", (m,), self.bias_init, fan_in=n, fan_out=m)
        return (*in_shape[:-1], m)

    def forward(self, x: Array) -> Array:
        W = self.W.data
        if x.dtype != W.dtype:
            x = self.cast(x)
        rows = x if x.ndim == 2 and x.shape[1] == W.shape[0] else self._rows(x)
        self.cache.x = rows
        y = rows.dot(W) if rows.size < FEW else matrix_product(rows, W)
        if self.bias:
            y += self.b.data
        return y if rows is x else y.reshape(*x.shape[:-1], self.out_features)

    def backward(self, dy: Array) -> Array | None:
        x, W = self.cache.x, self.W.data
        if dy.dtype != W.dtype:
            dy = self.cast(dy)
        rows = dy if dy.ndim == 2 else dy.reshape(-1, self.out_features)
        if self.W.trainable:
            self.W.add_grad_product(x.T, rows)
        if self.bias and self.b.trainable:
            self.b.add_grad(column_sum(rows))
        if not self.input_grad:
            return None
        if rows.size < FEW:
            dx = rows.dot(W.T)
        elif x.flags.f_contiguous:  # as flattened images are: their gradient lies as they do
            dx = matrix_product(W, rows.T).T
        else:
            dx = matrix_product(rows, W.T)
        return dx if rows is dy else dx.reshape(*dy.shape[:-1], W.shape[0])

    def flops(self) -> int:
        n, m = self.W.shape
        positions = super().flops() // m
        return positions * (2 * n * m + (m if self.bias else 0))

    def _rows(self, x: Array) -> Array:
        """Flatten all axes but the last: a dot of more than two does not reach BLAS."""
        n = self.W.shape[0]
        if x.ndim < 2 or x.ndim == 4 or x.shape[-1] != n:
            fix = {1: "a single sample is x[None, :]", 4: "images need a Flatten() before it"}.get(
                x.ndim, "did the data change after build?"
            )
            raise ShapeError(f"{self.where}: expected {n} features, got input of shape {x.shape}; {fix}")
        return x.reshape(-1, n)
