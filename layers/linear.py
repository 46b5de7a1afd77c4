"""Layers that are linear in their input."""

from __future__ import annotations

from typing import Any

from ._numerics import column_sum
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
        if out_features < 1:
            raise ShapeError(f"Affine: expected at least one output feature, got {out_features}")
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
        if x.ndim != 2:
            return self._forward_many(x)
        if x.shape[1] != W.shape[0]:
            self._refuse(x)
        self.cache.x = x
        y = x.dot(W)
        if self.bias:
            y += self.b.data
        return y

    def backward(self, dy: Array) -> Array | None:
        x = self.cache.x
        if dy.ndim != 2:
            dx = self.backward(dy.reshape(-1, self.out_features))
            return None if dx is None else dx.reshape(*dy.shape[:-1], self.W.shape[0])
        if self.W.trainable:
            self.W.add_grad_product(x.T, dy)
        if self.bias and self.b.trainable:
            self.b.add_grad(column_sum(dy))
        return dy.dot(self.W.data.T) if self.input_grad else None

    def flops(self) -> int:
        n, m = self.W.shape
        positions = super().flops() // m
        return positions * (2 * n * m + (m if self.bias else 0))

    def _forward_many(self, x: Array) -> Array:
        # dot of more than two axes does not reach BLAS: flatten to rows and back.
        if x.ndim < 2 or x.shape[-1] != self.W.shape[0] or x.ndim == 4:
            self._refuse(x)
        y = self.forward(x.reshape(-1, x.shape[-1]))
        return y.reshape(*x.shape[:-1], self.out_features)

    def _refuse(self, x: Array) -> None:
        fix = {1: "a single sample is x[None, :]", 4: "images need a Flatten() before it"}.get(
            x.ndim, "did the data change after build?"
        )
        raise ShapeError(f"{self.where}: expected {self.W.shape[0]} features, got input of shape {x.shape}; {fix}")
