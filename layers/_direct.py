"""Convolution as matrix products of whole image rows, for any stride and dilation.

The classic im2col copies every input number kh kw times. Here it is copied kw times only: a row of the input is
laid out as its kw shifts along the row, a slab of (kw C) rows of (W N) numbers. The kh slabs that one row of the
output needs lie one after the other, so that they *are* the (kh kw C, W N) matrix to multiply the weights with:

    y[:, h] = W (O, kh kw C) · slabs[stride h : stride h + kh] seen as (kh kw C, W N).

With a dilation along the rows they do not lie so, and each row of the output gets slabs of its own. Groups of
channels have slabs each, and their products are a stack of matrix products; where each channel is a group of its own,
*depthwise*, the matrices have a single row.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ._blocks import cut, in_groups
from ._products import SMALL, TILE, multiply, multiply_transposed
from ._window import Window
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK_BYTES = 1_000_000  # of slabs at a time: they stay in a core's cache
LARGEST_BYTES = 8_000_000  # where that would leave too few rows, or samples side by side
FEWEST_ROWS, FEWEST_SAMPLES = 4, 16
PARTS = 8  # of the blocks, each with a partial sum of the weights' gradient, so that threads can share them
SUMS_BYTES = 8_000_000  # of these sums, if there are more than two


class _Block(NamedTuple):
    """Some rows of the output, for some samples."""

    row: int
    sample: int
    rows: int
    samples: int


class _Slabs:
    """Lays out blocks of x (C, H, W, N) for outputs of (height, width), in some groups G of channels."""

    def __init__(self, x: Array, window: Window, shape: tuple[int, int], groups: int) -> None:
        self.x = x.reshape(groups, len(x) // groups, *x.shape[1:])
        self.window, (self.height, self.width) = window, shape
        (kh, kw), stride = window.kernel, window.stride[0]
        self.shared = window.dilation[0] == 1 and stride <= kh  # do neighbouring rows use the same slabs?
        self.step, self.own = (stride, 1) if self.shared else (1, kh)
        slab = kw * len(x) * self.width * x.itemsize
        samples = x.shape[-1]
        self.samples = max(1, min(samples, max(FEWEST_SAMPLES, LARGEST_BYTES // ((FEWEST_ROWS + kh) * slab))))
        rows = BLOCK_BYTES // max(1, slab * self.own * self.step * self.samples)
        self.rows = min(self.height, max(FEWEST_ROWS, rows - (kh - self.step if self.shared else 0)))

    def count(self, rows: int) -> int:
        """How many rows of the input are laid out for so many of the output."""
        return (rows - 1) * self.step + self.window.kernel[0] if self.shared else rows

    def blocks(self) -> list[_Block]:
        N = self.x.shape[-1]
        return [
            _Block(row, n, min(self.rows, self.height - row), min(self.samples, N - n))
            for row in range(0, self.height, self.rows)
            for n in range(0, N, self.samples)
        ]

    @property
    def size(self) -> int:
        """Elements of the largest block."""
        channels = self.x.shape[0] * self.x.shape[1]
        return self.count(self.rows) * self.own * self.window.kernel[1] * channels * self.width * self.samples

    def lay_out(self, block: _Block, buffer: Array) -> Array:
        """The matrices to multiply the weights with, (G, rows, kh kw C / G, width samples)."""
        x, window, (G, C, height, width, _) = self.x, self.window, self.x.shape
        (kh, kw), count = window.kernel, self.count(block.rows)
        slabs = cut(buffer, (G, count, self.own, kw, C, self.width, block.samples))
        n = slice(block.sample, block.sample + block.samples)
        for i in range(self.own):
            first = block.row * window.stride[0] + i * window.dilation[0] - window.start[0]
            step = 1 if self.shared else window.stride[0]
            inside = [r for r in range(count) if 0 <= first + r * step < height]
            top, end = (inside[0], inside[-1] + 1) if inside else (0, 0)
            slabs[:, :top, i], slabs[:, end:, i] = 0, 0
            rows = slice(first + top * step, first + (end - 1) * step + 1 if inside else first + top * step, step)
            for j in range(kw):
                out, source = window.taps(1, j, self.width, width)
                place = slabs[:, top:end, i, j]
                place[..., : out.start, :], place[..., out.stop :, :] = 0, 0
                np.copyto(place[..., out, :], x[:, :, rows, source, n].swapaxes(1, 2))
        group, line = slabs.strides[:2]
        K, P = kh * kw * C, self.width * block.samples
        return as_strided(slabs, (G, block.rows, K, P), (group, line * self.step, P * x.itemsize, x.itemsize))


def correlate(x: Array, W: Array, bias: Array | None, window: Window, shape: tuple[int, int], groups: int = 1) -> Array:
    """y[o, h, w] = bias[o] + Σ W[o, c, i, j] x[c, stride h + dilation i - start, …] of a given (height, width).

    Samples last: x is (C, H, W, N), y (O, height, width, N). Outside x are zeros.
    """
    O, N = len(W), x.shape[-1]
    matrix = W.transpose(0, 2, 3, 1).reshape(groups, 1, O // groups, -1)
    y = np.empty((O, *shape, N), x.dtype)
    slabs = _Slabs(x, window, shape, groups)

    def work(block: _Block, buffer: Array) -> None:
        place = _rows_of(y, block)
        whole = block.samples == N
        rows = place if whole else np.empty(place.shape, x.dtype)
        multiply(matrix, slabs.lay_out(block, buffer), _stack(rows, groups))
        if bias is not None:
            rows += bias[:, None, None, None]
        if not whole:
            np.copyto(place, rows)

    share([partial(work, block) for block in slabs.blocks()], lambda: np.empty(slabs.size, x.dtype))
    return y


def weight_gradient(x: Array, g: Array, window: Window, groups: int = 1) -> Array:
    """dW[o, c, i, j] = Σ g[o, h, w] x[c, stride h + dilation i - start, …], for g (O, height, width, N)."""
    (C, O), (kh, kw), shape = (len(x), len(g)), window.kernel, g.shape[1:3]
    slabs = _Slabs(x, window, shape, groups)
    few = max(2, min(PARTS, SUMS_BYTES // (len(g) * C // groups * kh * kw * x.itemsize)))
    parts = in_groups(slabs.blocks(), few)
    sums = np.zeros((len(parts), groups, O // groups, kh * kw * C // groups), x.dtype)

    def work(number: int, buffer: Array) -> None:
        for block in parts[number]:
            matrices = slabs.lay_out(block, buffer)
            sums[number] += _sum_of_products(_stack(_rows_of(g, block), groups), matrices, shape[1])

    share([partial(work, number) for number in range(len(parts))], lambda: np.empty(slabs.size, x.dtype))
    return sums.sum(axis=0).reshape(O, kh, kw, C // groups).transpose(0, 3, 1, 2)


def _stack(rows: Array, groups: int) -> Array:
    """(O, rows, width, samples) as matrices (G, rows, O / G, width samples)."""
    O, height = rows.shape[:2]
    return rows.reshape(groups, O // groups, height, -1).swapaxes(1, 2)


def _rows_of(y: Array, block: _Block) -> Array:
    return y[:, block.row : block.row + block.rows, :, block.sample : block.sample + block.samples]


def _sum_of_products(a: Array, b: Array, width: int) -> Array:
    """Σ over rows of a bᵀ, for a (G, rows, O, P) and b (G, rows, K, P), cut along P where that makes it quicker."""
    G, rows, O, P = a.shape
    longest = SMALL // TILE**2
    parts = next((n for n in range(1, width + 1) if width % n == 0 and P // n <= longest), 1)
    a = a.reshape(G, rows, O, parts, P // parts).swapaxes(2, 3)
    b = b.reshape(G, rows, -1, parts, P // parts).swapaxes(2, 3)
    total = np.zeros((G, O, b.shape[3]), a.dtype)
    at_once = max(1, BLOCK_BYTES // max(1, total.nbytes * parts))
    for row in range(0, rows, at_once):
        some = slice(row, row + at_once)
        out = np.empty((G, len(range(*some.indices(rows))), parts, *total.shape[1:]), a.dtype)
        multiply_transposed(a[:, some], b[:, some], out)
        total += out.sum(axis=(1, 2))
    return total
