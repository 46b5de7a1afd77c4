"""Layers as users write them, which tests break, and what check_layer says of the broken ones."""

import re

import numpy as np
import pytest

from handbrew.layers import Layer, LayerCheckError, Loss, Uniform, Zeros, check_layer

LABELS = np.array([0, 2, 1, 1])
TWO_ZEROS = np.random.default_rng(2).normal(size=(4, 5)) * (np.arange(20).reshape(4, 5) % 13 != 0)


def complaints(layer, *inputs, **options):
    """What check_layer finds: {check: message}, and the whole text."""
    with pytest.raises(LayerCheckError) as caught:
        check_layer(layer, *inputs, **options)
    found = {}
    for failure in caught.value.failures:
        found[failure.check] = f"{found.get(failure.check, '')}{failure.message}\n"
    return found


def catches(check, message, layer, *inputs, alone=True, **options):
    found = complaints(layer, *inputs, **options)
    assert check in found, found
    assert re.search(message, found[check]), found[check]
    assert not alone or set(found) == {check}, found


class Swish(Layer):
    def forward(self, x):
        c = self.cache
        c.s = 0.5 * np.tanh(0.5 * x) + 0.5
        c.y = x * c.s
        return c.y

    def backward(self, dy):
        c = self.cache
        return dy * (c.s + c.y * (1 - c.s))


class Linear(Layer):
    """Affine in the plainest spelling; the broken ones below change one line."""

    def __init__(self, features=3):
        self.features = features

    def build(self, in_shape):
        self.W = self.param("W", (in_shape[-1], self.features), Uniform(-1, 1))
        self.b = self.param("b", (self.features,), Zeros())
        return (*in_shape[:-1], self.features)

    def forward(self, x):
        self.cache.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy):
        self.W.add_grad(self.dW(self.cache.x, dy))
        self.b.add_grad(self.db(dy))
        return self.dx(dy)

    def dW(self, x, dy):
        return x.T @ dy

    def db(self, dy):
        return dy.sum(axis=0)

    def dx(self, dy):
        return dy @ self.W.data.T


class Square(Layer):
    def forward(self, x):
        self.cache.x = x
        return x * x

    def backward(self, dy):
        return 2 * dy * self.cache.x


class Noise(Layer):
    """Dropout as a user would write it."""

    def __init__(self, rate=0.5):
        self.rate = rate

    def forward(self, x):
        self.cache.mask = None
        if not self.training:
            return x
        self.cache.mask = ((self.rng.random(x.shape) >= self.rate) / (1 - self.rate)).astype(x.dtype)
        return x * self.cache.mask

    def backward(self, dy):
        return dy if self.cache.mask is None else dy * self.cache.mask


class Centre(Layer):
    """Subtracts the batch's mean in training, a running one in evaluation."""

    batch_coupled = True

    def build(self, in_shape):
        self.mean = self.buffer("mean", in_shape)
        return in_shape

    def forward(self, x):
        if not self.training or not len(x):
            return x - self.mean.data
        mean = x.mean(axis=0)
        self.mean.data = 0.9 * self.mean.data + 0.1 * mean
        return x - mean

    def backward(self, dy):
        return dy - dy.mean(axis=0) if self.training and len(dy) else dy


class Product(Layer):
    def build(self, in_shape):
        return in_shape[0]

    def forward(self, a, b):
        self.cache.a, self.cache.b = a, b
        return a * b

    def backward(self, dy):
        return dy * self.cache.b, dy * self.cache.a


class Table(Layer):
    """Rows of a table, by integer."""

    def build(self, in_shape):
        self.T = self.param("T", (6, 2), Uniform())
        return (*in_shape, 2)

    def forward(self, index):
        self.cache.index = index
        return self.T.data[index]

    def backward(self, dy):
        grad = np.zeros_like(self.T.data)
        np.add.at(grad, self.cache.index, dy)
        self.T.add_grad(grad)


class Halves(Layer):
    """Several outputs."""

    def build(self, in_shape):
        return ((in_shape[0] // 2,), (in_shape[0] - in_shape[0] // 2,))

    def forward(self, x):
        n = self.cache.n = x.shape[1] // 2
        return np.sin(x[:, :n]), x[:, n:] * 2

    def backward(self, dy):
        raise NotImplementedError


class Largest(Layer):
    """The largest number of each row, and where it is."""

    def build(self, in_shape):
        return (), ()

    def forward(self, x):
        self.cache.shape, self.cache.at = x.shape, (np.arange(len(x)), x.argmax(axis=1))
        return x[self.cache.at], x.argmax(axis=1)

    def backward(self, dy):
        dx = np.zeros(self.cache.shape, dy[0].dtype)
        dx[self.cache.at] = dy[0]
        return dx


class SinHalves(Halves):
    def forward(self, x):
        self.cache.x = x
        return super().forward(x)

    def backward(self, dy):
        left, right = dy
        return np.concatenate([left * np.cos(self.cache.x[:, : self.cache.n]), right * 2], axis=1)


class Chain(Layer):
    def __init__(self, *parts):
        self.parts = parts

    def build(self, in_shape):
        for part in self.parts:
            in_shape = part.build(in_shape)
        return in_shape

    def forward(self, x):
        for part in self.parts:
            x = part.forward(x)
        return x

    def backward(self, dy):
        for part in self.parts[::-1]:
            dy = part.backward(dy)
        return dy


class SquaredError(Loss):
    def forward(self, scores, target, weight=None):
        d = self.cache.d = scores - target
        return self.reduce(d * d, weight)

    def backward(self, dloss=1.0):
        d = 2 * self.cache.d * self.scale(dloss)
        return d, -d
