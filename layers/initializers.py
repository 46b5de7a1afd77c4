"""Initial values. Each draws in float64 from the generator it is given, so that every dtype starts alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .configurable import Configurable

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


class Initializer(Configurable):
    """Base class: a subclass defines ``sample``."""

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        """Return an array of ``shape``; ``fan_in`` and ``fan_out`` count a unit's inputs and outputs."""
        raise NotImplementedError(f"{type(self).__name__} defines no sample(self, rng, shape, fan_in, fan_out)")


class Constant(Initializer):
    """Every element is ``value``."""

    def __init__(self, value: float) -> None:
        self.value = value

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        return np.full(shape, self.value, np.float64)


class Zeros(Initializer):
    """Every element is 0: the default of biases."""

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        return np.zeros(shape)


class Uniform(Initializer):
    """U(low, high)."""

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low, self.high = low, high

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        return rng.uniform(self.low, self.high, shape)


class Normal(Initializer):
    """N(mean, std²) [Caffe: gaussian]."""

    def __init__(self, mean: float = 0.0, std: float = 0.01) -> None:
        self.mean, self.std = mean, std

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        return rng.normal(self.mean, self.std, shape)


class _Scaled(Initializer):
    """Zero mean, and the variance that the subclass computes from the fans."""

    distribution: str

    def __init__(self, distribution: str = "normal") -> None:
        self.distribution = _one_of(distribution, "distribution", ("normal", "uniform"))

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        std = math.sqrt(self.variance(*_fans(shape, fan_in, fan_out)))
        if self.distribution == "normal":
            return rng.normal(0.0, std, shape)
        return rng.uniform(-math.sqrt(3) * std, math.sqrt(3) * std, shape)  # U(-a, a) has the variance a²/3

    def variance(self, fan_in: float, fan_out: float) -> float:
        raise NotImplementedError


class He(_Scaled):
    """Variance 2 / fan_in, which keeps a ReLU net's activations alive: the default of weights.

    He et al., "Delving Deep into Rectifiers", 2015. ``distribution``: "normal" (default) or "uniform".
    """

    def variance(self, fan_in: float, fan_out: float) -> float:
        return 2.0 / fan_in


class LeCun(_Scaled):
    """Variance 1 / fan_in. LeCun et al., "Efficient BackProp", 1998; what ``SELU`` asks for."""

    def variance(self, fan_in: float, fan_out: float) -> float:
        return 1.0 / fan_in


class Glorot(_Scaled):
    """Variance 2 / (fan_in + fan_out), uniform by default.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """

    def __init__(self, distribution: str = "uniform") -> None:
        super().__init__(distribution)

    def variance(self, fan_in: float, fan_out: float) -> float:
        return 2.0 / (fan_in + fan_out)


class CaffeXavier(_Scaled):
    """U(-a, a), a = sqrt(3 / n): Caffe's ``xavier`` filler, whose n is fan_in unless told otherwise.

    ``variance_norm`` is "fan_in", "fan_out" or "average" (of the two). Caffe reads both from the weight's
    shape: fan_in = size / shape[0], fan_out = size / shape[1] (an ``Affine`` weight is transposed there).
    """

    gain, distribution = 1.0, "uniform"

    def __init__(self, variance_norm: str = "fan_in") -> None:
        self.variance_norm = _one_of(variance_norm, "variance_norm", ("fan_in", "fan_out", "average"))

    def variance(self, fan_in: float, fan_out: float) -> float:
        n = {"fan_in": fan_in, "fan_out": fan_out, "average": (fan_in + fan_out) / 2}[self.variance_norm]
        return self.gain / n


class CaffeMSRA(CaffeXavier):
    """N(0, 2 / n): Caffe's ``msra`` filler; ``variance_norm`` as for ``CaffeXavier``."""

    gain, distribution = 2.0, "normal"


class Orthogonal(Initializer):
    """``gain`` times a matrix with orthonormal rows or columns, whichever are fewer; shape[0] against the rest.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected a shape of two axes or more, got {shape}")
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))  # without it QR's own sign convention would bias the draw
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


def _one_of(value: str, name: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def _fans(shape: Shape, fan_in: int | None, fan_out: int | None) -> tuple[float, float]:
    # Without being told, a vector counts itself and a matrix (in, out) its sides.
    default_in, default_out = (shape[0], shape[-1]) if shape else (1, 1)
    return max(fan_in if fan_in is not None else default_in, 1), max(fan_out if fan_out is not None else default_out, 1)
