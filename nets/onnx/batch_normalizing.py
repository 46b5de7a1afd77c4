"""Normalisation over the batch, over any axes, and to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers
from .normalizing import standardized, unstandardized


class OnnxBatchNorm(OnnxLayer):
    """y = gamma x̂ + beta, x̂ = (x - m) / sqrt(v + eps), with the five inputs x, gamma, beta, m and v, as ``BatchNorm``.

    dx, dgamma and dbeta are ``BatchNorm``'s; m and v have no gradient. With ``batch`` m and v are those of the batch,
    and the outputs are y and the running m and v, momentum running + (1 - momentum) batch [ONNX: training_mode].

    Raises
    ------
    ShapeError
        If one of the inputs does not have a number for each channel.
    """

    def __init__(self, eps: float = 1e-5, momentum: float = 0.9, batch: bool = False) -> None:
        self.eps, self.momentum, self.batch = eps, momentum, batch

    def forward(self, x: Array, gamma: Array, beta: Array, mean: Array, var: Array) -> Any:
        c = self.cache
        if x.ndim < 2 or any(p.shape != x.shape[1:2] for p in (gamma, beta, mean, var)):
            raise ShapeError(f"{self.where}: expected four numbers for each channel of input of shape {x.shape}")
        c.axes, along = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
        c.gamma = gamma.reshape(along)
        if self.batch:
            c.xhat, c.s, m = standardized(x, c.axes, self.eps)
        else:
            c.s = np.sqrt(var.reshape(along) + x.dtype.type(self.eps))
            c.xhat = (x - mean.reshape(along)) / c.s
        y = c.gamma * c.xhat + beta.reshape(along)
        if not self.batch:
            return y
        v = x.var(c.axes)
        return y, *(self.momentum * a + (1 - self.momentum) * b for a, b in ((mean, m.reshape(-1)), (var, v)))

    def backward(self, dy: Any) -> tuple[Any, ...]:
        c = self.cache
        dy = dy[0] if self.batch else dy
        g = dy * c.gamma
        dx = unstandardized(g, c.xhat, c.s, c.axes, self.eps, True, False) if self.batch else g / c.s
        return dx, (dy * c.xhat).sum(c.axes), dy.sum(c.axes), None, None


class OnnxMVN(OnnxLayer):
    """y = (x - m) / (s + 1e-9),  s = sqrt(v), m and v along ``axes``, axis 0 perhaps among them; dx is ``MVN``'s."""

    eps = 1e-9

    def __init__(self, axes: Any = (0, 2, 3)) -> None:
        self.axes = integers(axes)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.axes = counted(self.axes, x.ndim, self.where)
        c.xhat, c.s, _ = standardized(x, c.axes, self.eps, outside=True)
        return c.xhat

    def backward(self, dy: Array) -> Array:
        c = self.cache
        return unstandardized(dy, c.xhat, c.s, c.axes, self.eps, True, True)


class OnnxLpNorm(OnnxLayer):
    """y = x / (Σ |x|ᵖ)^(1/p) along ``axis``, p = 1 or 2, and 0 where that is 0.

    With n for the divisor, dx = (dy - u Σ dy y) / n, where u is y for p = 2 and sign x for p = 1.
    """

    def __init__(self, axis: int = -1, p: int = 2) -> None:
        if p not in (1, 2):
            raise ValueError(f"OnnxLpNorm: expected p 1 or 2, got {p}")
        self.axis, self.p = axis, p

    def forward(self, x: Array) -> Array:
        c = self.cache
        size = np.abs(x) if self.p == 1 else x * x
        n = size.sum(self.axis, keepdims=True)
        n = n if self.p == 1 else np.sqrt(n)
        c.n, c.x = np.where(n == 0, x.dtype.type(1), n), x
        c.y = x / c.n
        return c.y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        u = np.sign(c.x) if self.p == 1 else c.y
        return (dy - u * (dy * c.y).sum(self.axis, keepdims=True)) / c.n
