"""Convolution in tiles: Winograd's minimal filtering, for stride 1.

Four neighbouring outputs of a filter of r taps need n = r + 3 products, not 4 r: with Cook's and Toom's matrices,

    y = Aᵀ [(G w) ∘ (Bᵀ d)],      d: n inputs,  w: r weights,  y: 4 outputs,

and in two dimensions, along both axes, n² products for 16 outputs: a quarter of the direct 9·16 for 3x3 and less
than a sixth for 5x5. Over all channels the elementwise product ∘ becomes a matrix product for each of the n²
positions in a tile. The transforms Bᵀ and Aᵀ are matrix products too, first along one axis, then the other.

The gradient of the weights is the same bilinear form read the other way: dw = Gᵀ [(A dy) ∘ (Bᵀ d)].

Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016. Rounding is amplified by the transforms:
relative to the largest output, errors stay below 2e-5 in float32 (2e-6 directly) for the kernels it is used for.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ._blocks import copy_padded, cut, evenly, in_groups
from ._cook_toom import OUT, cook_toom
from ._products import multiply, multiply_transposed
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]
Buffers = tuple[Array, ...]
Pair = tuple[int, int]

TILES_BYTES = 2_500_000  # of transformed tiles at a time: they stay in the cache
SUMS_BYTES = 8_000_000  # of partial sums of the weights' gradient, if there are more than two
PRODUCT_BYTES = 3_000_000  # of what is added to them at a time


class _Tiling(NamedTuple):
    """How the outputs, (rows, columns) of N samples, are cut into tiles, and those into blocks."""

    rows: int
    columns: int
    samples: int

    @classmethod
    def of(cls, shape: tuple[int, ...], samples: int, tile_bytes: int) -> _Tiling:
        """Blocks of as many tiles as fit in the cache, of all samples if possible."""
        down, across = (-(-size // OUT) for size in shape)
        total = down * across * samples
        fair = max(min(128, total // 4), total // 8)  # so that there is work for several threads
        at_once = max(1, min(TILES_BYTES // tile_bytes, fair))
        if samples >= at_once:
            return cls(1, 1, evenly(samples, at_once))
        columns = evenly(across, at_once // samples)
        return cls(evenly(down, max(1, at_once // (samples * across))), columns, samples)

    def blocks(self, shape: tuple[int, ...], samples: int) -> list[Block]:
        """Row, column and sample that each block starts with, and its size; the last ones may be smaller."""
        down, across = (-(-size // OUT) for size in shape)
        return [
            (OUT * i, OUT * j, n, _Tiling(*map(min, self, (down - i, across - j, samples - n))))
            for i in range(0, down, self.rows)
            for j in range(0, across, self.columns)
            for n in range(0, samples, self.samples)
        ]


Block = tuple[int, int, int, _Tiling]


class _Filter:
    """The transforms for a kernel of so many taps along each axis, on blocks of tiles.

    Three flat buffers are used in turn. A block is (row, column, sample, tiling); T is how many tiles it has.
    """

    def __init__(self, taps: tuple[int, ...], dtype: Any) -> None:
        (self.Ah, self.Gh, self.Bh), (self.Aw, self.Gw, self.Bw) = (
            [matrix.astype(dtype) for matrix in cook_toom(n)] for n in taps
        )
        self.taps, self.size = taps, (len(self.Bh), len(self.Bw))
        self.positions = self.size[0] * self.size[1]

    def weights(self, W: Array) -> Array:
        """(O, C, kh, kw) transformed to (positions, O, C)."""
        O, C = W.shape[:2]
        flat = W.transpose(2, 3, 0, 1).reshape(-1, O * C)
        return np.kron(self.Gh, self.Gw).dot(flat).reshape(-1, O, C)

    def weight_gradient(self, dU: Array) -> Array:
        """The way back: (positions, O, C) to (O, C, kh, kw)."""
        O, C = dU.shape[1:]
        flat = np.kron(self.Gh, self.Gw).T.dot(dU.reshape(-1, O * C))
        return flat.reshape(*self.taps, O, C).transpose(2, 3, 0, 1)

    def inputs(self, x: Array, start: tuple[int, int], block: Block, buffers: Buffers) -> Array:
        """Bᵀ d B of the block's tiles: (positions, C, T), in the first buffer."""
        row, column, sample, tiling = block
        (n, m), C, T = self.size, len(x), prod(tiling)
        a, b, _ = buffers
        height, width = OUT * tiling.rows + n - OUT, OUT * tiling.columns + m - OUT
        padded = cut(b, (C, height, width, tiling.samples))
        copy_padded(x, (row - start[0], column - start[1], sample), padded)
        c, h, w, s = padded.strides
        tiles = as_strided(padded, (n, m, C, *tiling), (h, w, c, OUT * h, OUT * w, s))
        np.copyto(cut(a, tiles.shape), tiles)
        multiply(self.Bh, cut(a, (n, m * C * T)), cut(b, (n, m * C * T)))
        multiply(self.Bw, cut(b, (n, m, C * T)), cut(a, (n, m, C * T)))
        return cut(a, (n * m, C, T))

    def outputs(self, U: Array, V: Array, y: Array, bias: Array | None, block: Block, buffers: Buffers) -> None:
        """Aᵀ (U V) A + bias, written to its place in y."""
        tiling, (n, m), O, T = block[3], self.size, len(y), V.shape[-1]
        _, b, c = buffers
        multiply(U, V, cut(b, (n * m, O, T)))
        multiply(self.Ah, cut(b, (n, m * O * T)), cut(c, (OUT, m * O * T)))
        multiply(self.Aw, cut(c, (OUT, m, O * T)), cut(b, (OUT, OUT, O * T)))
        if bias is not None:
            cut(b, (OUT * OUT, O, T))[...] += bias[:, None]
        tiles = cut(b, (OUT, OUT, O, *tiling)).transpose(2, 3, 0, 4, 1, 5)
        place = _place(y, block)
        if place.shape == (O, OUT * tiling.rows, OUT * tiling.columns, tiling.samples):
            np.copyto(place.reshape(tiles.shape), tiles)
        else:  # the tiles reach beyond the image
            whole = cut(c, (O, OUT * tiling.rows, OUT * tiling.columns, tiling.samples))
            np.copyto(whole.reshape(tiles.shape), tiles)
            np.copyto(place, whole[:, : place.shape[1], : place.shape[2]])

    def add_weight_sums(self, g: Array, V: Array, block: Block, buffers: Buffers, product: Array, sums: Array) -> None:
        """Add (A g Aᵀ) Vᵀ, summed over the block's tiles, to sums (positions, O, C), some positions at a time."""
        row, column, sample, tiling = block
        (n, m), O, T = self.size, len(g), V.shape[-1]
        _, b, c = buffers
        whole = cut(b, (O, OUT * tiling.rows, OUT * tiling.columns, tiling.samples))
        copy_padded(g, (row, column, sample), whole)
        split = whole.reshape(O, tiling.rows, OUT, tiling.columns, OUT, tiling.samples)
        tiles = cut(c, (OUT, OUT, O, *tiling))
        np.copyto(tiles, split.transpose(2, 4, 0, 1, 3, 5))
        multiply(self.Ah.T, cut(c, (OUT, OUT * O * T)), cut(b, (n, OUT * O * T)))
        multiply(self.Aw.T, cut(b, (n, OUT, O * T)), cut(c, (n, m, O * T)))
        G = cut(c, (n * m, O, T))
        for start in range(0, n * m, len(product)):
            part = slice(start, start + len(product))
            multiply_transposed(G[part], V[part], product[: len(G[part])])
            sums[part] += product[: len(G[part])]


def correlate(x: Array, W: Array, bias: Array | None, start: Pair, shape: Pair) -> Array:
    """y[o, h, w] = bias[o] + Σ W[o, c, i, j] x[c, h + i - start, w + j - start], for h, w in a shape.

    Everything is samples last: x is (C, H, W, N), y (O, height, width, N); outside x there are zeros.
    """
    return _run(x, W.shape, start, shape, W=W, bias=bias)[0]


def weight_gradient(x: Array, g: Array, taps: Pair, start: Pair) -> Array:
    """dW[o, c, i, j] = Σ g[o, h, w] x[c, h + i - start, w + j - start]: the gradient of Σ g y, for g like y."""
    return _run(x, (len(g), len(x), *taps), start, (g.shape[1], g.shape[2]), g=g)[1]


def correlate_both(x: Array, W: Array, start: Pair, shape: Pair, g: Array) -> tuple[Array, Array]:
    """The outputs and dW, from tiles of x transformed once."""
    return _run(x, W.shape, start, shape, W=W, g=g)


def _run(
    x: Array,
    weights: tuple[int, ...],
    start: Pair,
    shape: Pair,
    *,
    W: Array | None = None,
    bias: Array | None = None,
    g: Array | None = None,
) -> tuple[Any, Any]:
    """The outputs, if W is given, and dW, if g is, block by block; ``weights`` is the shape of W."""
    (O, C, *taps), N, dtype = weights, x.shape[-1], x.dtype
    kernel = _Filter(tuple(taps), dtype)
    tiling = _Tiling.of(shape, N, kernel.positions * max(C, O) * dtype.itemsize)
    size = kernel.positions * max(C, O) * prod(tiling)
    U = None if W is None else kernel.weights(W)
    y = np.empty((0 if W is None else O, *shape, N), dtype)
    blocks, position = tiling.blocks(shape, N), O * C * dtype.itemsize
    # Each group of blocks needs sums of its own; without sums, each block goes by itself.
    few = max(2, min(16, SUMS_BYTES // (kernel.positions * position)))
    groups = in_groups(blocks, len(blocks) if g is None else few)
    sums = np.zeros((0 if g is None else len(groups), kernel.positions, O, C), dtype)
    at_once = max(1, min(kernel.positions, PRODUCT_BYTES // position))

    def scratch() -> tuple[Array, ...]:
        product = np.empty((0 if g is None else at_once, O, C), dtype)
        return (*(np.empty(size, dtype) for _ in range(3)), product)

    def work(number: int, space: tuple[Array, ...]) -> None:
        buffers, product = space[:3], space[3]
        for block in groups[number]:
            V = kernel.inputs(x, start, block, buffers)
            if U is not None:
                kernel.outputs(U, V, y, bias, block, buffers)
            if g is not None:
                kernel.add_weight_sums(g, V, block, buffers, product, sums[number])

    share([partial(work, number) for number in range(len(groups))], scratch)
    return y, None if g is None else kernel.weight_gradient(sums.sum(axis=0))


def _place(y: Array, block: Block) -> Array:
    """Where a block's outputs lie in y."""
    row, column, sample, tiling = block
    rows, columns = slice(row, row + OUT * tiling.rows), slice(column, column + OUT * tiling.columns)
    return y[:, rows, columns, sample : sample + tiling.samples]
