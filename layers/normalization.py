"""Layers that normalise each sample by itself: over its last axis, or over groups of its channels."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._images import samples_first, samples_last
from ._normalize import Rate, gradients, inside, normalize, outside, unscaled
from .errors import ShapeError
from .initializers import Constant, Zeros
from .layer import Layer
from .param import Array, Param

LANES = 16  # samples side by side; with fewer, a sample's own numbers are kept together


class _Normalization(Layer):
    """Cuts the input into groups, and makes mean 0 and variance 1 in each; a subclass says which."""

    backward_uses = ("input",)
    centred = True
    eps = 0.0
    affine = False
    gamma: Param
    beta: Param

    def learn(self, features: int) -> None:
        """Make gamma, and beta if the input is centred."""
        if self.affine:
            self.gamma = self.param("gamma", (features,), Constant(1.0))
            if self.centred:
                self.beta = self.param("beta", (features,), Zeros())

    def rate(self) -> Rate:
        return inside(self.eps)

    def split(self, x: Array) -> Array:
        """As ``_normalize`` takes it, (A, B, P, L)."""
        raise NotImplementedError

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        """The way back."""
        return y.reshape(shape)

    def along(self, v: Array, view: Array) -> Array:
        """Gamma or beta in a shape that broadcasts with a view."""
        return v.reshape(1, -1, 1, 1)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.x = view = self.split(x)
        gamma = self.along(self.gamma.data, view) if self.affine else None
        beta = self.along(self.beta.data, view) if self.affine and self.centred else None
        y, c.statistics = normalize(view, self.rate(), gamma, beta, self.centred)
        return self.join(y, x.shape)

    def backward(self, dy: Array) -> Array | None:
        c = self.cache
        gamma = self.along(self.gamma.data, c.x) if self.affine else None
        wanted = self.input_grad, *(p.trainable for p in self._learned())
        dx, *grads = gradients(self.split(dy), c.x, c.statistics, self.rate(), gamma, wanted=wanted)
        return None if dx is None else self.join(dx, dy.shape)
