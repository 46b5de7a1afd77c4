"""Layers such as users write them, for tests of nets."""

import numpy as np

from handbrew.layers import Constant, Layer


class Counted(Layer):
    """The identity; remembers how often it ran, and the last arrays that went through."""

    def __init__(self):
        self.forwards = self.backwards = 0

    def forward(self, x):
        self.forwards += 1
        self.cache.x = x
        self.seen = x
        return x + 0

    def backward(self, dy):
        assert self.cache.x.shape == dy.shape
        self.backwards += 1
        self.gradient = dy
        return dy + 0


class Noise(Layer):
    """Multiplies by random numbers in training, as dropout does."""

    def forward(self, x):
        self.cache.m = self.rng.random(x.shape).astype(x.dtype) if self.training else np.ones_like(x)
        return x * self.cache.m

    def backward(self, dy):
        return dy * self.cache.m


class Running(Layer):
    """y = scale (x - mean), where the mean, a buffer, follows the batches in training."""

    def build(self, in_shape):
        self.scale = self.param("scale", in_shape, Constant(1.0))
        self.mean = self.buffer("mean", in_shape)
        return in_shape

    def forward(self, x):
        if self.training:
            self.mean.data = 0.75 * self.mean.data + 0.25 * x.mean(axis=0)
        self.cache.d = x - self.mean.data
        return self.cache.d * self.scale.data

    def backward(self, dy):
        if self.scale.trainable:
            self.scale.add_grad((dy * self.cache.d).sum(axis=0))
        return dy * self.scale.data


class Pair(Layer):
    """y = first(x) + second(x): a container of a user's own."""

    def __init__(self, first, second):
        self.first, self.second = first, second

    def build(self, in_shape):
        self.second.build(in_shape)
        return self.first.build(in_shape)

    def forward(self, x):
        return self.first.forward(x) + self.second.forward(x)

    def backward(self, dy):
        return self.first.backward(dy) + self.second.backward(dy)


class Broken(Layer):
    """Fails with an error that knows nothing of nets, when told to."""

    def __init__(self, forward=True, backward=False):
        self.fails = {"forward": forward, "backward": backward}

    def forward(self, x):
        if self.fails["forward"]:
            raise ZeroDivisionError("an accident")
        return x

    def backward(self, dy):
        if self.fails["backward"]:
            raise ZeroDivisionError("an accident")
        return dy
