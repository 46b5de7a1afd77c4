"""Pooling of images that lie (C, H, W, N) in memory.

The maximum over a rectangle is the maximum along its columns of the maxima along its rows, and so is a sum: a
window of 3 x 3 costs 3 + 3 passes instead of 9. What one offset in the window meets, over all windows, is a
strided view of the image: no window is ever copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .threads import LARGE, share

Array = np.ndarray[Any, np.dtype[Any]]
RUN = 64  # numbers side by side: with fewer, NumPy spends its time on starting loops
ROWS, COLUMNS = 1, 2  # axes of (C, H, W, N)


class Line(NamedTuple):
    """The windows along one axis: ``out`` of them over ``size`` pixels."""

    size: int
    kernel: int
    stride: int
    pad: int
    out: int

    def offsets(self) -> Iterator[tuple[int, slice, slice]]:
        """Each offset k in the window, the windows that have a pixel there, and these pixels."""
        for k in range(self.kernel):
            shift = k - self.pad  # of window i it is the pixel i * stride + shift
            first = max(0, -(shift // self.stride))
            last = min(self.out, (self.size - 1 - shift) // self.stride + 1)
            yield k, slice(first, max(first, last)), self._pixels(first, last, shift)

    def groups(self) -> Iterator[tuple[slice, list[slice]]]:
        """Windows that have the same offsets inside the image: all the whole ones, and each at an edge by
        itself; with the pixels at these offsets.
        """
        first = 0
        while first < self.out:
            start = first * self.stride - self.pad
            whole = (self.size - self.kernel - start) // self.stride + 1  # from here on, unless this one is cut
            last = first + (max(1, min(whole, self.out - first)) if start >= 0 else 1)
            inside = range(max(0, -start), min(self.kernel, self.size - start))
            yield slice(first, last), [self._pixels(first, last, k - self.pad) for k in inside]
            first = last

    def _pixels(self, first: int, last: int, shift: int) -> slice:
        if first >= last:
            return slice(0)
        start = first * self.stride + shift
        return slice(start, start + (last - first - 1) * self.stride + 1, self.stride)

    def lengths(self, count_pad: bool) -> Array:
        """How many pixels each window has, with or without the padding; what lies beyond it never counts."""
        start = np.arange(self.out) * self.stride - self.pad
        low, high = (-self.pad, self.size + self.pad) if count_pad else (0, self.size)
        return np.minimum(start + self.kernel, high) - np.maximum(start, low)

    @property
    def tiles(self) -> bool:
        """Whether every pixel is in exactly one window."""
        return self.stride == self.kernel and self.pad == 0 and self.size == self.out * self.stride


def max_pool(x: Array, rows: Line, columns: Line) -> tuple[Array, Array]:
    """The maxima, and the place of each in its window: row * kernel width + column, the first of equals.

    A place is a byte, and all that backward needs: x and y need not be kept.
    """
    c, _, _, n = x.shape
    y = np.empty((c, rows.out, columns.out, n), x.dtype)
    place = np.zeros(y.shape, np.min_scalar_type(rows.kernel * columns.kernel - 1))

    def block(x: Array, y: Array, place: Array) -> None:
        _reduce(np.maximum, x, rows, columns, y)
        # The number of offsets before the first whose pixel is not below the maximum.
        below = np.ones(y.shape, bool)
        for i, i_at, i_pixels in rows.offsets():
            for j, j_at, j_pixels in columns.offsets():
                if (i + 1) * (j + 1) == rows.kernel * columns.kernel:
                    break  # whatever is left is there
                below[:, i_at, j_at] &= x[:, i_pixels, j_pixels] < y[:, i_at, j_at]
                place += below

    in_blocks(block, x, y, place)
    return y, place


def max_pool_back(dy: Array, place: Array, rows: Line, columns: Line) -> Array:
    """Each window's gradient at its maximum; windows that share one add up."""
    c, _, _, n = dy.shape
    dx = np.empty((c, rows.size, columns.size, n), dy.dtype)

    def block(dx: Array, dy: Array, place: Array) -> None:
        if not (rows.tiles and columns.tiles):
            dx.fill(0)
        for i, i_at, i_pixels in rows.offsets():
            for j, j_at, j_pixels in columns.offsets():
                hit = place[:, i_at, j_at] == i * columns.kernel + j
                if i < rows.stride and j < columns.stride:  # no offset before met these pixels
                    np.multiply(dy[:, i_at, j_at], hit, out=dx[:, i_pixels, j_pixels])
                else:
                    dx[:, i_pixels, j_pixels] += dy[:, i_at, j_at] * hit

    in_blocks(block, dx, dy, place)
    return dx


def max_pool_index(place: Array, rows: Line, columns: Line) -> Array:
    """Where in the image each maximum is: row * width + column."""
    i, j = np.divmod(place, columns.kernel, dtype=np.int64)
    i += (np.arange(rows.out) * rows.stride - rows.pad)[:, None, None]
    j += (np.arange(columns.out) * columns.stride - columns.pad)[:, None]
    return i * columns.size + j


def avg_pool(x: Array, rows: Line, columns: Line, count_pad: bool) -> Array:
    """Sums over the windows, divided by the number of their pixels."""
    c, _, _, n = x.shape
    y = np.empty((c, rows.out, columns.out, n), x.dtype)
    area = _areas(rows, columns, count_pad, x.dtype)

    def block(x: Array, y: Array) -> None:
        _reduce(np.add, x, rows, columns, y)
        y /= area

    in_blocks(block, x, y)
    return y


def avg_pool_back(dy: Array, rows: Line, columns: Line, count_pad: bool) -> Array:
    """Each window's gradient, divided by the number of its pixels, at all of them."""
    c, _, _, n = dy.shape
    dx = np.empty((c, rows.size, columns.size, n), dy.dtype)
    area = _areas(rows, columns, count_pad, dy.dtype)

    def block(dx: Array, dy: Array) -> None:
        along = np.empty((*dy.shape[:2], columns.size, dy.shape[3]), dy.dtype)
        _spread(COLUMNS, dy / area, columns, along)
        _spread(ROWS, along, rows, dx)

    in_blocks(block, dx, dy)
    return dx


def in_blocks(function: Callable[..., object], *arrays: Array) -> None:
    """Call ``function`` on blocks of some channels and samples, shared out to threads; the first array is the largest.

    Blocks that fit in the cache would be quicker on one thread, but their calls are so short that two threads
    mostly wait for each other.
    """
    c, n = arrays[0].shape[0], arrays[0].shape[-1]
    count = -(-arrays[0].size // LARGE)
    channels = max(1, -(-c // max(1, count)))
    samples = max(RUN, -(-n * c // max(1, count)))
    blocks = [
        (slice(i, i + channels), ..., slice(j, j + samples))
        for i in range(0, c, channels)
        for j in range(0, n, samples)
    ]
    share([lambda at=at: function(*(a[at] for a in arrays)) for at in blocks])


def _reduce(function: np.ufunc, x: Array, rows: Line, columns: Line, y: Array) -> None:
    """Maxima or sums over the windows: of rows first, where long runs lie side by side."""
    along = np.empty((len(x), rows.out, *x.shape[2:]), x.dtype)
    _reduce_along(ROWS, function, x, rows, along)
    _reduce_along(COLUMNS, function, along, columns, y)


def _reduce_along(axis: int, function: np.ufunc, x: Array, line: Line, y: Array) -> None:
    for at, pixels in line.groups():
        to, parts = y[_along(axis, at)], [x[_along(axis, place)] for place in pixels]
        if len(parts) == 1:
            np.copyto(to, parts[0])
        else:
            function(parts[0], parts[1], out=to)
        for part in parts[2:]:
            function(to, part, out=to)


def _spread(axis: int, dy: Array, line: Line, dx: Array) -> None:
    """Add each window's ``dy`` to all its pixels."""
    if not line.tiles:
        dx.fill(0)
    for k, at, pixels in line.offsets():
        part, to = dy[_along(axis, at)], dx[_along(axis, pixels)]
        if k < line.stride:  # no offset before met these pixels
            np.copyto(to, part)
        else:
            to += part


def _along(axis: int, where: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (where,)


def _areas(rows: Line, columns: Line, count_pad: bool, dtype: Any) -> Any:
    """Pixels of each window; one number if they all have as many."""
    areas = np.multiply.outer(rows.lengths(count_pad), columns.lengths(count_pad)).astype(dtype)
    return areas[0, 0] if (areas == areas[0, 0]).all() else areas[:, :, None]
