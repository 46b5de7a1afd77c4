"""Convolution in any number of axes, the weights being an input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, integers
from .windows import Geometry, Moves, fold, padded, unfold


class OnnxConv(OnnxLayer):
    """y[n, o, p] = b[o] + Σ W[o, c, t] x[n, c, s p + d t - pad], the sum over c and all taps t, for each group.

    dx, dW and db are ``Conv2D``'s, in any number of axes. x is (N, C, D1, …), W (out, C / group, k1, …), and b, of no
    or ``out`` elements, a third input. The attributes are the operator's.

    Raises
    ------
    ShapeError
        If W does not fit the channels, or the kernel not into the padded image.
    """

    backward_uses = ("input",)

    def __init__(
        self, strides: Any = None, pads: Any = None, dilations: Any = None, group: int = 1, auto_pad: str = "NOTSET"
    ) -> None:
        self.strides, self.pads, self.dilations = strides, pads, dilations
        self.group, self.auto_pad = group, auto_pad

    def forward(self, x: Array, W: Array, *b: Array) -> Array:
        c, g = self.cache, self.group
        if W.ndim != x.ndim or x.ndim < 3 or x.shape[1] != W.shape[1] * g or len(W) % g:
            raise ShapeError(f"{self.where}: weights of shape {W.shape} in {g} groups do not fit input of {x.shape}")
        moves = Moves(W.shape[2:], self.strides, self.pads, self.dilations, self.auto_pad)
        c.geometry = moves.over(x.shape, self.where)
        self.allow((*x.shape[:2], *c.geometry.spanned), x)
        c.W, c.b, c.sizes = W, b, x.shape[2:]
        c.parts = _grouped(unfold(padded(x, c.geometry, 0), c.geometry), g)  # (N, g, C / g, *out, *kernel)
        kernel = W.reshape(g, -1, *W.shape[1:])
        k = len(c.sizes)
        # (g, N, *out, out / g): sums over channels and taps.
        axes = [1, *range(2 + k, 2 + 2 * k)]
        y = np.stack([np.tensordot(c.parts[:, i], kernel[i], (axes, range(1, 2 + k))) for i in range(g)])
        y = np.moveaxis(y, (0, -1), (1, 2)).reshape(len(x), len(W), *c.geometry.out)
        return y + _along_channels(b[0], y) if b and b[0].size else y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        c, g, k = self.cache, self.group, len(self.cache.sizes)
        grads, kernel = _grouped(dy, g), c.W.reshape(g, -1, *c.W.shape[1:])
        spots = [0, *range(2, 2 + k)]
        dW = np.stack([np.tensordot(grads[:, i], c.parts[:, i], (spots, spots)) for i in range(g)]).reshape(c.W.shape)
        parts = np.stack([np.tensordot(grads[:, i], kernel[i], (1, 0)) for i in range(g)], 1)
        parts = np.moveaxis(parts, 2 + k, 2)  # (N, g, C / g, *out, *kernel)
        dx = fold(parts.reshape(len(dy), -1, *parts.shape[3:]), c.geometry, c.sizes)
        return dx, dW, *(np.zeros_like(b) if not b.size else _over_channels(dy) for b in c.b)

    def flops(self) -> int:
        taps = math.prod(self.in_shape[1]) if self.in_shape and isinstance(self.in_shape[0], tuple) else 1
        return 2 * super().flops() * taps


class OnnxConvTranspose(OnnxLayer):
    """y[n, o, s p + d t - pad] = b[o] + Σ W[c, o, t] x[n, c, p], the sum over all that meet there, for each group.

    dx, dW and db are ``ConvTranspose2D``'s, in any number of axes. x is (N, C, D1, …), W (C, out / group, k1, …), and
    b, of no or ``out`` elements, a third input. The attributes are the operator's.

    Raises
    ------
    ShapeError
        If W does not fit the channels, or nothing is left of the image.
    """

    backward_uses = ("input",)

    def __init__(
        self,
        strides: Any = None,
        pads: Any = None,
        dilations: Any = None,
        group: int = 1,
        auto_pad: str = "NOTSET",
        output_padding: Any = None,
        output_shape: Any = None,
    ) -> None:
        self.strides, self.pads, self.dilations, self.group = strides, pads, dilations, group
        self.auto_pad, self.output_padding, self.output_shape = auto_pad, output_padding, output_shape

    def forward(self, x: Array, W: Array, *b: Array) -> Array:
        c, g = self.cache, self.group
        if W.ndim != x.ndim or x.ndim < 3 or x.shape[1] != len(W) or len(W) % g:
            raise ShapeError(f"{self.where}: weights of shape {W.shape} in {g} groups do not fit input of {x.shape}")
        c.geometry, sizes = self._geometry(x.shape[2:], W.shape[2:])
        self.allow((len(x), g * W.shape[1], *sizes), x)
        c.x, c.W, c.b = x, W, b
        rows, kernel = _grouped(x, g), W.reshape(g, -1, *W.shape[1:])
        parts = np.stack([np.tensordot(rows[:, i], kernel[i], (1, 0)) for i in range(g)], 1)
        parts = np.moveaxis(parts, x.ndim, 2)  # (N, g, out / g, *in, *kernel)
        y = fold(parts.reshape(len(x), -1, *parts.shape[3:]), c.geometry, sizes)
        return y + _along_channels(b[0], y) if b and b[0].size else y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        c, g, k = self.cache, self.group, dy.ndim - 2
        rows, kernel = _grouped(c.x, g), c.W.reshape(g, -1, *c.W.shape[1:])
        parts = _grouped(unfold(padded(dy, c.geometry, 0), c.geometry), g)
        axes, spots = [1, *range(2 + k, 2 + 2 * k)], [0, *range(2, 2 + k)]
        dx = np.stack([np.tensordot(parts[:, i], kernel[i], (axes, range(1, 2 + k))) for i in range(g)])
        dx = np.moveaxis(dx, (0, -1), (1, 2)).reshape(c.x.shape)
        dW = np.stack([np.tensordot(rows[:, i], parts[:, i], (spots, spots)) for i in range(g)]).reshape(c.W.shape)
        return dx, dW, *(np.zeros_like(b) if not b.size else _over_channels(dy) for b in c.b)

    def _geometry(self, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Geometry, tuple[int, ...]]:
        """How the kernel moves over the output, and that one's size."""
        moves = Moves(kernel, self.strides, self.pads, self.dilations, self.auto_pad)
        k = len(kernel)
        extra = (0,) * k if self.output_padding is None else integers(self.output_padding)
        before, after = [*moves.pads[:k]], [*moves.pads[k:]]
        natural = [
            s * (n - 1) + d * (size - 1) + 1 + more
            for n, s, d, size, more in zip(sizes, moves.strides, moves.dilations, kernel, extra, strict=True)
        ]
        wanted = None if self.output_shape is None else integers(self.output_shape)[-k:]
        if wanted is None and self.auto_pad.startswith("SAME"):
            wanted = tuple(n * s for n, s in zip(sizes, moves.strides, strict=True))
        if self.auto_pad == "VALID":
            before, after = [0] * k, [0] * k
        if wanted is not None:
            both = [max(0, n - w) for n, w in zip(natural, wanted, strict=True)]
            less, more = [n // 2 for n in both], [n - n // 2 for n in both]
            before, after = (less, more) if self.auto_pad == "SAME_UPPER" else (more, less)
        out = wanted or tuple(n - a - b for n, a, b in zip(natural, before, after, strict=True))
        if min(out) < 1:
            raise ShapeError(f"{self.where}: an input of size {sizes} would give one of {tuple(out)}; use less padding")
        geometry = Geometry(kernel, moves.strides, moves.dilations, tuple(before), tuple(after), sizes)
        return geometry, tuple(out)


def _grouped(x: Array, groups: int) -> Array:
    return x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])


def _along_channels(b: Array, y: Array) -> Array:
    return b.reshape(-1, *(1,) * (y.ndim - 2))


def _over_channels(dy: Array) -> Array:
    return dy.sum(axis=(0, *range(2, dy.ndim)))
