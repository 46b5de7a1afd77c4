"""Nets in NumPy the classic way, as good tutorials and courses write them; nothing here is handbrew's.

``classic_images`` has the layers of images: im2col of the whole batch, and one matrix product a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Classic:
    """A layer; ``params`` and ``grads`` are lists of arrays in the same order."""

    def __init__(self, *params: Array) -> None:
        self.params = [p.copy() for p in params]
        self.grads: list[Array] = []

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        raise NotImplementedError

    def leaves(self) -> list[Classic]:
        """The layers with arrays of their own."""
        return [self]


class Linear(Classic):
    def forward(self, x: Array) -> Array:
        self.x, (W, b) = x, self.params
        return x @ W + b

    def backward(self, dy: Array) -> Array:
        self.grads = [self.x.T @ dy, dy.sum(axis=0)]
        return dy @ self.params[0].T


class ReLU(Classic):
    def forward(self, x: Array) -> Array:
        self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dy: Array) -> Array:
        return dy * self.mask


class Flatten(Classic):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.shape)


class Chain(Classic):
    def __init__(self, *layers: Classic) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> Array:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def leaves(self) -> list[Classic]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]


class Residual(Classic):
    def __init__(self, body: Classic, shortcut: Classic) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Array) -> Array:
        return self.body.forward(x) + self.shortcut.forward(x)

    def backward(self, dy: Array) -> Array:
        return self.body.backward(dy) + self.shortcut.backward(dy)

    def leaves(self) -> list[Classic]:
        return self.body.leaves() + self.shortcut.leaves()


def cross_entropy(scores: Array, y: Array) -> tuple[float, Array]:
    """The loss and the gradient of the scores."""
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = exp / exp.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    p /= len(y)
    return float(loss), p


def training_step(net: Classic, X: Array, y: Array, lr: float, momentum: float) -> Callable[[], float]:
    """A step of momentum SGD on one batch; it returns the loss."""
    leaves = net.leaves()
    velocities = [[np.zeros_like(p) for p in leaf.params] for leaf in leaves]

    def step() -> float:
        loss, dscores = cross_entropy(net.forward(X), y)
        net.backward(dscores)
        for leaf, velocity in zip(leaves, velocities, strict=True):
            for p, v, g in zip(leaf.params, velocity, leaf.grads, strict=True):
                v *= momentum
                v += lr * g
                p -= v
        return loss

    return step
