"""Batch statistics: the arithmetic of ``BatchNorm``, for both ways that channels lie in memory.

Channels are worked on in blocks, through all steps, each NumPy call taking a tenth of a millisecond: of blocks that
would fit in a core's cache the calls are so short that two threads mostly wait for each other.

The variance is that of the centred numbers. The shortcut, mean of squares less square of the mean, loses all its
digits in float32 where the mean is large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ._images import samples_first, samples_last
from ._numerics import column_sum, row_sum
from .threads import LARGE, PIECE, share

Array = np.ndarray[Any, np.dtype[Any]]
BLOCK = LARGE  # numbers
# Where something is broadcast, NumPy copies runs shorter than BUFFER into a buffer of that size. That helps with
# very SHORT ones; to go without doubles the speed of the others.
BUFFER, SHORT = 8192, 400


class Layout(NamedTuple):
    """How to see an array as a matrix, and how to go about its channels."""

    view: Callable[[Array], Array]
    back: Callable[[Array, tuple[int, ...]], Array]
    axis: int  # of the channels in the matrix
    sum: Callable[[Array], Array]  # for each channel
    dot: Callable[[Array, Array], Array]  # for each channel
    shape: tuple[int, int]  # of a number for each channel, to broadcast

    def blocks(self, x: Array) -> list[tuple[slice, ...]]:
        """Indices of stretches of channels, a block each."""
        channels, count = x.shape[self.axis], x.shape[1 - self.axis]
        step = max(1 if self.axis == 0 else 64, BLOCK // max(1, count))
        stretches = [slice(c, c + step) for c in range(0, channels, step)]
        return [(s,) if self.axis == 0 else (slice(None), s) for s in stretches]


def _lines(x: Array) -> Array:
    last = samples_last(x)
    return last.reshape(len(last), last[0].size if len(last) else 0)


# All numbers of a channel lie side by side, as in images: (C, H W N).
LINES = Layout(_lines, lambda y, shape: samples_first(y.reshape(*shape[1:], shape[0])), 0, row_sum, np.vecdot, (-1, 1))
# All numbers of a sample lie side by side, as Affine makes them: (N, C).
FEATURES = Layout(np.ascontiguousarray, lambda y, shape: y, 1, column_sum, lambda a, b: column_sum(a * b), (1, -1))


def normalize(x: Array, layout: Layout, eps: float, gamma: Array | None, beta: Array | None) -> tuple[Array, ...]:
    """Return y = gamma (x - mean) / sqrt(var + eps) + beta, mean and var."""
    channels, count = x.shape[layout.axis], x.shape[1 - layout.axis]
    y, (mean, var) = np.empty_like(x), np.zeros((2, channels), x.dtype)

    def block(at: tuple[slice, ...]) -> None:
        c, part, out = at[-1], x[at], y[at]
        m = layout.sum(part)
        m /= count
        np.subtract(part, m.reshape(layout.shape), out=out)
        v = layout.dot(out, out)
        v /= count
        mean[c], var[c] = m, v
        v += eps
        rate = 1 / np.sqrt(v, out=v)
        if gamma is not None:
            rate *= gamma[c]
        out *= rate.reshape(layout.shape)
        if beta is not None:
            out += beta[c].reshape(layout.shape)

    each(block, x, layout)
    return y, mean, var


def rescale(x: Array, layout: Layout, factor: Array, shift: Array | None = None, mean: Array | None = None) -> Array:
    """Return (x - mean) factor + shift."""
    y = np.empty_like(x)

    def block(at: tuple[slice, ...]) -> None:
        part, out = x[at], y[at]
        if mean is not None:
            part = np.subtract(part, mean[at[-1]].reshape(layout.shape), out=out)
        np.multiply(part, factor[at[-1]].reshape(layout.shape), out=out)
        if shift is not None:
            out += shift[at[-1]].reshape(layout.shape)

    each(block, x, layout)
    return y


def sums(dy: Array, x: Array, layout: Layout, mean: Array) -> tuple[Array, Array]:
    """Return Σ dy (x - mean) and Σ dy of each channel."""
    dots, totals = np.zeros((2, x.shape[layout.axis]), x.dtype)

    def block(at: tuple[slice, ...]) -> None:
        c = at[-1]
        dots[c] = layout.dot(dy[at], x[at] - mean[c].reshape(layout.shape))
        totals[c] = layout.sum(dy[at])

    each(block, x, layout)
    return dots, totals


def backward(
    dy: Array, x: Array, layout: Layout, mean: Array, rate: Array, gamma: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx = gamma rate (dy - Σ dy / M - z rate² Σ dy z / M), Σ dy z and Σ dy, where z = x - mean."""
    channels, count = x.shape[layout.axis], x.shape[1 - layout.axis]
    dx, (dots, totals) = np.empty_like(x), np.zeros((2, channels), x.dtype)
    factor = rate if gamma is None else rate * gamma
    slope = rate * rate / -max(1, count)

    def block(at: tuple[slice, ...]) -> None:
        c, grad = at[-1], dy[at]
        out = np.subtract(x[at], mean[c].reshape(layout.shape), out=dx[at])
        dot, total = layout.dot(grad, out), layout.sum(grad)
        dots[c], totals[c] = dot, total
        dot *= slope[c]
        out *= dot.reshape(layout.shape)
        out += grad
        total /= count
        out -= total.reshape(layout.shape)
        out *= factor[c].reshape(layout.shape)

    each(block, x, layout)
    return dx, dots, totals


def each(block: Callable[[tuple[slice, ...]], None], x: Array, layout: Layout) -> None:
    """Call ``block`` with the index of every stretch of channels, if there are any numbers."""
    if not len(x) or not x.shape[1]:
        return
    if x.size <= PIECE:
        block((slice(None), slice(None)) if layout.axis else (slice(None),))
        return
    tasks = [lambda at=at: block(at) for at in layout.blocks(x)]
    if not SHORT < x.shape[1] < BUFFER:
        share(tasks)
        return
    with np.errstate():  # at its end the buffer is what it was; other threads never see it
        np.setbufsize(16)
        share(tasks)
