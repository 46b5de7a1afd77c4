"""ONNX's elementary functions and their slopes, for ``OnnxUnary`` and ``OnnxBinary``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import GELU

Slope = Callable[..., Any]


class Unary(NamedTuple):
    """f(x, **options) and f'(x, **options); no slope: it is 0 everywhere. ``asks``: its answers are yes and no."""

    value: Callable[..., Any]
    slope: Slope | None = None
    defaults: Mapping[str, float] = {}
    asks: bool = False


class Binary(NamedTuple):
    """f(a, b) and its slopes by a and by b; none: they are 0 everywhere."""

    value: Callable[..., Any]
    slopes: tuple[Slope, Slope] | None = None
    asks: bool = False


def _erf(x: Any) -> Any:
    """1 - erfc(x) = 2 P(√2 x) - 1, where z P(z) is GELU."""
    z = np.asarray(x, np.float64) * math.sqrt(2)
    safe = np.where(z == 0, 1, z)
    return np.where(z == 0, 0, 2 * GELU().forward(np.atleast_1d(safe)).reshape(z.shape) / safe - 1)


def _mish(x: Any) -> Any:
    return x * np.tanh(np.logaddexp(x, np.zeros_like(x)))


def _mish_slope(x: Any) -> Any:
    t = np.tanh(np.logaddexp(x, np.zeros_like(x)))
    return t + x * (1 - t * t) * (0.5 * np.tanh(0.5 * x) + 0.5)


def _hard_sigmoid(x: Any, alpha: float, beta: float) -> Any:
    return np.clip(alpha * x + beta, 0, 1)


def _hard_sigmoid_slope(x: Any, alpha: float, beta: float) -> Any:
    u = alpha * x + beta
    return alpha * ((u > 0) & (u < 1))


def _hard_swish_slope(x: Any) -> Any:
    return _hard_sigmoid(x, 1 / 6, 0.5) + x * _hard_sigmoid_slope(x, 1 / 6, 0.5)


def _celu(x: Any, alpha: float) -> Any:
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def _selu(x: Any, alpha: float, gamma: float) -> Any:
    return gamma * (np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)))


def _selu_slope(x: Any, alpha: float, gamma: float) -> Any:
    return gamma * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def _shrink(x: Any, bias: float, lambd: float) -> Any:
    return (x + bias) * (x < -lambd) + (x - bias) * (x > lambd)


UNARY: Mapping[str, Unary] = {
    "Acos": Unary(np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
    "Acosh": Unary(np.arccosh, lambda x: 1 / np.sqrt(x * x - 1)),
    "Asin": Unary(np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
    "Asinh": Unary(np.arcsinh, lambda x: 1 / np.sqrt(x * x + 1)),
    "Atan": Unary(np.arctan, lambda x: 1 / (1 + x * x)),
    "Atanh": Unary(np.arctanh, lambda x: 1 / (1 - x * x)),
    "Ceil": Unary(np.ceil),
    "Celu": Unary(_celu, lambda x, alpha: np.exp(np.minimum(x, 0) / alpha), {"alpha": 1.0}),
    "Cos": Unary(np.cos, lambda x: -np.sin(x)),
    "Cosh": Unary(np.cosh, np.sinh),
    "Erf": Unary(_erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "Floor": Unary(np.floor),
    "HardSigmoid": Unary(_hard_sigmoid, _hard_sigmoid_slope, {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": Unary(lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5), _hard_swish_slope),
    "IsNaN": Unary(np.isnan, asks=True),
    "Mish": Unary(_mish, _mish_slope),
    "Neg": Unary(np.negative, lambda x: -1),
    "Not": Unary(np.logical_not, asks=True),
    "Reciprocal": Unary(np.reciprocal, lambda x: -1 / (x * x)),
    "Round": Unary(np.round),
    "Selu": Unary(
        _selu,
        _selu_slope,
        {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323},  # its defaults, in float32
    ),
    "Shrink": Unary(_shrink, lambda x, bias, lambd: 1.0 * (np.abs(x) > lambd), {"bias": 0.0, "lambd": 0.5}),
    "Sign": Unary(np.sign),
    "Sin": Unary(np.sin, np.cos),
    "Sinh": Unary(np.sinh, np.cosh),
    "Softsign": Unary(lambda x: x / (1 + np.abs(x)), lambda x: (1 + np.abs(x)) ** -2),
    "Sqrt": Unary(np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "Tan": Unary(np.tan, lambda x: 1 + np.tan(x) ** 2),
    "ThresholdedRelu": Unary(lambda x, alpha: x * (x > alpha), lambda x, alpha: 1.0 * (x > alpha), {"alpha": 1.0}),
}


def _divide(a: Any, b: Any) -> Any:
    if a.dtype.kind == "f":
        return a / b
    if a.dtype.kind == "u":
        return a // b
    towards_zero = np.abs(a) // np.abs(b)
    return towards_zero * np.sign(a) * np.sign(b)


def _log_base(a: Any, b: Any) -> Any:
    return np.power(a, b) * np.log(np.where(a > 0, a, 1))


BINARY: Mapping[str, Binary] = {
    "Add": Binary(np.add, (lambda a, b: 1, lambda a, b: 1)),
    "And": Binary(np.logical_and, asks=True),
    "Div": Binary(_divide, (lambda a, b: 1 / b, lambda a, b: -a / (b * b))),
    "Equal": Binary(np.equal, asks=True),
    "FMod": Binary(np.fmod, (lambda a, b: 1, lambda a, b: -np.trunc(a / b))),
    "Greater": Binary(np.greater, asks=True),
    "GreaterOrEqual": Binary(np.greater_equal, asks=True),
    "Less": Binary(np.less, asks=True),
    "LessOrEqual": Binary(np.less_equal, asks=True),
    "Mod": Binary(np.mod, (lambda a, b: 1, lambda a, b: -np.floor(a / b))),
    "Mul": Binary(np.multiply, (lambda a, b: b, lambda a, b: a)),
    "Or": Binary(np.logical_or, asks=True),
    "PRelu": Binary(
        lambda a, b: np.maximum(a, 0) + b * np.minimum(a, 0),
        (lambda a, b: np.where(a > 0, 1, b), lambda a, b: np.minimum(a, 0)),
    ),
    "Pow": Binary(np.power, (lambda a, b: b * np.power(a, b - 1), _log_base)),
    "Sub": Binary(np.subtract, (lambda a, b: 1, lambda a, b: -1)),
    "Xor": Binary(np.logical_xor, asks=True),
}
