"""Convolution in plain functions: windows, and one matrix product over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_linear import along

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[int, int]


def windows(x: Array, kernel: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1)) -> Array:
    """Every window of the images x as a view, (N, C, out_h, out_w, kh, kw): no number is copied."""
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    spans = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    every = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(2, 3))
    return every[:, :, ::sh, ::sw, ::dh, ::dw]


def spread(y: Array, W: Array, size: tuple[int, ...], stride: Pair, dilation: Pair) -> Array:
    """Each number of y times the kernel, added up where it falls, on images of that size: convolution turned round."""
    (h, w), (sh, sw), (dh, dw) = y.shape[2:], stride, dilation
    image = np.zeros((len(y), W.shape[1], *size), y.dtype)
    for i in range(W.shape[2]):
        for j in range(W.shape[3]):
            rows = slice(dh * i, dh * i + sh * (h - 1) + 1, sh)
            columns = slice(dw * j, dw * j + sw * (w - 1) + 1, sw)
            image[:, :, rows, columns] += np.einsum("nohw,oc->nchw", y, W[:, :, i, j], optimize=True)
    return image


def inside(image: Array, padding: tuple[int, int, int, int]) -> Array:
    """The image without its border (top, bottom, left, right)."""
    top, bottom, left, right = padding
    return image[:, :, top : image.shape[2] - bottom, left : image.shape[3] - right]


def conv2d(
    x: Array,
    W: Array,
    b: Any = None,
    stride: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """y[n, o, h, w] = b[o] + Σ W[o, c, i, j] x[n, c, s h + d i - p, s w + d j - p], group by group of channels."""
    top, bottom, left, right = padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    parts = []
    for part, kernel in zip(np.split(x, groups, axis=1), np.split(W, groups), strict=True):
        seen = windows(part, kernel.shape[2:], stride, dilation)
        parts.append(np.tensordot(seen, kernel, axes=((1, 4, 5), (1, 2, 3))))  # (N, out_h, out_w, O / groups)
    y = np.concatenate(parts, axis=3).transpose(0, 3, 1, 2)
    return y if b is None else y + along(b, y)


def conv2d_back(
    dy: Array,
    x: Array,
    W: Array,
    b: Any = None,
    stride: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """dW: each output's gradient times the window it saw;  dx: times the kernel, added up where the window was."""
    top, bottom, left, right = padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    dx, dW = [], []
    images = zip(np.split(dy, groups, axis=1), np.split(x, groups, axis=1), np.split(W, groups), strict=True)
    for dpart, part, kernel in images:
        seen = windows(part, kernel.shape[2:], stride, dilation)[:, :, : dy.shape[2], : dy.shape[3]]
        dW.append(np.tensordot(dpart, seen, axes=((0, 2, 3), (0, 2, 3))))
        dx.append(spread(dpart, kernel, part.shape[2:], stride, dilation))
    return inside(np.concatenate(dx, axis=1), padding), np.concatenate(dW), dy.sum(axis=(0, 2, 3))


def conv_transpose2d(
    x: Array,
    W: Array,
    b: Any = None,
    stride: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """y[n, o, s h + d i - p, s w + d j - p] = b[o] + Σ W[c, o, i, j] x[n, c, h, w]."""
    size = [
        s * (n - 1) + hole * (k - 1) + 1 + more
        for n, k, s, hole, more in zip(x.shape[2:], W.shape[2:], stride, dilation, output_padding, strict=True)
    ]
    pairs = zip(np.split(x, groups, axis=1), np.split(W, groups), strict=True)
    y = np.concatenate([spread(part, kernel, tuple(size), stride, dilation) for part, kernel in pairs], axis=1)
    y = inside(y, padding)
    return y if b is None else y + along(b, y)


def conv_transpose2d_back(
    dy: Array,
    x: Array,
    W: Array,
    b: Any = None,
    stride: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    output_padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """dx is a convolution of dy;  dW: each input times the window of dy that it was spread over."""
    top, bottom, left, right = padding
    padded = np.pad(dy, ((0, 0), (0, 0), (top, bottom), (left, right)))
    dx, dW = [], []
    images = zip(np.split(padded, groups, axis=1), np.split(x, groups, axis=1), np.split(W, groups), strict=True)
    for dpart, part, kernel in images:
        seen = windows(dpart, kernel.shape[2:], stride, dilation)[:, :, : x.shape[2], : x.shape[3]]
        dx.append(np.tensordot(seen, kernel, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))
        dW.append(np.tensordot(part, seen, axes=((0, 2, 3), (0, 2, 3))))
    return np.concatenate(dx, axis=1), np.concatenate(dW), dy.sum(axis=(0, 2, 3))


def conv1d(
    x: Array,
    W: Array,
    b: Any = None,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """A convolution of images of one row."""
    y = conv2d(x[:, :, None], W[:, :, None], b, (1, stride), (0, 0, *padding), (1, dilation), groups)
    return y[:, :, 0]


def conv1d_back(
    dy: Array,
    x: Array,
    W: Array,
    b: Any = None,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Those of a convolution of images of one row."""
    dx, dW, db = conv2d_back(
        dy[:, :, None], x[:, :, None], W[:, :, None], b, (1, stride), (0, 0, *padding), (1, dilation), groups
    )
    return dx[:, :, 0], dW[:, :, 0], db
