"""Activations in plain functions. Each ``…_back`` takes dy and then what the function took."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def relu(x: Array) -> Array:
    """y = x where x > 0, else 0."""
    return np.maximum(x, 0)


def relu_back(dy: Array, x: Array) -> Array:
    """dx = dy where x > 0, else 0."""
    return dy * (x > 0)


def leaky_relu(x: Array, negative_slope: float) -> Array:
    """y = x where x > 0, else a x."""
    return np.maximum(x, 0) + negative_slope * np.minimum(x, 0)


def leaky_relu_back(dy: Array, x: Array, negative_slope: float) -> Array:
    """dx = dy where x > 0, else a dy."""
    return dy * (x > 0) + negative_slope * dy * (x <= 0)


def prelu(x: Array, slope: Array) -> Array:
    """y = x where x > 0, else a x, with a slope a for each channel, or one for all."""
    return np.maximum(x, 0) + slope.reshape(-1, *[1] * (x.ndim - 2)) * np.minimum(x, 0)


def prelu_back(dy: Array, x: Array, slope: Array) -> tuple[Array, Array]:
    """dx = dy where x > 0, else a dy;  da = sum of dy min(x, 0)."""
    a = slope.reshape(-1, *[1] * (x.ndim - 2))
    others = tuple(axis for axis in range(x.ndim) if slope.size == 1 or axis != 1)
    return dy * (x > 0) + a * dy * (x <= 0), (dy * np.minimum(x, 0)).sum(axis=others).reshape(slope.shape)


def elu(x: Array, alpha: float = 1.0, factor: float = 1.0) -> Array:
    """y = x where x > 0, else a (exp(x) - 1); SELU is a multiple of it."""
    return factor * (np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)))


def elu_back(dy: Array, x: Array, alpha: float = 1.0, factor: float = 1.0) -> Array:
    """dx = dy where x > 0, else dy a exp(x)."""
    return factor * (dy * (x > 0) + alpha * np.exp(np.minimum(x, 0)) * dy * (x <= 0))


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + exp(-x)), written so that nothing overflows."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def sigmoid_back(dy: Array, x: Array) -> Array:
    """dx = dy y (1 - y)."""
    y = sigmoid(x)
    return dy * y * (1 - y)


def tanh(x: Array) -> Array:
    """y = tanh x."""
    return np.tanh(x)


def tanh_back(dy: Array, x: Array) -> Array:
    """dx = dy (1 - y²)."""
    return dy * (1 - np.tanh(x) ** 2)


def softplus(x: Array) -> Array:
    """y = log(1 + exp(x)), written so that nothing overflows."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_back(dy: Array, x: Array) -> Array:
    """dx = dy sigmoid(x) = dy (1 - exp(-y))."""
    return dy * -np.expm1(-softplus(x))


def silu(x: Array, factor: float = 1.0) -> Array:
    """y = x s,  s = sigmoid(factor x)."""
    return x * sigmoid(factor * x)


def silu_back(dy: Array, x: Array, factor: float = 1.0) -> Array:
    """dx = dy (s + factor y (1 - s))."""
    s = sigmoid(factor * x)
    return dy * (s + factor * x * s * (1 - s))


def gelu(x: Array) -> Array:
    """y = x P,  P = (1 + erf(x / √2)) / 2: the probability that a normal number is below x."""
    upper = np.vectorize(math.erfc, otypes=[x.dtype])(-math.sqrt(0.5) * x)
    return x * 0.5 * upper


def gelu_back(dy: Array, x: Array) -> Array:
    """dx = dy (P + x p),  p = exp(-x²/2) / √(2π)."""
    upper = np.vectorize(math.erfc, otypes=[x.dtype])(-math.sqrt(0.5) * x)
    return dy * (0.5 * upper + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


def gelu_tanh(x: Array) -> Array:
    """y = x P,  P = (1 + tanh u) / 2,  u = √(2/π) (x + 0.044715 x³)."""
    return x * (0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)) + 0.5)


def gelu_tanh_back(dy: Array, x: Array) -> Array:
    """dx = dy (P + x 2 P (1 - P) du/dx)."""
    P = 0.5 * np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)) + 0.5
    return dy * (P + x * 2 * P * (1 - P) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x))


def softmax(x: Array, axis: int = 1) -> Array:
    """y = exp(x) / sum of exp(x); with the maximum subtracted first, nothing overflows."""
    y = np.exp(x - x.max(axis=axis, keepdims=True))
    return y / y.sum(axis=axis, keepdims=True)


def softmax_back(dy: Array, x: Array, axis: int = 1) -> Array:
    """dx = y (dy - sum of y dy)."""
    y = softmax(x, axis)
    return y * (dy - (y * dy).sum(axis=axis, keepdims=True))


def log_softmax(x: Array, axis: int = 1) -> Array:
    """y = x - log(sum of exp(x)); with the maximum subtracted first, nothing overflows."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def log_softmax_back(dy: Array, x: Array, axis: int = 1) -> Array:
    """dx = dy - exp(y) sum of dy."""
    return dy - np.exp(log_softmax(x, axis)) * dy.sum(axis=axis, keepdims=True)


def absolute(x: Array) -> Array:
    """y = |x|."""
    return np.abs(x)


def absolute_back(dy: Array, x: Array) -> Array:
    """dx = dy sign(x)."""
    return dy * np.sign(x)


def power(x: Array, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> Array:
    """y = (shift + scale x)^power."""
    return (scale * x + shift) ** power


def power_back(dy: Array, x: Array, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> Array:
    """dx = dy power scale (shift + scale x)^(power - 1)."""
    return dy * power * scale * (scale * x + shift) ** (power - 1) if power else np.zeros_like(dy)


def exponential(x: Array, base: float = math.e, scale: float = 1.0, shift: float = 0.0) -> Array:
    """y = base^(shift + scale x)."""
    return np.exp(math.log(base) * (scale * x + shift))


def exponential_back(dy: Array, x: Array, base: float = math.e, scale: float = 1.0, shift: float = 0.0) -> Array:
    """dx = dy y scale log(base)."""
    return dy * exponential(x, base, scale, shift) * scale * math.log(base)


def logarithm(x: Array, base: float = math.e, scale: float = 1.0, shift: float = 0.0) -> Array:
    """y = log(shift + scale x) / log(base)."""
    return np.log(scale * x + shift) / math.log(base)


def logarithm_back(dy: Array, x: Array, base: float = math.e, scale: float = 1.0, shift: float = 0.0) -> Array:
    """dx = dy scale / ((shift + scale x) log(base))."""
    return dy * scale / ((scale * x + shift) * math.log(base))


def clip(x: Array, lowest: float, highest: float) -> Array:
    """y = x where that is between the two, else the nearer of them."""
    return np.minimum(np.maximum(x, lowest), highest)


def clip_back(dy: Array, x: Array, lowest: float, highest: float) -> Array:
    """dx = dy where x is between the two."""
    return dy * ((x >= lowest) & (x <= highest))


def step(x: Array, threshold: float = 0.0) -> Array:
    """y = 1 where x > threshold, else 0."""
    return (x > threshold).astype(x.dtype)


def step_back(dy: Array, x: Array, threshold: float = 0.0) -> Array:
    """A step is flat on both sides."""
    return np.zeros_like(dy)
