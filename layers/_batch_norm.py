"""Batch statistics: the arithmetic of ``BatchNorm``, written once for both ways that channels can lie in memory.

Blocks of channels stay in a core's cache through all steps, so that each array goes through main memory once. A
block takes some twenty microseconds: each NumPy call in it counts.

The variance is that of the centred numbers. The shortcut, mean of squares less square of the mean, loses all its
digits in float32 where the mean is large.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._images import samples_first, samples_last
from ._numerics import column_sum, row_sum
from .threads import PIECE, share, unbuffered

Array = np.ndarray[Any, np.dtype[Any]]


class Lines:
    """(C, M): all numbers of a channel lie side by side, as in images, samples last."""

    @staticmethod
    def view(x: Array) -> Array:
        last = samples_last(x)
        return last.reshape(len(last), last[0].size)

    @staticmethod
    def back(y: Array, shape: tuple[int, ...]) -> Array:
        return samples_first(y.reshape(*shape[1:], shape[0]))

    @staticmethod
    def blocks(x: Array) -> list[Any]:
        step = max(1, PIECE // (x.shape[1] or 1))
        return [slice(c, c + step) for c in range(0, len(x), step)]

    @staticmethod
    def of(a: Any) -> Any:
        return a

    sum = staticmethod(row_sum)
    dot = staticmethod(np.vecdot)

    @staticmethod
    def up(v: Array) -> Array:
        return v[:, None]


class Features:
    """(N, C): all numbers of a sample lie side by side, as ``Affine`` makes them."""

    @staticmethod
    def view(x: Array) -> Array:
        return np.ascontiguousarray(x)

    @staticmethod
    def back(y: Array, shape: tuple[int, ...]) -> Array:
        return y

    @staticmethod
    def blocks(x: Array) -> list[Any]:
        step = max(64, PIECE // (len(x) or 1))
        return [slice(c, c + step) for c in range(0, x.shape[1], step)]

    @staticmethod
    def of(a: Any) -> Any:
        return slice(None), a

    sum = staticmethod(column_sum)

    @staticmethod
    def dot(a: Array, b: Array) -> Array:
        return column_sum(a * b)

    @staticmethod
    def up(v: Array) -> Array:
        return v


Layout = type[Lines] | type[Features]


class Batch(NamedTuple):
    """What backward needs: the input, and the mean and 1 / sqrt(variance + eps) of each channel."""

    layout: Layout
    x: Array
    mean: Array
    rate: Array
    fixed: bool


def normalize(layout: Layout, x: Array, eps: float, gamma: Array | None, beta: Array | None) -> Any:
    """Return y = gamma (x - mean) / sqrt(var + eps) + beta, the mean and the variance."""
    y, count = np.empty(x.shape, x.dtype), x.size // max(1, len(mean))
    mean, var = np.empty((2, channels), x.dtype)

    def block(a: slice) -> None:
        rows, out = x[layout.of(a)], y[layout.of(a)]
