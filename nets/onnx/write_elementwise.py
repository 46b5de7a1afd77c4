"""Elementwise layers, merges and softmax as operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handbrew.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Bias,
    Clip,
    Concat,
    Dropout,
    Dropout2D,
    Exp,
    Log,
    LogSoftmax,
    Maximum,
    Multiply,
    Normalize,
    Power,
    PReLU,
    RandomCrop,
    RandomFlip,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    Threshold,
)

from .writer import Emitter, Values, Writer


def same(w: Writer, layer: Any, x: Values) -> str:
    """Layers that do nothing in use."""
    return x[0]


def simple(kind: str) -> Emitter:
    """An operator without attributes."""
    return lambda w, layer, x: w.op(kind, x)


def relu(w: Writer, layer: ReLU, x: Values) -> str:
    """A slope on the negative side is another operator."""
    return w.op("LeakyRelu", x, alpha=layer.negative_slope) if layer.negative_slope else w.op("Relu", x)


def prelu(w: Writer, layer: PReLU, x: Values) -> str:
    """One slope for each channel, in a shape that broadcasts."""
    shape: Any = layer.in_shape
    along = (1,) if layer.shared else (shape[0], *(1,) * (len(shape) - 1))
    return w.op("PRelu", (*x, w.weight("slope", layer.slope.data.reshape(along), layer.slope)))


def silu(w: Writer, layer: SiLU, x: Values) -> str:
    """X times a sigmoid: Swish is younger than the operator set that is written."""
    return w.op("Mul", (*x, w.op("Sigmoid", (w.scaled(x[0], layer.beta),))))


def exp(w: Writer, layer: Exp, x: Values) -> str:
    """A power of e."""
    base = 1.0 if layer.base is None else math.log(layer.base)
    return w.op("Exp", (w.scaled(x[0], base * layer.scale, base * layer.shift),))


def log(w: Writer, layer: Log, x: Values) -> str:
    """A natural logarithm, scaled."""
    y = w.op("Log", (w.scaled(x[0], layer.scale, layer.shift),))
    return w.scaled(y, 1.0 if layer.base is None else 1 / math.log(layer.base))


def power(w: Writer, layer: Power, x: Values) -> str:
    """A power of a scaled x."""
    u = w.scaled(x[0], layer.scale, layer.shift)
    return u if layer.power == 1 else w.op("Pow", (u, w.constant(layer.power)))


def clip(w: Writer, layer: Clip, x: Values) -> str:
    """Bounds, those that are infinite left out."""
    low, high = (w.constant(b) if math.isfinite(b) else "" for b in (layer.min, layer.max))
    return w.op("Clip", (*x, low, high))


def threshold(w: Writer, layer: Threshold, x: Values) -> str:
    """A comparison, as numbers."""
    above = w.op("Greater", (*x, w.constant(layer.threshold)))
    return w.op("Cast", (above,), to=w.helper.np_dtype_to_tensor_dtype(w.dtype))


def dropout(w: Writer, layer: Dropout, x: Values) -> str:
    """Nothing in use; a reader that goes on training finds the rate."""
    return w.op("Dropout", (*x, w.constant(layer.rate)))


def normalize(w: Writer, layer: Normalize, x: Values) -> str:
    """A difference, and a quotient."""
    y = w.op("Sub", (*x, w.constant(_along(layer.mean, layer.in_shape))))
    return w.op("Div", (y, w.constant(_along(layer.std, layer.in_shape))))


def _along(numbers: float | Sequence[float], shape: Any) -> Any:
    """Numbers of the channels in a shape that broadcasts."""
    return np.reshape(numbers, (-1, *(1,) * (len(shape) - 1)))


def add(w: Writer, layer: Add, x: Values) -> str:
    """A sum of scaled inputs."""
    if layer.coefficients is not None:
        x = tuple(w.scaled(v, float(a)) for v, a in zip(x, layer.coefficients, strict=True))
    return w.op("Add" if len(x) == 2 else "Sum", x)


def multiply(w: Writer, layer: Multiply, x: Values) -> str:
    """Products of two."""
    y, *rest = x
    for other in rest:
        y = w.op("Mul", (y, other))
    return y


def scale(w: Writer, layer: Scale | Bias, x: Values) -> str:
    """A factor, and an addend, with axes of size 1 behind; learned, or the second input."""
    shape: Any = layer.in_shape[0] if len(x) > 1 else layer.in_shape  # type: ignore[index]
    start = layer.axis + 1 + len(shape) if layer.axis < 0 else layer.axis
    room = 1 + len(shape) - start  # axes that are left for it and those behind it
    kind, y = "Mul" if isinstance(layer, Scale) else "Add", x[0]
    if len(x) > 1:
        ndim = 1 + len(layer.in_shape[1])  # type: ignore[index]
        there = x[1] if ndim == room else w.op("Reshape", (x[1], w.integers(*(0,) * ndim, *(1,) * (room - ndim))))
        y = w.op(kind, (y, there))
    for name, p in layer._shared.params.items():
        wide = p.data.reshape(*p.shape, *(1,) * (room - p.data.ndim))
        y = w.op("Add" if name == "b" else "Mul", (y, w.weight(name, wide, p)))
    return y


TABLE: dict[type, Emitter] = {
    Abs: simple("Abs"),
    Add: add,
    Bias: scale,
    Clip: clip,
    Concat: lambda w, layer, x: w.op("Concat", x, axis=layer.axis),
    Dropout: dropout,
    Dropout2D: same,
    ELU: lambda w, layer, x: w.op("Elu", x, alpha=layer.alpha),
    Exp: exp,
    GELU: lambda w, layer, x: w.op("Gelu", x, approximate=layer.approximate),
    Log: log,
    LogSoftmax: lambda w, layer, x: w.op("LogSoftmax", x, axis=layer.axis),
    Maximum: simple("Max"),
    Multiply: multiply,
    Normalize: normalize,
    PReLU: prelu,
    Power: power,
    RandomCrop: same,
    RandomFlip: same,
    ReLU: relu,
    SELU: simple("Selu"),
    Scale: scale,
    SiLU: silu,
    Sigmoid: simple("Sigmoid"),
    Softmax: lambda w, layer, x: w.op("Softmax", x, axis=layer.axis),
    Softplus: simple("Softplus"),
    Tanh: simple("Tanh"),
    Threshold: threshold,
}
