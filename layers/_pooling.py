"""Pooling of images that lie (C, H, W, N) in memory.

The maximum over a rectangle is the maximum along its columns of the maxima along its rows, and so is a sum: a
window of 3 x 3 costs 3 + 3 passes instead of 9. What one offset in the window meets, over all windows, is a
strided view of the image: no window is ever copied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._pooling_windows import Line
from .threads import LARGE, share

Array = np.ndarray[Any, np.dtype[Any]]
RUN = 64  # numbers side by side: with fewer, NumPy spends its time on starting loops
ROWS, COLUMNS = 1, 2  # axes of (C, H, W, N)


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
    area = _areas(rows, columns, n, count_pad, x.dtype)

    def block(x: Array, y: Array) -> None:
        _reduce(np.add, x, rows, columns, y)
        y /= area[..., : y.shape[-1]]

    in_blocks(block, x, y)
    return y


def avg_pool_back(dy: Array, rows: Line, columns: Line, count_pad: bool) -> Array:
    """Each window's gradient, divided by the number of its pixels, at all of them."""
    c, _, _, n = dy.shape
    dx = np.empty((c, rows.size, columns.size, n), dy.dtype)
    area = _areas(rows, columns, n, count_pad, dy.dtype)

    def block(dx: Array, dy: Array) -> None:
        along = np.empty((*dy.shape[:2], columns.size, dy.shape[3]), dy.dtype)
        _spread(COLUMNS, dy / area[..., : dy.shape[-1]], columns, along)
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


def _areas(rows: Line, columns: Line, n: int, count_pad: bool, dtype: Any) -> Array:
    """The number of pixels of each window, (H, W, N): spread out along N, so that a division is one long run."""
    areas = np.multiply.outer(rows.lengths(count_pad), columns.lengths(count_pad)).astype(dtype)
    return areas[:, :, None].repeat(n, axis=2)
