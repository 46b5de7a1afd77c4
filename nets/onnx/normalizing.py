"""Normalisation, gamma and beta being inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, reduced

Axes = tuple[int, ...]


def standardized(x: Array, axes: Axes, eps: float, centred: bool = True, outside: bool = False) -> tuple[Any, Any, Any]:
    """x̂ = (x - m) / s, s and m, the mean (0, unless centred) along the axes; s² = mean of (x - m)² + eps.

    With eps ``outside`` s is the root of the mean, plus eps.
    """
    m = x.mean(axes, keepdims=True) if centred else np.zeros((), x.dtype)
    d = x - m
    v = (d * d).mean(axes, keepdims=True)
    s = np.sqrt(v) + x.dtype.type(eps) if outside else np.sqrt(v + x.dtype.type(eps))
    return d / s, s, m


def unstandardized(g: Array, xhat: Array, s: Array, axes: Axes, eps: float, centred: bool, outside: bool) -> Array:
    """Return dx for the gradient g of x̂: (g - mean of g - x̂ mean of g x̂ s / root) / s, where root is s, or s - eps."""
    shared = xhat * (g * xhat).mean(axes, keepdims=True)
    if outside:
        root = s - g.dtype.type(eps)
        shared = shared * s / np.where(root > 0, root, 1)
    if centred:
        g = g - g.mean(axes, keepdims=True)
    return (g - shared) / s


class _Normalizing(OnnxLayer):
    """y = gamma x̂ + beta, x̂ along axes that a subclass tells; inputs x, gamma and beta, which may be missing."""

    batch_coupled = False
    eps: float
    centred = True

    def axes(self, x: Array) -> Axes:
        raise NotImplementedError

    def aligned(self, p: Array, x: Array) -> Array:
        """Return gamma or beta in a shape that broadcasts against x: it lies along the channels."""
        if x.ndim < 2 or p.shape != x.shape[1:2]:
            raise ShapeError(f"{self.where}: expected one number for each channel of {x.shape}, got shape {p.shape}")
        return p.reshape(-1, *(1,) * (x.ndim - 2))

    def collected(self, grad: Array, p: Array) -> Array:
        """Return the gradient of gamma or beta, given that of each element."""
        return reduced(grad, self.aligned(p, grad).shape).reshape(p.shape)

    def split(self, x: Array) -> Array:
        """Return x in the shape in which the axes are axes."""
        return x

    def forward(self, x: Array, *learned: Array) -> Any:
        c, parts = self.cache, self.split(x)
        c.axes, c.learned, c.shape = self.axes(parts), learned, x.shape
        xhat, c.s, c.m = standardized(parts, c.axes, self.eps, self.centred)
        c.xhat = xhat.reshape(x.shape)
        c.aligned = [self.aligned(p, x) for p in learned]
        y = c.xhat
        if c.aligned:
            y = y * c.aligned[0]
        return y + c.aligned[1] if len(c.aligned) > 1 else y

    def backward(self, dy: Any) -> Any:
        c = self.cache
        g = self.split(dy * c.aligned[0] if c.aligned else dy)
        dx = unstandardized(g, self.split(c.xhat), c.s, c.axes, self.eps, self.centred, False).reshape(c.shape)
        grads = (dy * c.xhat, dy)
        learned = (self.collected(grad, p) for grad, p in zip(grads, c.learned, strict=False))
        return (dx, *learned) if c.learned else dx


class OnnxInstanceNorm(_Normalizing):
    """y = gamma x̂ + beta, x̂ = (x - m) / sqrt(v + eps), m and v those of one channel of one sample, as ``InstanceNorm``.

    gamma and beta, (C,), are the second and the third input.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = eps

    def axes(self, x: Array) -> Axes:
        return tuple(range(2, x.ndim))


class OnnxGroupNorm(_Normalizing):
    """y = gamma x̂ + beta, x̂ = (x - m) / sqrt(v + eps), m and v those of a group of channels, as ``GroupNorm``.

    gamma and beta, the second and the third input, have a number for each channel, or in ONNX's first version for
    each group.

    Raises
    ------
    ShapeError
        If the groups do not divide the channels.
    """

    def __init__(self, groups: int, eps: float = 1e-5) -> None:
        self.groups, self.eps = groups, eps

    def split(self, x: Array) -> Array:
        if x.ndim < 2 or x.shape[1] % self.groups:
            raise ShapeError(f"{self.where}: {self.groups} groups do not divide the channels of {x.shape}")
        return x.reshape(len(x), self.groups, -1)

    def axes(self, x: Array) -> Axes:
        return (2,)

    def aligned(self, p: Array, x: Array) -> Array:
        if p.shape == (self.groups,) != x.shape[1:2]:
            return super().aligned(p.repeat(x.shape[1] // self.groups), x)
        return super().aligned(p, x)

    def collected(self, grad: Array, p: Array) -> Array:
        each = grad.sum(axis=(0, *range(2, grad.ndim)))
        return each.reshape(p.size, -1).sum(axis=1)


class OnnxLayerNorm(_Normalizing):
    """y = gamma x̂ + beta, x̂ = (x - m) / sqrt(v + eps), m and v along the axes from ``axis`` on, as ``LayerNorm``.

    gamma and beta broadcast against x; they are the second and the third input. Without ``centred`` m is 0
    [ONNX: RMSNormalization].

    Parameters
    ----------
    axis : int
    eps : float
    centred : bool
    outputs : int
        2 adds m to the outputs, and 3 1 / sqrt(v + eps); they have no gradient.
    """

    batch_coupled = True

    def __init__(self, axis: int = -1, eps: float = 1e-5, centred: bool = True, outputs: int = 1) -> None:
        self.axis, self.eps, self.centred, self.outputs = axis, eps, centred, outputs

    def axes(self, x: Array) -> Axes:
        return tuple(range(counted((self.axis,), x.ndim, self.where)[0], x.ndim))

    def aligned(self, p: Array, x: Array) -> Array:
        if self.broadcast(p.shape, x.shape) != x.shape:
            raise ShapeError(f"{self.where}: gamma or beta of shape {p.shape} does not fit input of shape {x.shape}")
        return p

    def forward(self, x: Array, *learned: Array) -> Any:
        y, c = super().forward(x, *learned), self.cache
        return y if self.outputs == 1 else (y, c.m, 1 / c.s)[: self.outputs]

    def backward(self, dy: Any) -> Any:
        return super().backward(dy if self.outputs == 1 else dy[0])
