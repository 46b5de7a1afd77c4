"""Convolution as matrix products of whole image rows, for any stride and dilation.

The classic im2col copies every input number kh kw times. Here it is copied kw times only: a row of the input is
laid out as its kw shifts along the row, a slab of (kw C) rows of (W N) numbers. The kh slabs that one row of the
output needs lie one after the other, so that they *are* the (kh kw C, W N) matrix to multiply the weights with:

    y[:, h] = W (O, kh kw C) · slabs[stride h : stride h + kh] seen as (kh kw C, W N).

With a dilation along the rows they do not lie so, and each row of the output gets slabs of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ._blocks import cut
from ._products import SMALL, TILE, multiply, multiply_transposed
from ._window import Window
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK_BYTES = 1_000_000  # of slabs at a time: they stay in a core's cache
LARGEST_BYTES = 8_000_000  # where that would leave too few rows, or samples side by side
FEWEST_ROWS, FEWEST_SAMPLES = 4, 16
GROUPS = 8  # of blocks, each with a partial sum of the weights' gradient


class _Block(NamedTuple):
    """Some rows of the output, for some samples."""

    row: int
    sample: int
    rows: int
    samples: int


class _Slabs:
    """Lays out blocks of x (C, H, W, N) for outputs of (height, width)."""

    def __init__(self, x: Array, window: Window, shape: tuple[int, int]) -> None:
        self.x, self.window, (self.height, self.width) = x, window, shape
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
        return self.count(self.rows) * self.own * self.window.kernel[1] * len(self.x) * self.width * self.samples

    def lay_out(self, block: _Block, buffer: Array) -> Array:
        """The matrices to multiply the weights with, (rows, kh kw C, width samples)."""
        x, window, C = self.x, self.window, len(self.x)
        (kh, kw), count = window.kernel, self.count(block.rows)
        slabs = cut(buffer, (count, self.own, kw, C, self.width, block.samples))
        n = slice(block.sample, block.sample + block.samples)
        for i in range(self.own):
            first = block.row * window.stride[0] + i * window.dilation[0] - window.start[0]
            step = 1 if self.shared else window.stride[0]
            inside = [r for r in range(count) if 0 <= first + r * step < x.shape[1]]
            top, end = (inside[0], inside[-1] + 1) if inside else (0, 0)
            slabs[:top, i], slabs[end:, i] = 0, 0
            rows = slice(first + top * step, first + (end - 1) * step + 1 if inside else first + top * step, step)
            for j in range(kw):
                out, source = window.taps(1, j, self.width, x.shape[2])
                place = slabs[top:end, i, j]
                place[:, :, : out.start], place[:, :, out.stop :] = 0, 0
                np.copyto(place[:, :, out], x[:, rows, source, n].swapaxes(0, 1))
        line = slabs.strides[0]
        K, P = kh * kw * C, self.width * block.samples
        return as_strided(slabs, (block.rows, K, P), (line * self.step, P * x.itemsize, x.itemsize))


def correlate(x: Array, W: Array, bias: Array | None, window: Window, shape: tuple[int, int]) -> Array:
    """y[o, h, w] = bias[o] + Σ W[o, c, i, j] x[c, stride h + dilation i - start, …] of a given (height, width).

    Samples last: x is (C, H, W, N), y (O, height, width, N). Outside x are zeros.
    """
    O, N = len(W), x.shape[-1]
    matrix = _matrix(W)
    y = np.empty((O, *shape, N), x.dtype)
    slabs = _Slabs(x, window, shape)

    def work(block: _Block, buffer: Array) -> None:
        place = _rows_of(y, block)
        whole = block.samples == N
        rows = place if whole else np.empty(place.shape, x.dtype)
        out = rows.reshape(O, block.rows, -1).swapaxes(0, 1)
        multiply(matrix, slabs.lay_out(block, buffer), out)
        if bias is not None:
            out += bias[:, None]
        if not whole:
            np.copyto(place, rows)

    share([partial(work, block) for block in slabs.blocks()], lambda: np.empty(slabs.size, x.dtype))
    return y


def weight_gradient(x: Array, g: Array, window: Window) -> Array:
    """dW[o, c, i, j] = Σ g[o, h, w] x[c, stride h + dilation i - start, …], for g (O, height, width, N)."""
    (C, O), (kh, kw), shape = (len(x), len(g)), window.kernel, g.shape[1:3]
    slabs = _Slabs(x, window, shape)
    blocks = slabs.blocks()
    size = -(-len(blocks) // GROUPS) or 1
    groups = [blocks[i : i + size] for i in range(0, len(blocks), size)]
    sums = np.zeros((len(groups), O, kh * kw * C), x.dtype)

    def work(number: int, buffer: Array) -> None:
        for block in groups[number]:
            matrices = slabs.lay_out(block, buffer)
            gradients = _rows_of(g, block).reshape(O, block.rows, -1).swapaxes(0, 1)
            sums[number] += _sum_of_products(gradients, matrices, shape[1])

    share([partial(work, number) for number in range(len(groups))], lambda: np.empty(slabs.size, x.dtype))
    return sums.sum(axis=0).reshape(O, kh, kw, C).transpose(0, 3, 1, 2)


def _matrix(W: Array) -> Array:
    """(O, C, kh, kw) as (O, kh kw C)."""
    return W.transpose(0, 2, 3, 1).reshape(len(W), -1)


def _rows_of(y: Array, block: _Block) -> Array:
    return y[:, block.row : block.row + block.rows, :, block.sample : block.sample + block.samples]


def _sum_of_products(a: Array, b: Array, width: int) -> Array:
    """Σ over rows of a bᵀ, for a (rows, O, P) and b (rows, K, P), cut along P where that makes it quicker."""
    rows, O, P = a.shape
    longest = SMALL // TILE**2
    parts = next((n for n in range(1, width + 1) if width % n == 0 and P // n <= longest), 1)
    out = np.empty((rows, parts, O, b.shape[1]), a.dtype)
    multiply_transposed(
        a.reshape(rows, O, parts, P // parts).swapaxes(1, 2),
        b.reshape(rows, -1, parts, P // parts).swapaxes(1, 2),
        out,
    )
    return out.sum(axis=(0, 1))
