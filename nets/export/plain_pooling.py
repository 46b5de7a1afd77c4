"""Pooling in plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_convolution import inside, windows

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[int, int]
Borders = tuple[int, int, int, int]


def pooling_borders(size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> Borders:
    """(top, bottom, left, right): the padding, but below and to the right as far as the last window reaches."""
    borders = []
    for n, k, s, p in zip(size, kernel, stride, padding, strict=True):
        steps = n + 2 * p - k
        out = (-(-steps // s) if ceil_mode else steps // s) + 1
        if (out - 1) * s >= n + p:
            out -= 1  # it would begin beyond the image
        borders += [p, max(0, (out - 1) * s + k - n - p)]
    top, bottom, left, right = borders
    return top, bottom, left, right


def bordered(x: Array, borders: Borders, value: float) -> Array:
    """The images with a border of that value."""
    top, bottom, left, right = borders
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def put_back(shares: Array, size: tuple[int, ...], stride: Pair) -> Array:
    """Shares of each window's gradient, (N, C, out_h, out_w, kh, kw), added up on images of that size."""
    n, c, h, w, kh, kw = shares.shape
    image = np.zeros((n, c, *size), shares.dtype)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + stride[0] * (h - 1) + 1, stride[0])
            columns = slice(j, j + stride[1] * (w - 1) + 1, stride[1])
            image[:, :, rows, columns] += shares[..., i, j]
    return image


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False) -> Array:
    """The maximum of each window; padding never wins."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    return windows(bordered(x, borders, -np.inf), kernel, stride).max(axis=(4, 5))


def max_pool2d_back(
    dy: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False
) -> Array:
    """Each window's gradient goes to its maximum: of equal ones to the first, row by row."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    padded = bordered(x, borders, -np.inf)
    seen = windows(padded, kernel, stride)
    first = seen.reshape(*seen.shape[:4], -1).argmax(axis=4)
    shares = dy[..., None] * (first[..., None] == np.arange(kernel[0] * kernel[1]))
    return inside(put_back(shares.reshape(seen.shape), padded.shape[2:], stride), borders)


def max_pool2d_indices(
    x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False
) -> tuple[Array, Array]:
    """The maximum of each window, and where it is: row * width + column of the image."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    seen = windows(bordered(x, borders, -np.inf), kernel, stride)
    first = seen.reshape(*seen.shape[:4], -1).argmax(axis=4)
    row = first // kernel[1] + np.arange(first.shape[2])[:, None] * stride[0] - padding[0]
    column = first % kernel[1] + np.arange(first.shape[3]) * stride[1] - padding[1]
    return seen.max(axis=(4, 5)), row * x.shape[3] + column


def max_pool2d_indices_back(
    dys: tuple[Array, Any], x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False
) -> Array:
    """As without the indices, which have no gradient."""
    return max_pool2d_back(dys[0], x, kernel, stride, padding, ceil_mode)


def max_unpool2d(x: Array, indices: Array, size: Pair) -> Array:
    """x at the places in ``indices``, 0 elsewhere, on images of that size."""
    y = np.zeros((*x.shape[:2], size[0] * size[1]), x.dtype)
    np.put_along_axis(y, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), axis=2)
    return y.reshape(*x.shape[:2], *size)


def max_unpool2d_back(dy: Array, x: Array, indices: Array, size: Pair) -> tuple[Array, None]:
    """dy at these places; where several name one place, the last of them was it, and gets it."""
    at = indices.reshape(*x.shape[:2], -1)
    number = np.broadcast_to(np.arange(at.shape[2]), at.shape)
    last = np.zeros((*x.shape[:2], size[0] * size[1]), int)
    np.put_along_axis(last, at, number, axis=2)
    mine = np.take_along_axis(last, at, axis=2) == number
    return (mine * np.take_along_axis(dy.reshape(last.shape), at, axis=2)).reshape(x.shape), None


def pixels_counted(size: tuple[int, ...], borders: Borders, padding: Pair, count_include_pad: bool) -> Array:
    """1 for each pixel that counts in an average, 0 for the others: of the border those of the padding, or none."""
    counted = np.zeros((1, 1, borders[0] + size[0] + borders[1], borders[2] + size[1] + borders[3]), int)
    more = padding if count_include_pad else (0, 0)
    rows = slice(padding[0] - more[0], padding[0] + size[0] + more[0])
    counted[:, :, rows, padding[1] - more[1] : padding[1] + size[1] + more[1]] = 1
    return counted


def avg_pool2d(
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The sum of each window / the number of its pixels."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    counted = windows(pixels_counted(x.shape[2:], borders, padding, count_include_pad), kernel, stride)
    return windows(bordered(x, borders, 0), kernel, stride).sum(axis=(4, 5)) / counted.sum(axis=(4, 5)).astype(x.dtype)


def avg_pool2d_back(
    dy: Array,
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Each window's gradient, in equal shares to its pixels."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    counted = pixels_counted(x.shape[2:], borders, padding, count_include_pad)
    share = dy / windows(counted, kernel, stride).sum(axis=(4, 5)).astype(dy.dtype)
    shares = np.broadcast_to(share[..., None, None], (*share.shape, *kernel))
    return inside(put_back(shares, counted.shape[2:], stride), borders)


def global_avg_pool2d(x: Array, keepdims: bool = False) -> Array:
    """The mean of each image."""
    return x.mean(axis=(2, 3), keepdims=keepdims)


def global_avg_pool2d_back(dy: Array, x: Array, keepdims: bool = False) -> Array:
    """The same share for every pixel."""
    share = dy.reshape(*x.shape[:2], 1, 1) / (x.shape[2] * x.shape[3])
    return np.broadcast_to(share, x.shape)


def global_max_pool2d(x: Array, keepdims: bool = False) -> Array:
    """The maximum of each image."""
    return x.max(axis=(2, 3), keepdims=keepdims)


def global_max_pool2d_back(dy: Array, x: Array, keepdims: bool = False) -> Array:
    """All of it to the first maximum, row by row."""
    first = x.reshape(*x.shape[:2], -1).argmax(axis=2)[..., None]
    dx = dy.reshape(*x.shape[:2], 1) * (first == np.arange(x.shape[2] * x.shape[3]))
    return dx.reshape(x.shape)


def stochastic_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False) -> Array:
    """Σ x² / Σ x of each window: the mean of what is drawn in training; 0 of zeros."""
    seen = windows(bordered(x, pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode), 0), kernel, stride)
    total = seen.sum(axis=(4, 5))
    return (seen * seen).sum(axis=(4, 5)) / np.where(total == 0, 1, total).astype(x.dtype)


def stochastic_pool2d_back(
    dy: Array, x: Array, kernel: Pair, stride: Pair, padding: Pair = (0, 0), ceil_mode: bool = False
) -> Array:
    """dy (2 x - y) / Σ x, for each x of a window."""
    borders = pooling_borders(x.shape[2:], kernel, stride, padding, ceil_mode)
    seen = windows(bordered(x, borders, 0), kernel, stride)
    total, y = seen.sum(axis=(4, 5)), stochastic_pool2d(x, kernel, stride, padding, ceil_mode)
    share = dy / np.where(total == 0, 1, total).astype(x.dtype)
    shares = share[..., None, None] * (2 * seen - y[..., None, None])
    top, bottom, left, right = borders
    return inside(put_back(shares, (top + x.shape[2] + bottom, left + x.shape[3] + right), stride), borders)
