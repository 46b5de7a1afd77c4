"""Layers, and a rule, in which numbers go wrong; in a module of their own, for another process to import."""

import numpy as np
from specimens import Running

from handbrew.layers import Affine, Constant, Layer, MeanSquaredError
from handbrew.solvers import Solver


class Spike(Layer):
    """y = x w, with a number put at [2, 1] of what forward or backward returns, or at [1] of the gradient of w."""

    def __init__(self, forward=None, backward=None, grad=None):
        self.put = {"forward": forward, "backward": backward, "grad": grad}

    def build(self, in_shape):
        self.w = self.param("w", in_shape, Constant(1.0))
        return in_shape

    def forward(self, x):
        self.cache.x = x
        return self._put("forward", x * self.w.data, (2, 1))

    def backward(self, dy):
        self.w.add_grad(self._put("grad", (dy * self.cache.x).sum(axis=0), (1,)))
        return self._put("backward", dy * self.w.data, (2, 1))

    def _put(self, what, array, index):
        if self.put[what] is not None:
            array[index] = self.put[what]
        return array


class Mask(Layer):
    """y = x, but -inf in the first column, as before a softmax."""

    def forward(self, x):
        y = x.copy()
        y[:, 0] = -np.inf
        return y

    def backward(self, dy):
        dx = dy.copy()
        dx[:, 0] = 0
        return dx


class Hands(Layer):
    """A container that hands something infinite to the layer it holds."""

    def __init__(self, forward=1.0, backward=1.0):
        self.inner = Affine(4)
        self.factors = forward, backward

    def build(self, in_shape):
        return self.inner.build(in_shape)

    def forward(self, x):
        return self.inner.forward(x * np.float32(self.factors[0]))

    def backward(self, dy):
        return self.inner.backward(dy * np.float32(self.factors[1]))


class Fused(Hands):
    """A container that computes its layer's gradients itself."""

    def backward(self, dy):
        self.inner.b.add_grad(np.full(4, np.nan, np.float32))
        return dy


class Bare(Layer):
    """A net without ``Net``: a layer that takes a target."""

    takes_target = True

    def __init__(self):
        self.parts = [Affine(4), Spike(forward=float("nan"))]
        self.loss = MeanSquaredError()

    def forward(self, x, target):
        for part in self.parts:
            x = part.forward(x)
        return self.loss.forward(x, target)

    def backward(self, dloss=1.0):
        dy = self.loss.backward(dloss)[0]
        for part in reversed(self.parts):
            dy = part.backward(dy)
        return dy


class DividesByZero(Solver):
    """w -= lr g / m  with an m that is still zero."""

    state_arrays = ("m",)

    def update(self, data, grad, state, lr):
        data -= lr * grad / state.m


CUSTOM = [Running, Spike, Mask, Hands, Fused, Bare]
