"""Elementary functions of each element."""

from __future__ import annotations

import math

import numpy as np

from .layer import Layer
from .param import Array


class Abs(Layer):
    """y = |x|;  dx = dy sign(x), so 0 at 0  [Caffe: AbsVal]."""

    backward_uses = ("input",)

    def forward(self, x: Array) -> Array:
        self.cache.x = x
        return np.abs(x)

    def backward(self, dy: Array) -> Array:
        return dy * np.sign(self.cache.x)


class Power(Layer):
    """y = uᵖ,  dx = dy p a uᵖ⁻¹,  with  u = b + a x,  p = ``power``, a = ``scale``, b = ``shift``.

    As in NumPy, a negative u has no fractional power (nan), and 0 no negative one (inf).
    """

    backward_uses = ()

    def __init__(self, power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> None:
        self.power, self.scale, self.shift = float(power), float(scale), float(shift)

    def forward(self, x: Array) -> Array:
        u = self.cache.u = self.scale * x + self.shift
        return u**self.power

    def backward(self, dy: Array) -> Array:
        if self.power == 0:
            return np.zeros_like(dy)  # u⁻¹ would not exist at 0
        return dy * (self.power * self.scale * self.cache.u ** (self.power - 1))


class Exp(Layer):
    """y = cᵘ,  dx = dy y a log(c),  with  u = b + a x,  c = ``base``, a = ``scale``, b = ``shift``.

    ``base=None`` is e [Caffe: -1]. Large inputs overflow, with NumPy's warning.

    Raises
    ------
    ValueError
        If the base is not positive.
    """

    backward_uses = ("output",)

    def __init__(self, base: float | None = None, scale: float = 1.0, shift: float = 0.0) -> None:
        self.base, self.scale, self.shift = _positive(base, "Exp"), float(scale), float(shift)

    def forward(self, x: Array) -> Array:
        u = self.scale * x + self.shift
        y = self.cache.y = np.exp(u if self.base is None else math.log(self.base) * u)
        return y

    def backward(self, dy: Array) -> Array:
        slope = self.scale if self.base is None else self.scale * math.log(self.base)
        return dy * (slope * self.cache.y)


class Log(Layer):
    """y = log(u) / log(c),  dx = dy a / (u log c),  with  u = b + a x;  c, a, b as in ``Exp``.

    ``base=None`` is e [Caffe: -1]. u should be positive: as in NumPy, log(0) is -inf and log(-1) nan.

    Raises
    ------
    ValueError
        If the base is not positive, or 1.
    """

    backward_uses = ()

    def __init__(self, base: float | None = None, scale: float = 1.0, shift: float = 0.0) -> None:
        self.base, self.scale, self.shift = _positive(base, "Log"), float(scale), float(shift)
        if base == 1:
            raise ValueError("Log: expected a base other than 1")

    def forward(self, x: Array) -> Array:
        u = self.cache.u = self.scale * x + self.shift
        return np.log(u) if self.base is None else np.log(u) / math.log(self.base)

    def backward(self, dy: Array) -> Array:
        slope = self.scale if self.base is None else self.scale / math.log(self.base)
        return slope * dy / self.cache.u


class Clip(Layer):
    """y = x between ``min`` and ``max``, else the nearer of them;  dx = dy where min <= x <= max, else 0.

    Raises
    ------
    ValueError
        If ``min`` is greater than ``max``.
    """

    backward_uses = ()

    def __init__(self, min: float, max: float) -> None:
        if not min <= max:
            raise ValueError(f"Clip: expected min <= max, got min={min} and max={max}")
        self.min, self.max = float(min), float(max)

    def forward(self, x: Array) -> Array:
        self.cache.inside = (x >= self.min) & (x <= self.max)
        return np.minimum(np.maximum(x, self.min), self.max)

    def backward(self, dy: Array) -> Array:
        return dy * self.cache.inside


class Threshold(Layer):
    """y = 1 where x > t, else 0;  dx = 0;  t = ``threshold``.

    A step is flat on both sides, so nothing below it learns (Caffe refuses backward). PyTorch's layer of
    that name is another function.
    """

    backward_uses = ()

    def __init__(self, threshold: float = 0.0) -> None:
        self.threshold = float(threshold)

    def forward(self, x: Array) -> Array:
        return (x > self.threshold).astype(x.dtype)

    def backward(self, dy: Array) -> Array:
        return np.zeros_like(dy)


def _positive(base: float | None, name: str) -> float | None:
    if base is not None and not base > 0:
        raise ValueError(f"{name}: expected a positive base, or None for e, got {base}")
    return base
