"""``StochasticPool2D``: pooling by lot."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ._images import check_gradient, samples_first, samples_last
from ._pooling_windows import Line
from .param import Array
from .pooling import _Pool2D

Place = tuple[slice, slice]


class StochasticPool2D(_Pool2D):
    """y = an x of each window, drawn with probability x / Σ x;  dx = sum of dy over the windows that drew it.

    In use nothing is drawn: y = Σ x² / Σ x, the mean of what would be, and dx = dy (2 x - y) / Σ x. A window of
    zeros gives 0. x is from 0 on, as ReLU makes it. Zeiler and Fergus, "Stochastic pooling for regularization of
    deep convolutional neural networks", 2013.

    Shapes and parameters are those of ``MaxPool2D``; padding is never drawn. Caffe's has ``ceil_mode=True`` and
    no padding.

    Raises
    ------
    ValueError
        If a number is negative.
    ShapeError
        As ``MaxPool2D``.
    """

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.lines = self.lines(x.shape)
        x = samples_last(x if x.dtype.kind == "f" else self.cast(x))
        if (x < 0).any():
            raise ValueError(
                f"{self.where}: expected activations from 0 on, as ReLU makes them, got {x[x < 0][0]:g}: "
                f"a probability cannot be negative"
            )
        rows, columns = c.lines
        total = np.zeros((len(x), rows.out, columns.out, x.shape[-1]), x.dtype)
        for _, outputs, pixels in self._taps():
            total[:, *outputs] += x[:, *pixels]
        y = np.zeros_like(total)
        if self.training:
            c.drawn = self._draw(x, total)
            for tap, outputs, pixels in self._taps():
                y[:, *outputs] += x[:, *pixels] * (c.drawn[:, *outputs] == tap)
        else:
            for _, outputs, pixels in self._taps():
                y[:, *outputs] += np.square(x[:, *pixels])
            total[total == 0] = 1
            y /= total
            c.drawn, c.x, c.y, c.total = None, x, y, total
        c.y_shape = (x.shape[-1], *y.shape[:3])
        return samples_first(y)

    def backward(self, dy: Array) -> Array | None:
        c = self.cache
        if not self.input_grad:
            return None
        check_gradient(self.where, dy, c.y_shape)
        dy, (rows, columns) = samples_last(dy), c.lines
        dx = np.zeros((len(dy), rows.size, columns.size, dy.shape[-1]), dy.dtype)
        if c.drawn is None:
            dy = dy / c.total
        for tap, outputs, pixels in self._taps():
            part = dy[:, *outputs]
            if c.drawn is None:
                dx[:, *pixels] += part * (2 * c.x[:, *pixels] - c.y[:, *outputs])
            else:
                dx[:, *pixels] += part * (c.drawn[:, *outputs] == tap)
        return samples_first(dx)

    def flops(self) -> int:
        return 3 * self._positions() * math.prod(self.geometry()[0])

    def _draw(self, x: Array, total: Array) -> Array:
        """The number of a tap for each window: the first at which the sum so far reaches a random part of all."""
        share = np.asarray(self.rng.random(total.shape, dtype=np.float32), x.dtype) * total
        so_far = np.zeros_like(total)
        drawn = np.zeros(total.shape, np.intp)
        for _, outputs, pixels in self._taps():
            so_far[:, *outputs] += x[:, *pixels]
            drawn += so_far < share
        return drawn

    def _taps(self) -> Iterator[tuple[int, Place, Place]]:
        """Each place in a window, by number: the windows that have it inside the image, and its pixels."""
        rows, columns = self.cache.lines
        for i in range(rows.kernel):
            for j in range(columns.kernel):
                (h, pixel_rows), (w, pixel_columns) = _tap(rows, i), _tap(columns, j)
                yield i * columns.kernel + j, (h, w), (pixel_rows, pixel_columns)


def _tap(line: Line, number: int) -> Place:
    offset = number - line.pad
    first = max(0, -(offset // line.stride))
    last = max(first, min(line.out, -(-(line.size - offset) // line.stride)))
    start = first * line.stride + offset
    return slice(first, last), slice(start, start + (last - first) * line.stride, line.stride)
