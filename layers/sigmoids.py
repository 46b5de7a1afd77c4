"""Smooth activations: the sigmoid, its relatives, and rectifiers made smooth with them."""

from __future__ import annotations

import math

import numpy as np

from ._erf import erfc
from .layer import Layer
from .param import Array

_CUBIC, _TWICE = 0.044715, 2 * math.sqrt(2 / math.pi)  # in GELU's tanh form


def _sigmoid(x: Array) -> Array:
    return 0.5 * np.tanh(0.5 * x) + 0.5  # 1 / (1 + exp(-x)) would overflow


class Sigmoid(Layer):
    """y = 1 / (1 + e⁻ˣ);  dx = dy y (1 - y)."""

    backward_uses = ("output",)

    def forward(self, x: Array) -> Array:
        y = self.cache.y = _sigmoid(x)
        return y

    def backward(self, dy: Array) -> Array:
        y = self.cache.y
        return dy * (y * (1 - y))


class Tanh(Layer):
    """y = tanh x;  dx = dy (1 - y²)."""

    backward_uses = ("output",)

    def forward(self, x: Array) -> Array:
        y = self.cache.y = np.tanh(x)
        return y

    def backward(self, dy: Array) -> Array:
        y = self.cache.y
        return dy * (1 - y * y)


class Softplus(Layer):
    """y = log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|);  dx = dy sigmoid(x) = dy (1 - e⁻ʸ)  [Caffe: BNLL].

    The second form of y cannot overflow. Dugas et al., "Incorporating second-order functional knowledge
    for better option pricing", 2001.
    """

    backward_uses = ("output",)

    def forward(self, x: Array) -> Array:
        y = self.cache.y = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        return y

    def backward(self, dy: Array) -> Array:
        return dy * -np.expm1(-self.cache.y)


class SiLU(Layer):
    """y = x s,  dx = dy (s + b y (1 - s)),  with  s = sigmoid(b x),  b = ``beta``  [Caffe: Swish].

    Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning", 2018; Ramachandran et al., "Searching for activation functions", 2017 (b).
    """

    backward_uses = ("output",)

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = float(beta)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.s = _sigmoid(self.beta * x)
        c.y = x * c.s
        return c.y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        return dy * (c.s + self.beta * c.y * (1 - c.s))


class GELU(Layer):
    """y = x P(x);  dx = dy (P + x P'),  where P is the distribution function of the normal distribution.

    - ``approximate="none"``:  P = erfc(-x/√2) / 2,  P' = exp(-x²/2) / √(2π)
    - ``approximate="tanh"``:  P = (1 + tanh u) / 2,  P' = 2 P (1 - P) du/dx,  u = √(2/π) (x + 0.044715 x³)

    Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    Raises
    ------
    ValueError
        If ``approximate`` is neither.
    """

    backward_uses = ("input",)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: expected approximate="none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        c = self.cache
        if self.approximate == "tanh":
            c.p = _sigmoid(_TWICE * x * (1 + _CUBIC * x * x))  # (1 + tanh u) / 2 = sigmoid(2 u)
        else:
            c.p = 0.5 * erfc(-math.sqrt(0.5) * x)
        c.x = x
        return x * c.p

    def backward(self, dy: Array) -> Array:
        x, p = self.cache.x, self.cache.p
        if self.approximate == "tanh":
            slope = p * (1 - p) * (_TWICE + 3 * _TWICE * _CUBIC * x * x)
        else:
            slope = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
        return dy * (p + x * slope)
