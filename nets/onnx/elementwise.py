"""Functions of each element, and of elements that are broadcast against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from .base import Array, OnnxLayer, is_float, reduced
from .functions import BINARY, UNARY


class OnnxUnary(OnnxLayer):
    """y = f(x),  dx = dy f'(x),  f being one of ONNX's functions: ``OnnxUnary("Sqrt")``.

    Parameters
    ----------
    function : str
        The operator's name; those that handbrew has layers for are missing.
    **options : float
        The operator's attributes, like ``alpha`` of HardSigmoid.

    Raises
    ------
    ValueError
        If there is no such function, or it takes other options.
    """

    batch_coupled = False
    backward_uses = ("input",)

    def __init__(self, function: str, **options: float) -> None:
        if function not in UNARY:
            raise ValueError(f"OnnxUnary: expected one of {', '.join(UNARY)}, got {function!r:.40}")
        defaults = UNARY[function].defaults
        if not options.keys() <= defaults.keys():
            raise ValueError(f"OnnxUnary: {function} takes {', '.join(defaults) or 'no options'}, got {options}")
        self.function, self._options = function, {**defaults, **{k: float(v) for k, v in options.items()}}

    def forward(self, x: Array) -> Array:
        self.cache.x = x
        return np.asarray(UNARY[self.function].value(x, **self._options), self._dtype(x))

    def backward(self, dy: Array) -> Array | None:
        x = self.cache.x
        slope = UNARY[self.function].slope
        if not is_float(x):
            return None
        return np.zeros_like(x) if slope is None else np.asarray(dy * slope(x, **self._options), x.dtype)

    def _dtype(self, x: Array) -> Any:
        return np.bool_ if UNARY[self.function].asks else x.dtype


class OnnxBinary(OnnxLayer):
    """y = f(a, b),  da = dy ∂f/∂a,  db = dy ∂f/∂b, each summed over what it was broadcast to: ``OnnxBinary("Sub")``.

    Parameters
    ----------
    function : str
        The operator's name; "FMod" is Mod with ``fmod=1``, whose remainder has the sign of a, as in C.

    Raises
    ------
    ValueError
        If there is no such function.
    """

    backward_uses = ("input",)

    def __init__(self, function: str) -> None:
        if function not in BINARY:
            raise ValueError(f"OnnxBinary: expected one of {', '.join(BINARY)}, got {function!r:.40}")
        self.function = function

    def forward(self, a: Array, b: Array) -> Array:
        c, f = self.cache, BINARY[self.function]
        self.allow(self.broadcast(a.shape, b.shape), a, b)
        c.a, c.b = a, b
        return np.asarray(f.value(a, b), np.bool_ if f.asks else a.dtype)

    def backward(self, dy: Array) -> tuple[Array | None, Array | None]:
        a, b = self.cache.a, self.cache.b
        slopes = BINARY[self.function].slopes
        if slopes is None:
            return tuple(np.zeros_like(x) if is_float(x) else None for x in (a, b))  # type: ignore[return-value]
        return tuple(
            reduced(np.asarray(dy * slope(a, b), x.dtype), x.shape) if is_float(x) else None
            for x, slope in zip((a, b), slopes, strict=True)
        )  # type: ignore[return-value]


FOLDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Max": np.maximum,
    "Min": np.minimum,
    "Mean": np.add,
    "Sum": np.add,
}


class OnnxVariadic(OnnxLayer):
    """y = the Sum, Mean, Max or Min of one input or more, which are broadcast against each other.

    dx_i = dy for Sum, dy / their number for Mean; for Max and Min dy where x_i is the first that equals y, else 0;
    each summed over what it was broadcast to.

    Raises
    ------
    ValueError
        If there is no such function.
    """

    def __init__(self, function: str) -> None:
        if function not in FOLDS:
            raise ValueError(f"OnnxVariadic: expected one of {', '.join(FOLDS)}, got {function!r:.40}")
        self.function = function

    def forward(self, *inputs: Array) -> Array:
        c = self.cache
        self.allow(self.broadcast(*(x.shape for x in inputs)), *inputs)
        y = reduce(FOLDS[self.function], inputs)
        if self.function == "Mean":
            y = y / y.dtype.type(len(inputs))
        c.inputs, c.y = inputs, y
        return np.asarray(y)

    def backward(self, dy: Array) -> Any:
        c, left = self.cache, np.ones(dy.shape, bool)
        grads = []
        for x in c.inputs:
            d = dy / dy.dtype.type(len(c.inputs)) if self.function == "Mean" else dy
            if self.function in ("Max", "Min"):
                won = left & (x == c.y)
                left &= ~won
                d = dy * won
            grads.append(reduced(d, x.shape))
        return grads[0] if len(grads) == 1 else tuple(grads)


class OnnxWhere(OnnxLayer):
    """y = a where the condition holds, else b;  da = dy there,  db = dy elsewhere; all are broadcast."""

    backward_uses = ()

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        c = self.cache
        self.allow(self.broadcast(condition.shape, a.shape, b.shape), condition, a, b)
        c.condition, c.a, c.b = condition, (a.shape, is_float(a)), (b.shape, is_float(b))
        return np.where(condition, a, b)

    def backward(self, dy: Array) -> tuple[None, Array | None, Array | None]:
        c = self.cache
        da = reduced(dy * c.condition, c.a[0]) if c.a[1] else None
        return None, da, reduced(dy * ~c.condition, c.b[0]) if c.b[1] else None


class OnnxClip(OnnxLayer):
    """y = x between ``min`` and ``max``, else the nearer of them;  dx = dy where min <= x <= max, else 0.

    Where min > max, y is max. Bounds that are not known beforehand are further inputs, min and then max, of no or
    one element, an empty one being none; they get the sum of dy where x lies beyond.
    """

    backward_uses = ("input",)

    def __init__(self, min: float | None = None, max: float | None = None) -> None:
        self.min, self.max = min, max

    def forward(self, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
        c = self.cache
        c.bounds = [bound for bound in (low, high) if bound is not None]
        bounds = (self.min, -math.inf, low), (self.max, math.inf, high)
        least, most = (_bound(given, default, extra, x.dtype) for given, default, extra in bounds)
        c.above, c.below = x > most, x < least
        return np.asarray(np.minimum(np.maximum(x, least), most), x.dtype)

    def backward(self, dy: Array) -> Any:
        c = self.cache
        if dy.dtype.kind != "f":
            return None
        dx = dy * ~(c.above | c.below)
        beyond = (c.below & ~c.above, c.above)
        grads = [np.full_like(b, (dy * out).sum()) for b, out in zip(c.bounds, beyond, strict=False)]
        return (dx, *grads) if grads else dx


def _bound(given: float | None, default: float, extra: Array | None, dtype: Any) -> Any:
    value = extra.reshape(-1)[0] if extra is not None and extra.size else given
    if value is None:
        value = default if dtype.kind == "f" else (np.iinfo(dtype).min if default < 0 else np.iinfo(dtype).max)
    return dtype.type(value)
