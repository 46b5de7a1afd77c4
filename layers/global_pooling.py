"""Pooling over whole images, and over pyramids of them: outputs whose size does not depend on the image's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._images import check_gradient, check_images, empty_images, samples_first, samples_last
from ._pooling import avg_pool, avg_pool_back, max_pool, max_pool_back
from ._pooling_windows import Line
from .errors import ShapeError
from .layer import Layer
from .param import Array


class _Global(Layer):
    """From (N, C, H, W) to (N, C), or to (N, C, 1, 1). Sizes may change from batch to batch."""

    backward_uses = ()

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def build(self, in_shape: Any) -> Any:
        _check(self.where, in_shape)
        return (in_shape[0], 1, 1) if self.keepdims else in_shape[:1]

    def enter(self, x: Array) -> Array:
        """The images, (C, H, W, N), checked; backward needs their shape."""
        _check(self.where, x.shape[1:])
        self.cache.shape = x.shape
        return samples_last(x)

    def leave(self, y: Array) -> Array:
        """(C, N) as the output."""
        return y.T[:, :, None, None] if self.keepdims else y.T

    def enter_gradient(self, dy: Array) -> Array:
        """The output's gradient as (N, C)."""
        n, c, *_ = self.cache.shape
        check_gradient(self.where, dy, (n, c, 1, 1) if self.keepdims else (n, c))
        return dy.reshape(n, c)

    def flops(self) -> int:
        return int(np.prod(self.in_shape or (1,)))


class GlobalAvgPool2D(_Global):
    """y = the mean of each image x;  dx = dy / (H W)  [Caffe: Pooling with global_pooling].

    x is (N, C, H, W), y is (N, C), ready for ``Affine``, or (N, C, 1, 1) with ``keepdims``. Lin et al., "Network
    in network", 2014.

    Raises
    ------
    ShapeError
        If the input is no batch of images, or they have no pixels.
    """

    def forward(self, x: Array) -> Array:
        if x.dtype.kind != "f":
            x = self.cast(x)
        # One axis after the other: NumPy's rounding errors grow with the terms in one sum.
        return self.leave(self.enter(x).sum(axis=1).sum(axis=1) / (x.shape[2] * x.shape[3]))

    def backward(self, dy: Array) -> Array | None:
        if not self.input_grad:
            return None
        dy, shape = self.enter_gradient(dy), self.cache.shape
        dx = empty_images(shape, dy.dtype)
        dx[...] = (dy / (shape[2] * shape[3]))[:, :, None, None]
        return dx


class GlobalMaxPool2D(_Global):
    """y = the maximum of each image x;  dx = dy there, 0 elsewhere  [Caffe: Pooling with global_pooling].

    x is (N, C, H, W), y is (N, C), ready for ``Affine``, or (N, C, 1, 1) with ``keepdims``. Of equal maxima the
    first, row by row, gets the gradient.

    Raises
    ------
    ShapeError
        If the input is no batch of images, or they have no pixels.
    """

    def forward(self, x: Array) -> Array:
        images = self.enter(x)
        pixels = images.reshape(len(images), x.shape[2] * x.shape[3], len(x))
        at = self.cache.at = pixels.argmax(axis=1, keepdims=True)
        return self.leave(np.take_along_axis(pixels, at, axis=1)[:, 0])

    def backward(self, dy: Array) -> Array | None:
        if not self.input_grad:
            return None
        dy, (n, c, h, w) = self.enter_gradient(dy), self.cache.shape
        dx = np.zeros((c, h * w, n), dy.dtype)
        np.put_along_axis(dx, self.cache.at, dy.T[:, None], axis=1)
        return samples_first(dx.reshape(c, h, w, n))


class SpatialPyramidPool(Layer):
    """y = the maxima (or averages) of x over a grid of 1, 2 x 2, 4 x 4, … bins;  dx as in pooling  [Caffe: SPP].

    x is (N, C, H, W), y is (N, C (4^levels - 1) / 3) whatever the image's size: level by level, in each of them
    channel by channel, then row by row. With b bins along an axis their size and their distance is
    ceil(size / b) pixels, and the padding before and after, which evens it out, half of what is too much.
    He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.

    Caffe's one level gives (N, C, 1, 1), where this layer has (N, C).

    Parameters
    ----------
    levels : int
        Of the pyramid: the last has 2^(levels - 1) bins along each axis  [pyramid_height].
    average : bool
        Averages instead of maxima; the padding's zeros count, as in Caffe.

    Raises
    ------
    ShapeError
        If the input is no batch of images, or there are so many bins that some would see padding only.
    """

    backward_uses = ()

    def __init__(self, levels: int, average: bool = False) -> None:
        if not isinstance(levels, (int, np.integer)) or levels < 1:
            raise ShapeError(f"SpatialPyramidPool: levels: expected an integer from 1 on, got {levels!r:.40}")
        self.levels, self.average = levels, average

    def build(self, in_shape: Any) -> Any:
        _check(self.where, in_shape)
        self._grids(in_shape[1:])
        return (in_shape[0] * sum(4**level for level in range(self.levels)),)

    def forward(self, x: Array) -> Array:
        c = self.cache
        _check(self.where, x.shape[1:])
        c.grids, c.winners, parts = self._grids(x.shape[2:]), [], []
        images = samples_last(x if x.dtype.kind == "f" else self.cast(x))
        for rows, columns in c.grids:
            y, winners = (
                (avg_pool(images, rows, columns, True), None) if self.average else max_pool(images, rows, columns)
            )
            c.winners.append(winners)
            parts.append(y.reshape(len(y) * rows.out * columns.out, len(x)))
        y = np.concatenate(parts).T
        c.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Array | None:
        if not self.input_grad:
            return None
        check_gradient(self.where, dy, self.cache.y_shape)
        c, start, parts = self.cache, 0, []
        channels = dy.shape[1] // sum(4**level for level in range(self.levels))
        for (rows, columns), winners in zip(c.grids, c.winners, strict=True):
            end = start + channels * rows.out * columns.out
            part = dy.T[start:end].reshape(channels, rows.out, columns.out, len(dy))
            parts.append(
                avg_pool_back(part, rows, columns, True)
                if winners is None
                else max_pool_back(part, winners, rows, columns)
            )
            start = end
        return samples_first(sum(parts[1:], start=parts[0]))

    def flops(self) -> int:
        return self.levels * int(np.prod(self.in_shape or (1,)))

    def _grids(self, sizes: tuple[int, ...]) -> list[tuple[Line, Line]]:
        """The bins along H and W, for each level."""
        return [(self._bins(sizes[0], 2**level), self._bins(sizes[1], 2**level)) for level in range(self.levels)]

    def _bins(self, size: int, bins: int) -> Line:
        kernel = -(-size // bins)
        pad = (kernel * bins - size + 1) // 2
        if pad >= kernel:
            raise ShapeError(
                f"{self.where}: {bins} bins of {kernel} along an axis of {size} pixels: some would see padding only; "
                f"take fewer levels or larger images"
            )
        return Line(size, kernel, kernel, pad, bins)


def _check(where: str, in_shape: tuple[int, ...]) -> None:
    check_images(where, in_shape)
    if not in_shape[1] * in_shape[2]:
        raise ShapeError(f"{where}: the images of shape {in_shape} have no pixels")
