"""Layers that normalise each sample by itself, and those of them that do it along the last axis."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._axes import refuse_vectors
from ._normalize import Rate, gradients, inside, normalize
from .errors import ShapeError
from .initializers import Constant, Zeros
from .layer import Layer
from .param import Array, Param


class Normalization(Layer):
    """Makes the mean 0 and the variance 1 in each row of a matrix; a subclass makes the matrix of its input."""

    backward_uses = ("input",)
    centred = True
    affine = False
    eps = 0.0
    gamma: Param
    beta: Param

    def split(self, x: Array) -> tuple[Array, bool]:
        """The input as ``_normalize`` takes it, and whether its rows are lanes; ``ShapeError`` if it does not fit."""
        raise NotImplementedError

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        """The way back."""
        return y.reshape(shape)

    def along(self, v: Array, x: Array) -> Array:
        """Gamma or beta as (A, positions), for an input of this shape."""
        return v[None]

    def rate(self) -> Rate:
        """How the variance becomes the factor."""
        return inside(self.eps)

    def learn(self, features: int) -> None:
        """Make gamma, and beta if a mean is taken away."""
        if self.affine:
            self.gamma = self.param("gamma", (features,), Constant(1.0))
            if self.centred:
                self.beta = self.param("beta", (features,), Zeros())

    def forward(self, x: Array) -> Array:
        c = self.cache
        if self.affine or x.dtype.kind != "f":
            x = self.cast(x)
        c.x, c.lanes = self.split(x)
        gamma, beta = (self.along(p.data, x) if p else None for p in self._learned())
        y, c.statistics = normalize(c.x, c.lanes, self.rate(), gamma, beta, self.centred)
        return self.join(y, x.shape)

    def backward(self, dy: Array) -> Array | None:
        c, learned = self.cache, self._learned()
        if self.affine:
            dy = self.cast(dy)
        gamma = self.along(learned[0].data, dy) if learned[0] else None
        wanted = self.input_grad, any(p and p.trainable for p in learned)
        dx, *grads = gradients(self.split(dy)[0], c.x, c.lanes, c.statistics, self.rate(), gamma, wanted)
        for p, grad in zip(learned, grads, strict=True):
            if p and p.trainable and grad is not None:
                p.add_grad(grad.reshape(*p.shape, -1).sum(axis=1))
        return None if dx is None else self.join(dx, dy.shape)

    def flops(self) -> int:
        return 2 * super().flops()

    def _learned(self) -> tuple[Param | None, Param | None]:
        return (self.gamma, self.beta if self.centred else None) if self.affine else (None, None)


class LayerNorm(Normalization):
    """y = gamma x̂ + beta,  x̂ = (x - m) / s,  s = sqrt(v + eps);  m, v: mean and variance along the last axis.

    x is (N, …, D); gamma and beta are (D,). With g = dy gamma, and means along the last axis::

        dgamma = Σ dy x̂,    dbeta = Σ dy,    dx = (g - mean of g - x̂ mean of g x̂) / s,

    where Σ runs over all axes but the last. Ba et al., "Layer normalization", 2016.

    Parameters
    ----------
    eps : float
    affine : bool
        Without, y = x̂  [PyTorch: elementwise_affine].

    Raises
    ------
    ShapeError
        If the input has no features, or not as many as it was built for.
    """

    def __init__(self, eps: float = 1e-5, affine: bool = True) -> None:
        self.eps, self.affine = eps, affine

    def build(self, in_shape: Any) -> Any:
        refuse_vectors(self.where, in_shape, "(N, …, features)")
        self.learn(in_shape[-1])
        return in_shape

    def split(self, x: Array) -> tuple[Array, bool]:
        if x.ndim < 2 or (self.affine and x.shape[-1:] != self.gamma.shape):
            expected = f"{self.gamma.shape[0]} features" if self.affine else "(N, …, features)"
            raise ShapeError(f"{self.where}: expected {expected}, got input of shape {x.shape}")
        return np.ascontiguousarray(x).reshape(1, prod(x.shape[:-1]), x.shape[-1]), False


class RMSNorm(LayerNorm):
    """y = gamma x̂,  x̂ = x / s,  s = sqrt(q + eps);  q: mean of x² along the last axis.

    x is (N, …, D), gamma is (D,). With g = dy gamma, and means along the last axis::

        dgamma = Σ dy x̂,    dx = (g - x̂ mean of g x̂) / s,

    where Σ runs over all axes but the last: ``LayerNorm`` that takes no mean away. Zhang and Sennrich, "Root mean
    square layer normalization", 2019. Arguments and errors are those of ``LayerNorm``.
    """

    centred = False
