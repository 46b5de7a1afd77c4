"""Layers that enlarge an array by repeating what it holds, or by interpolation."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from ._images import check_gradient, check_images, empty_images, pair, samples_first, samples_last
from .errors import ShapeError
from .layer import Layer
from .param import Array
from .threads import share

BLOCK = 32  # rows of a matrix that are multiplied at once


class Tile(Layer):
    """y = [x, x, …], ``tiles`` times along ``axis``;  dx = the sum of dy's parts.

    Raises
    ------
    ShapeError
        If the input has no such axis, or ``tiles`` is not at least 1.
    """

    backward_uses = ()

    def __init__(self, tiles: int, axis: int = 1) -> None:
        refuse_batch_axis("Tile", axis)
        if not isinstance(tiles, (int, np.integer)) or tiles < 1:
            raise ShapeError(f"Tile: tiles: expected an integer from 1 on, got {tiles!r:.40}")
        self.tiles, self.axis = tiles, axis

    def build(self, in_shape: Any) -> Any:
        at = axis_of(self.where, self.axis, in_shape)
        return (*in_shape[: at - 1], int(self.tiles) * in_shape[at - 1], *in_shape[at:])

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.axis, c.shape = axis_of(self.where, self.axis, x.shape[1:]), x.shape
        y = np.concatenate([x] * int(self.tiles), c.axis)
        c.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        check_gradient(self.where, dy, c.y_shape)
        return dy.reshape(*c.shape[: c.axis], int(self.tiles), *c.shape[c.axis :]).sum(axis=c.axis)

    def flops(self) -> int:
        return 0


class Upsample2D(Layer):
    """y = A x Bᵀ,  dx = Aᵀ dy B,  for each channel of each image: an interpolation along H, and one along W.

    ``scale`` is one integer or a pair, (height, width). Mode "nearest" repeats each pixel: the rows of A
    and B hold a single 1. Mode "bilinear" takes the two nearest pixels, each the more the nearer it is:
    output pixel i lies at (i + ½) / scale - ½ in the input, or, with ``align_corners``, such that the
    outermost pixels stay where they are. (As in PyTorch; Caffe's bilinear upsampling is a
    ``ConvTranspose2D``.)

    Raises
    ------
    ShapeError
        If the input is not images.
    """

    backward_uses = ()

    def __init__(self, scale: int | tuple[int, int], mode: str = "nearest", align_corners: bool = False) -> None:
        if mode not in ("nearest", "bilinear"):
            raise ValueError(f'Upsample2D: mode: expected "nearest" or "bilinear", got {mode!r:.40}')
        if align_corners and mode == "nearest":
            raise ValueError('Upsample2D: align_corners is for mode="bilinear"; "nearest" repeats each pixel')
        self.scale, self.mode, self.align_corners = scale, mode, align_corners
        self.scales  # noqa: B018  refuses what it cannot be

    @property
    def uses_threads(self) -> bool:  # type: ignore[override]
        return self.mode == "bilinear"

    @property
    def scales(self) -> tuple[int, int]:
        """The scale as it is now, (height, width)."""
        return pair(self.scale, "Upsample2D", "scale")

    def build(self, in_shape: Any) -> Any:
        check_images(self.where, in_shape)
        channels, h, w = in_shape
        return channels, h * self.scales[0], w * self.scales[1]

    def forward(self, x: Array) -> Array:
        if x.ndim != 4:
            check_images(self.where, x.shape[1:])
        c, (n, channels, h, w), (a, b) = self.cache, x.shape, self.scales
        c.y_shape = n, channels, h * a, w * b
        if self.mode == "nearest":
            return self._repeat(x)
        x = x if x.dtype.kind == "f" else self.cast(x)
        c.A, c.B = (_hats(size, scale, self.align_corners).astype(x.dtype) for size, scale in ((h, a), (w, b)))
        return _along_both(c.A, c.B, x)

    def backward(self, dy: Array) -> Array:
        check_gradient(self.where, dy, self.cache.y_shape)
        if self.mode == "nearest":
            a, b = self.scales
            rows = reduce(np.add, (dy[:, :, i::a] for i in range(a)))
            return reduce(np.add, (rows[:, :, :, j::b] for j in range(b)))
        return _along_both(self.cache.A.T, self.cache.B.T, dy)

    def flops(self) -> int:
        if self.mode == "nearest" or self.in_shape is None:
            return 0
        channels, h, w = self.in_shape
        rows, columns = h * self.scales[0], w * self.scales[1]
        return 2 * channels * rows * w * (h + columns)  # of the two matrix products

    def _repeat(self, x: Array) -> Array:
        (n, channels, h, w), (a, b) = x.shape, self.scales
        y = empty_images((n, channels, h * a, w * b), x.dtype)
        y.reshape(n, channels, h, a, w, b)[...] = x[:, :, :, None, :, None]
        return y


def _hats(size: int, scale: int, align_corners: bool) -> Array:
    """The matrix of a linear interpolation: at pixel j its row is 1 - |j - position|, where that is not negative."""
    enlarged = size * scale
    if align_corners:
        position = np.arange(enlarged) * ((size - 1) / max(enlarged - 1, 1))
    else:
        position = ((np.arange(enlarged) + 0.5) / scale - 0.5).clip(0, size - 1)
    return np.maximum(0, 1 - abs(np.arange(size) - position[:, None]))


def _along_both(A: Array, B: Array, x: Array) -> Array:
    """A x Bᵀ for each channel of each image."""
    x = samples_last(x)
    channels, h, w, n = x.shape
    rows = x.reshape(channels, h, w * n)
    y = np.empty((channels, len(A), len(B), n), x.dtype)
    row_blocks, column_blocks = _blocks(A), _blocks(B)

    def interpolate(c: int, columns: Array) -> None:
        for part, block, used in row_blocks:
            np.matmul(block, rows[c, used], out=columns[part])
        for part, block, used in column_blocks:
            np.matmul(block, columns.reshape(len(A), w, n)[:, used], out=y[c, :, part])

    tasks = [partial(interpolate, c) for c in range(channels)]
    share(tasks, scratch=lambda: np.empty((len(A), w * n), x.dtype))
    return samples_first(y)


def _blocks(A: Array) -> list[tuple[slice, Array, slice]]:
    """Cut rows off a matrix that is 0 away from its diagonal: which rows, their numbers, and of which columns."""
    blocks = []
    for start in range(0, len(A), BLOCK):
        part = slice(start, min(start + BLOCK, len(A)))
        columns = np.flatnonzero(A[part].any(axis=0))
        used = slice(columns[0], columns[-1] + 1)
        blocks.append((part, A[part, used], used))
    return blocks
