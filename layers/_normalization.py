"""What all layers that normalise have in common: gamma and beta, and the way to ``_normalize`` and back."""

from __future__ import annotations

from typing import Any

from ._normalize import Rate, gradients, inside, normalize
from .initializers import Constant, Zeros
from .layer import Layer
from .param import Array, Param


class Normalization(Layer):
    """Cuts the input into groups, and makes the mean 0 and the variance 1 in each; a subclass says how it is cut."""

    backward_uses = ("input",)
    centred = True
    affine = False
    eps = 0.0
    gamma: Param
    beta: Param

    def check(self, in_shape: Any) -> None:
        """Raise ``ShapeError`` unless the layer is made for such input; the batch axis is left out."""
        raise NotImplementedError

    def split(self, x: Array) -> Array:
        """The input as ``_normalize`` takes it, (A, B, P, L)."""
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
        """Make gamma, and beta if there was a mean."""
        if self.affine:
            self.gamma = self.param("gamma", (features,), Constant(1.0))
            if self.centred:
                self.beta = self.param("beta", (features,), Zeros())

    def forward(self, x: Array) -> Array:
        c = self.cache
        x = self.enter(x)
        c.x, c.fixed = self.split(x), False
        y, c.statistics = normalize(c.x, self.rate(), *self.affinity(c.x), self.centred)
        return self.join(y, x.shape)

    def backward(self, dy: Array) -> Array | None:
        c = self.cache
        gamma, beta = (self.gamma, self.beta if self.centred else None) if self.affine else (None, None)
        wanted = self.input_grad, gamma is not None and gamma.trainable, beta is not None and beta.trainable
        of_x = self.split(self.convert(dy))
        dx, *grads = gradients(of_x, c.x, c.statistics, self.rate(), self.affinity(c.x)[0], c.fixed, wanted)
        for p, grad in zip((gamma, beta), grads, strict=True):
            if p is not None and grad is not None:
                p.add_grad(grad.reshape(-1, *p.shape).sum(axis=0))
        return None if dx is None else self.join(dx, dy.shape)

    def enter(self, x: Array) -> Array:
        """The input, in the right dtype, if its shape fits."""
        self.check(x.shape[1:])
        return self.convert(x)

    def convert(self, x: Array) -> Array:
        """The array in the dtype of gamma and beta."""
        return self.cast(x) if self.affine else x

    def affinity(self, x: Array) -> tuple[Array | None, Array | None]:
        """Gamma and beta for a split input."""
        if not self.affine:
            return None, None
        return self.along(self.gamma.data, x), self.along(self.beta.data, x) if self.centred else None

    def flops(self) -> int:
        return 2 * super().flops()
