"""``Im2col``: the patches of images as columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from handbrew.layers import Layer, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
Size = int | tuple[int, int]


class Im2col(Layer):
    """y[n, c kh kw + i kw + j] = x[n, c] shifted by tap (i, j) of a kernel,  dx = the sum of dy shifted back.

    x is (N, C, H, W), y is (N, C kh kw, out_h, out_w), with out = floor((size + 2 padding - extent) / stride) + 1 and
    extent = dilation (kernel - 1) + 1: what a convolution multiplies with its weights  [Caffe's].

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or pair of int
        For height and width.

    Raises
    ------
    ShapeError
        If the input is no batch of images, or the kernel does not fit into them.
    """

    backward_uses = ()

    def __init__(self, kernel_size: Size, stride: Size = 1, padding: Size = 0, dilation: Size = 1) -> None:
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        for name, value, least in (
            ("kernel_size", kernel_size, 1),
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("dilation", dilation, 1),
        ):
            if not all(isinstance(n, (int, np.integer)) and n >= least for n in _pair(value)):
                raise ShapeError(f"Im2col: {name}: expected an integer from {least} on or a pair, got {value!r:.40}")

    def build(self, in_shape: Any) -> Any:
        if len(in_shape) != 3:
            raise ShapeError(f"{self.where}: expected images (N, C, H, W), got {in_shape} without the batch axis")
        kh, kw = _pair(self.kernel_size)
        return (in_shape[0] * kh * kw, *self._out(in_shape[1:]))

    def forward(self, x: Array) -> Array:
        channels, *out = type(self).build(self, x.shape[1:])
        (kh, kw), (ph, pw) = _pair(self.kernel_size), _pair(self.padding)
        self.cache.shape = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        y = np.empty((len(x), x.shape[1], kh, kw, *out), x.dtype)
        for i, j, pixels in self._taps(out):
            y[:, :, i, j] = padded[:, :, *pixels]
        return y.reshape(len(x), channels, *out)

    def backward(self, dy: Array) -> Array:
        n, c, h, w = self.cache.shape
        (kh, kw), (ph, pw) = _pair(self.kernel_size), _pair(self.padding)
        out = self._out((h, w))
        parts = dy.reshape(n, c, kh, kw, *out)
        padded = np.zeros((n, c, h + 2 * ph, w + 2 * pw), dy.dtype)
        for i, j, pixels in self._taps(out):
            padded[:, :, *pixels] += parts[:, :, i, j]
        return padded[:, :, ph : ph + h, pw : pw + w]

    def flops(self) -> int:
        return 0

    def _out(self, size: Any) -> list[int]:
        options = zip(size, *map(_pair, (self.kernel_size, self.stride, self.padding, self.dilation)), strict=True)
        out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in options]
        if min(out) < 1:
            raise ShapeError(
                f"{self.where}: a kernel of {_pair(self.kernel_size)} does not fit into images of {tuple(size)}"
            )
        return out

    def _taps(self, out: list[int]) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        """Each tap of the kernel, and the pixels that it meets in the padded images."""
        (kh, kw), (sh, sw), (dh, dw) = map(_pair, (self.kernel_size, self.stride, self.dilation))
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dh, i * dh + sh * (out[0] - 1) + 1, sh)
                yield i, j, (rows, slice(j * dw, j * dw + sw * (out[1] - 1) + 1, sw))


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ShapeError(f"Im2col: expected an integer or a pair of them, got {value!r:.40}")
        return value[0], value[1]
    return value, value
