"""Layers that normalise each sample by itself: along its last axis, or in groups of its channels."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._images import samples_first, samples_last
from ._normalize import Rate, gradients, inside, normalize
from .errors import ShapeError
from .initializers import Constant, Zeros
from .layer import Layer
from .param import Array, Param

LANES = 16  # samples: with fewer, their runs in memory are short, and a sample's own numbers are put together


class Normalization(Layer):
    """Cuts the input into groups and makes the mean 0 and the variance 1 in each; a subclass says how it is cut."""

    backward_uses = ("input",)
    centred = True
    affine = False
    eps = 0.0
    gamma: Param
    beta: Param

    def split(self, x: Array) -> Array:
        """The input as ``_normalize`` takes it, (A, B, P, L); raises ``ShapeError`` if it does not fit."""
        raise NotImplementedError

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        """The way back."""
        return y.reshape(shape)

    def along(self, v: Array, x: Array) -> Array:
        """Gamma or beta, in a shape that broadcasts with a split input."""
        return v.reshape(1, -1, 1, 1)

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
        if self.affine:
            x = self.cast(x)
        c.x = self.split(x)
        gamma, beta = (self.along(p.data, c.x) if p else None for p in self._learned())
        y, c.statistics = normalize(c.x, self.rate(), gamma, beta, self.centred)
        return self.join(y, x.shape)

    def backward(self, dy: Array) -> Array | None:
        c, learned = self.cache, self._learned()
        if self.affine:
            dy = self.cast(dy)
        gamma = self.along(learned[0].data, c.x) if learned[0] else None
        wanted = self.input_grad, any(p and p.trainable for p in learned)
        dx, *grads = gradients(self.split(dy), c.x, c.statistics, self.rate(), gamma, wanted)
        for p, grad in zip(learned, grads, strict=True):
            if p and p.trainable and grad is not None:
                p.add_grad(grad.reshape(-1, *p.shape).sum(axis=0))
        return None if dx is None else self.join(dx, dy.shape)

    def flops(self) -> int:
        return 2 * super().flops()

    def _learned(self) -> tuple[Param | None, Param | None]:
        return (self.gamma, self.beta if self.centred else None) if self.affine else (None, None)


class LayerNorm(Normalization):
    """y = gamma x̂ + beta,  x̂ = (x - m) / s,  s = sqrt(v + eps);  m, v: mean and variance along the last axis.

    x is (N, …, D); gamma and beta are (D,). With g = dy gamma, and means along the last axis:

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
        if not in_shape:
            raise ShapeError(f"{self.where}: expected (N, …, features), got a vector; a single sample is x[None, :]")
        self.learn(in_shape[-1])
        return in_shape

    def split(self, x: Array) -> Array:
        if x.ndim < 2 or (self.affine and x.shape[-1:] != self.gamma.shape):
            expected = f"{self.gamma.shape[0]} features" if self.affine else "(N, …, features)"
            raise ShapeError(f"{self.where}: expected {expected}, got input of shape {x.shape}")
        return np.ascontiguousarray(x).reshape(prod(x.shape[:-1]), x.shape[-1], 1, 1)


class RMSNorm(LayerNorm):
    """y = gamma x̂,  x̂ = x / s,  s = sqrt(q + eps);  q: mean of x² along the last axis.

    x is (N, …, D), gamma is (D,). With g = dy gamma, and means along the last axis:

        dgamma = Σ dy x̂,    dx = (g - x̂ mean of g x̂) / s,

    where Σ runs over all axes but the last: ``LayerNorm`` that takes no mean away. Zhang and Sennrich, "Root mean
    square layer normalization", 2019. Arguments and errors are those of ``LayerNorm``.
    """

    centred = False


class GroupNorm(Normalization):
    """y = gamma x̂ + beta,  x̂ = (x - m) / s,  s = sqrt(v + eps);  m, v: mean and variance of a group of channels.

    x is (N, C, …); the C channels on axis 1 are cut into groups, each with all positions of its channels, and one
    m and one v for each sample. Gamma and beta are (C,). With g = dy gamma, and means over the group:

        dgamma = Σ dy x̂,    dbeta = Σ dy,    dx = (g - mean of g - x̂ mean of g x̂) / s,

    where Σ runs over all axes but the channels'. Wu and He, "Group normalization", 2018.

    Parameters
    ----------
    groups : int
        1 normalises each sample as a whole; as many as channels is ``InstanceNorm``  [PyTorch: num_groups].
    eps : float
    affine : bool
        Without, y = x̂.

    Raises
    ------
    ShapeError
        If the groups do not divide the channels, a group holds a single number, or the channels are not those it
        was built for.
    """

    def __init__(self, groups: int, eps: float = 1e-5, affine: bool = True) -> None:
        if not isinstance(groups, (int, np.integer)) or groups < 1:
            raise ShapeError(f"GroupNorm: groups: expected an integer from 1 on, got {groups!r:.40}")
        self.groups, self.eps, self.affine = groups, eps, affine

    def groups_of(self, channels: int) -> int:
        """Into how many groups so many channels are cut."""
        if channels % self.groups:
            raise ShapeError(f"{self.where}: {self.groups} groups do not divide the {channels} channels")
        return self.groups

    def build(self, in_shape: Any) -> Any:
        self._check(in_shape)
        self.learn(in_shape[0])
        return in_shape

    def split(self, x: Array) -> Array:
        groups = self._check(x.shape[1:])
        if self.affine and x.shape[1:2] != self.gamma.shape:
            raise ShapeError(f"{self.where}: expected {self.gamma.shape[0]} channels, got input of shape {x.shape}")
        n, channels, *rest = x.shape
        if n >= LANES:
            return samples_last(x).reshape(groups, channels // groups, prod(rest), n)
        return np.ascontiguousarray(x).reshape(n * groups, channels // groups, prod(rest), 1)

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        return y.reshape(shape) if shape[0] < LANES else samples_first(y.reshape(*shape[1:], shape[0]))

    def along(self, v: Array, x: Array) -> Array:
        groups = len(v) // x.shape[1]
        return np.tile(v, len(x) // groups).reshape(-1, x.shape[1], 1, 1)

    def _check(self, in_shape: Any) -> int:
        if not in_shape:
            raise ShapeError(f"{self.where}: expected (N, channels, …), got a vector; a single sample is x[None, :]")
        groups = self.groups_of(in_shape[0])
        if prod(in_shape) == groups:
            raise ShapeError(
                f"{self.where}: each of {groups} groups holds a single number of a sample of shape {in_shape}, which "
                f"is its own mean; use fewer groups, or BatchNorm"
            )
        return groups


class InstanceNorm(GroupNorm):
    """y = x̂ = (x - m) / sqrt(v + eps);  m, v: mean and variance of one channel of one sample.

    x is (N, C, …), and this is ``GroupNorm`` with as many groups as channels, gradients and all; without gamma and
    beta unless they are asked for, as in PyTorch. Ulyanov et al., "Instance normalization: the missing ingredient
    for fast stylization", 2016.

    Raises
    ------
    ShapeError
        If a channel holds a single number, or the channels are not those it was built for.
    """

    def __init__(self, eps: float = 1e-5, affine: bool = False) -> None:
        self.eps, self.affine = eps, affine

    def groups_of(self, channels: int) -> int:
        return channels
