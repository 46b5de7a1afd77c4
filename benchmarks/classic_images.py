"""The classic layers of images, (N, C, H, W) in memory too.

Convolution is im2col and col2im, as in Stanford's course CS231n, with the strided view that later tutorials take
instead of index arrays; pooling is a reshape where the windows tile the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from classic import Classic
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray[Any, np.dtype[Any]]


class Conv(Classic):
    """W is (O, C, k, k); b may be missing."""

    def __init__(self, stride: int, padding: int, W: Array, *b: Array) -> None:
        super().__init__(W, *b)
        self.stride, self.padding = stride, padding

    def forward(self, x: Array) -> Array:
        (W, *b), s, p = self.params, self.stride, self.padding
        O, _, k, _ = W.shape
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p))) if p else x
        windows = sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        n, _, h, w = windows.shape[:4]
        self.shape, self.columns = x.shape, windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, -1)
        y = self.columns @ W.reshape(O, -1).T
        if b:
            y += b[0]
        return y.reshape(n, h, w, O).transpose(0, 3, 1, 2)

    def backward(self, dy: Array) -> Array:
        (W, *b), p = self.params, self.padding
        (O, C, k, _), (n, _, h, w) = W.shape, dy.shape
        rows = dy.transpose(0, 2, 3, 1).reshape(-1, O)
        self.grads = [(rows.T @ self.columns).reshape(W.shape)] + [rows.sum(axis=0) for _ in b]
        columns = (rows @ W.reshape(O, -1)).reshape(n, h, w, C, k, k).transpose(0, 3, 4, 5, 1, 2)
        dx = spread(((i, j, columns[:, :, i, j]) for i in range(k) for j in range(k)), self.shape, self.stride)
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]


class BatchNorm(Classic):
    """Over (N, H, W), with gamma and beta; running statistics are left out."""

    def __init__(self, eps: float, gamma: Array, beta: Array) -> None:
        super().__init__(gamma, beta)
        self.eps = gamma.dtype.type(eps)

    def forward(self, x: Array) -> Array:
        gamma, beta = (p[:, None, None] for p in self.params)
        centred = x - x.mean(axis=(0, 2, 3), keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=(0, 2, 3), keepdims=True) + self.eps)
        self.normal = centred / self.std
        return gamma * self.normal + beta

    def backward(self, dy: Array) -> Array:
        axes = (0, 2, 3)
        self.grads = [(dy * self.normal).sum(axis=axes), dy.sum(axis=axes)]
        d = dy * self.params[0][:, None, None]
        mean = d.mean(axis=axes, keepdims=True)
        return (d - mean - self.normal * (d * self.normal).mean(axis=axes, keepdims=True)) / self.std


class Pool(Classic):
    """Square windows without padding; with ``ceil`` the last may hang over the image."""

    def __init__(self, size: int, stride: int, ceil: bool) -> None:
        super().__init__()
        self.size, self.stride, self.ceil = size, stride, ceil

    def windows(self, x: Array, beyond: float) -> Array:
        """(N, C, h, w, size, size); what lies beyond the image has one value."""
        k, s = self.size, self.stride
        below, right = (-(n - k) % s if self.ceil else 0 for n in x.shape[2:])
        self.image, x = x.shape, np.pad(x, ((0, 0), (0, 0), (0, below), (0, right)), constant_values=beyond)
        self.shape = x.shape
        return sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::s, ::s]

    def offsets(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.size) for j in range(self.size)]

    def sum(self, parts: Iterable[tuple[int, int, Array]]) -> Array:
        return spread(parts, self.shape, self.stride)[:, :, : self.image[2], : self.image[3]]


class MaxPool(Pool):
    def forward(self, x: Array) -> Array:
        k, (n, c, h, w) = self.size, x.shape
        self.tiles = None
        if k == self.stride and h % k == w % k == 0:
            self.tiles = x.reshape(n, c, h // k, k, w // k, k)
            self.y = self.tiles.max(axis=(3, 5))
            return self.y
        windows = self.windows(x, -np.inf)
        windows = windows.reshape(*windows.shape[:4], -1)
        self.place = windows.argmax(axis=-1)
        return np.take_along_axis(windows, self.place[..., None], axis=-1)[..., 0]

    def backward(self, dy: Array) -> Array:
        if self.tiles is None:
            return self.sum((i, j, dy * (self.place == i * self.size + j)) for i, j in self.offsets())
        n, c, h, k, w, _ = self.tiles.shape
        dx = (self.tiles == self.y[:, :, :, None, :, None]) * dy[:, :, :, None, :, None]
        return dx.reshape(n, c, h * k, w * k)


class AvgPool(Pool):
    def forward(self, x: Array) -> Array:
        self.areas = self.windows(np.ones((1, 1, *x.shape[2:]), x.dtype), 0).sum(axis=(4, 5))
        return self.windows(x, 0).sum(axis=(4, 5)) / self.areas

    def backward(self, dy: Array) -> Array:
        part = dy / self.areas
        return self.sum((i, j, part) for i, j in self.offsets())


class GlobalAvgPool(Classic):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, dy: Array) -> Array:
        return np.broadcast_to(dy[:, :, None, None] / dy.dtype.type(np.prod(self.shape[2:])), self.shape)


def spread(parts: Iterable[tuple[int, int, Array]], shape: tuple[int, ...], stride: int) -> Array:
    """An image of such a shape: the sum of what pixel (i, j) of each window gets."""
    total = np.zeros(shape, np.float32)
    for i, j, part in parts:
        h, w = part.shape[2:]
        total[:, :, i : i + stride * h : stride, j : j + stride * w : stride] += part
    return total
