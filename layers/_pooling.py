"""Pooling of images that lie (C, H, W, N) in memory.

NumPy is quick where the numbers of all operands lie side by side, and a third as quick where they lie in strides.
So each block of a batch, some channels of some samples, is first dealt out to its phases (see ``Line``), an array
(sw, sh, C, H', W', N) for strides sh and sw, with the padding's values filled in. In it, flat as memory is, one
offset of *all* windows is one unbroken stretch: a window's neighbour is the next number, and what lies between the
rows is computed too and left.

The maximum over a rectangle is the maximum along its columns of the maxima along its rows, and so is a sum: a
window of 3 x 3 costs 3 + 3 passes instead of 9.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from ._pooling_windows import Line
from .threads import LARGE, share

Array = np.ndarray[Any, np.dtype[Any]]
Winners = tuple[Array, Array]  # along columns, along rows: of each offset but the first, where it beats all before
RUN = 64  # samples: with fewer side by side, NumPy spends its time on starting loops


def max_pool(x: Array, rows: Line, columns: Line) -> tuple[Array, list[Winners]]:
    """The maxima, and for each block where they are: of equal ones the first, row by row.

    A byte for each comparison is all that backward needs: neither x nor y is kept.
    """
    c, _, _, n = x.shape
    y = np.empty((c, rows.out, columns.out, n), x.dtype)
    places = blocks(x.shape)
    winners: list[Any] = [None] * len(places)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min

    def work(number: int) -> None:
        at = places[number]
        phases = _deal(x[at], rows, columns, lowest)
        along, won_along = _max_along(phases, columns, phases.shape[-1])
        best, won = _max_along(along, rows, columns.length * phases.shape[-1])
        y[at] = best[:, : rows.out, : columns.out]
        winners[number] = won_along, won

    share([partial(work, number) for number in range(len(places))])
    return y, winners


def max_pool_back(dy: Array, winners: list[Winners], rows: Line, columns: Line) -> Array:
    """Each window's gradient at its maximum; windows that share one add up."""
    c, _, _, n = dy.shape
    dx = np.empty((c, rows.size, columns.size, n), dy.dtype)
    places = blocks(dx.shape)

    def work(number: int) -> None:
        at, (won_along, won) = places[number], winners[number]
        left = _spread_out(dy[at], rows, columns)
        along = _max_back(left, won, rows, columns.length * left.shape[-1])
        _collect(_max_back(along, won_along, columns, left.shape[-1]), rows, columns, dx[at])

    share([partial(work, number) for number in range(len(places))])
    return dx


def max_pool_index(winners: list[Winners], shape: tuple[int, ...], rows: Line, columns: Line) -> Array:
    """Where in the image each maximum is: row * width + column, in an array of y's shape."""
    index = np.empty(shape, np.int64)
    places = blocks((shape[0], rows.size, columns.size, shape[-1]))
    for at, (won_along, won) in zip(places, winners, strict=True):
        row = _last_winner(won)  # offsets in the window
        column = _last_winner(won_along)  # (sh, C, H', W', N)
        column = np.stack([column[i % rows.stride, :, i // rows.stride :][:, : rows.out] for i in range(rows.kernel)])
        row, column = row[:, : rows.out, : columns.out], column[..., : columns.out, :]
        column = np.take_along_axis(column, row[None], axis=0)[0]
        row += (np.arange(rows.out) * rows.stride - rows.pad)[:, None, None]
        column += (np.arange(columns.out) * columns.stride - columns.pad)[:, None]
        # Where a window has nothing above -inf, the padding has won.
        index[at] = row.clip(0, rows.size - 1) * columns.size + column.clip(0, columns.size - 1)
    return index


def avg_pool(x: Array, rows: Line, columns: Line, count_pad: bool) -> Array:
    """Sums over the windows, divided by the number of their pixels."""
    c, _, _, n = x.shape
    y = np.empty((c, rows.out, columns.out, n), x.dtype)
    area = _areas(rows, columns, n, count_pad, x.dtype)

    def work(at: Block) -> None:
        phases = _deal(x[at], rows, columns, 0)
        along = _sum_along(phases, columns, phases.shape[-1])
        sums = _sum_along(along, rows, columns.length * phases.shape[-1])
        np.divide(sums[:, : rows.out, : columns.out], area[..., : sums.shape[-1]], out=y[at])

    share([partial(work, at) for at in blocks(x.shape)])
    return y


def avg_pool_back(dy: Array, rows: Line, columns: Line, count_pad: bool) -> Array:
    """Each window's gradient, divided by the number of its pixels, at all of them."""
    c, _, _, n = dy.shape
    dx = np.empty((c, rows.size, columns.size, n), dy.dtype)
    area = _areas(rows, columns, n, count_pad, dy.dtype)

    def work(at: Block) -> None:
        left = _spread_out(dy[at] / area[..., : dy[at].shape[-1]], rows, columns)
        along = _sum_back(left, rows, columns.length * left.shape[-1])
        _collect(_sum_back(along, columns, left.shape[-1]), rows, columns, dx[at])

    share([partial(work, at) for at in blocks(dx.shape)])
    return dx


Block = tuple[slice, ...]


def blocks(shape: tuple[int, ...]) -> list[Block]:
    """Places in images (C, H, W, N) of this shape, some channels and samples each, to share out to threads.

    Blocks that fit in the cache would be quicker on one thread, but their calls are so short that two threads
    mostly wait for each other.
    """
    (c, *_, n), count = shape, max(1, -(-prod(shape) // LARGE))
    channels = max(1, -(-c // count))
    samples = max(RUN, -(-n * c // count))
    return [
        (slice(i, i + channels), slice(None), slice(None), slice(j, j + samples))
        for i in range(0, c, channels)
        for j in range(0, n, samples)
    ]


def _deal(x: Array, rows: Line, columns: Line, fill: float) -> Array:
    """The phases, (sw, sh, C, H', W', N), of x (C, H, W, N)."""
    c, _, _, n = x.shape
    phases = np.empty((columns.stride, rows.stride, c, rows.length, columns.length, n), x.dtype)
    if rows.whole and columns.whole:
        np.copyto(phases, _by_phases(x, rows, columns))
        return phases
    phases.fill(fill)
    for i in range(rows.stride):
        for j in range(columns.stride):
            (h, pixel_rows), (w, pixel_columns) = rows.phase(i), columns.phase(j)
            phases[j, i, :, h, w] = x[:, pixel_rows, pixel_columns]
    return phases


def _collect(phases: Array, rows: Line, columns: Line, dx: Array) -> None:
    """The way back: ``dx`` from its phases; a pixel in no window gets 0."""
    if rows.whole and columns.whole:
        np.copyto(_by_phases(dx, rows, columns), phases)
        return
    dx.fill(0)
    for i in range(rows.stride):
        for j in range(columns.stride):
            (h, pixel_rows), (w, pixel_columns) = rows.phase(i), columns.phase(j)
            dx[:, pixel_rows, pixel_columns] = phases[j, i, :, h, w]


def _by_phases(x: Array, rows: Line, columns: Line) -> Array:
    c, _, _, n = x.shape
    split = x.reshape(c, rows.length, rows.stride, columns.length, columns.stride, n)
    return split.transpose(4, 2, 0, 1, 3, 5)


def _spread_out(dy: Array, rows: Line, columns: Line) -> Array:
    """A copy of ``dy`` as (C, H', W', N), with 0 for what is computed between the windows."""
    c, _, _, n = dy.shape
    left = np.zeros((c, rows.length, columns.length, n), dy.dtype)
    left[:, : rows.out, : columns.out] = dy
    return left


def _stretches(phases: Array, line: Line, step: int) -> list[Array]:
    """What each offset of all windows meets: stretches of a phase, shifted by whole steps.

    A shift leads out of the phase by less than what is left between the windows, and there the stretch ends.
    """
    flat = phases.reshape(line.stride, -1)
    return [flat[k % line.stride, (k // line.stride) * step :] for k in range(line.kernel)]


def _max_along(phases: Array, line: Line, step: int) -> tuple[Array, Array]:
    """Maxima over the first axis's phases, and the comparisons that were won."""
    first, *others = _stretches(phases, line, step)
    wins = np.empty((line.kernel - 1, *phases.shape[1:]), bool)
    best = first.copy() if not others else np.empty_like(first)
    for k, part in enumerate(others):
        before = first if k == 0 else best
        np.greater(part, before[: part.size], out=wins[k].reshape(-1)[: part.size])
        np.maximum(part, before[: part.size], out=best[: part.size])
        if k == 0:
            best[part.size :] = first[part.size :]
    return best.reshape(phases.shape[1:]), wins


def _max_back(left: Array, wins: Array, line: Line, step: int) -> Array:
    """The last offset that won gets the gradient; what none of them takes is the first one's."""
    phases = np.zeros((line.stride, *left.shape), left.dtype)
    first, *others = _stretches(phases, line, step)
    rest = left.reshape(-1)
    for part, won in zip(reversed(others), wins[::-1], strict=True):
        taken = rest[: part.size] * won.reshape(-1)[: part.size]
        part += taken
        rest[: part.size] -= taken
    first += rest
    return phases


def _last_winner(wins: Array) -> Array:
    """The offset of each window's maximum."""
    found = np.zeros(wins.shape[1:], np.int64)
    for k, won in enumerate(wins, 1):
        np.copyto(found, k, where=won)
    return found


def _sum_along(phases: Array, line: Line, step: int) -> Array:
    first, *others = _stretches(phases, line, step)
    total = first.copy()
    for part in others:
        total[: part.size] += part
    return total.reshape(phases.shape[1:])


def _sum_back(left: Array, line: Line, step: int) -> Array:
    phases = np.zeros((line.stride, *left.shape), left.dtype)
    for part in _stretches(phases, line, step):
        part += left.reshape(-1)[: part.size]
    return phases


def _areas(rows: Line, columns: Line, n: int, count_pad: bool, dtype: Any) -> Array:
    """The number of pixels of each window, (H, W, N): spread out along N, so that a division is one long run."""
    areas = np.multiply.outer(rows.lengths(count_pad), columns.lengths(count_pad)).astype(dtype)
    return areas[:, :, None].repeat(n, axis=2)
