"""Layers that move a kernel of learned weights over images or sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._convolution import Convolution, Size
from ._convolve import correlate, gradients
from ._images import pair
from .errors import ShapeError
from .initializers import He, Initializer, Zeros
from .layer import Shape
from .param import Array


class Conv2D(Convolution):
    """y[n, o, h, w] = b[o] + Σ W[o, c, i, j] x[n, c, s h + d i - p, s w + d j - p]  [Caffe: Convolution].

    The sum runs over c, i and j; x is 0 outside the image. As everywhere in the field this is a correlation: the
    kernel is not turned. With the stride s, the dilation d and the padding p, an image of H rows gives
    floor((H + 2p - d (kh - 1) - 1) / s) + 1. x is (N, C, H, W), W is (out_channels, C / groups, kh, kw). The
    gradients::

        dW[o, c, i, j] = Σ dy[n, o, h, w] x[n, c, s h + d i - p, s w + d j - p],    db[o] = Σ dy[n, o, h, w],
        dx[n, c, s h + d i - p, s w + d j - p] = Σ W[o, c, i, j] dy[n, o, h, w].

    LeCun et al., "Gradient-based learning applied to document recognition", 1998. What computes these sums, for
    which shapes, stands in ``layers/_convolve.py``.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride, dilation : int or pair
        Pairs are (vertical, horizontal).
    padding : int, pair, four ints or "same"
        Zeros above and below, left and right; or (top, bottom, left, right). "same" keeps the size (with
        stride 1); an odd zero goes below and to the right.
    groups : int
        The channels are cut into so many groups, each convolved by itself; as many as channels: depthwise.
    bias : bool

    Raises
    ------
    ShapeError
        If the input is no images or of other channels than it was built for, the kernel is larger than the
        padded image, or the groups do not divide the channels.
    """

    def weight_shape(self, channels: int) -> Shape:
        return (self.out_channels, channels // self.groups, *self.window.kernel)

    def out_size(self, size: Any) -> tuple[int, int]:
        return self.window.outputs(size, self.where)

    @property
    def channels(self) -> int:
        return self.W.shape[1] * self.groups

    def forward(self, x: Array) -> Array:
        x = self.cache.x = self._enter(x)
        bias = self.b.data if self.bias else None
        return self._output(correlate(x, self._weights, bias, self.window, self.out_size(x.shape[1:3]), self.groups))

    def backward(self, dy: Array) -> Array | None:
        x, dy, learned = self.cache.x, self._enter_gradient(dy), self.W.trainable
        dx, dW = gradients(
            dy, self._weights, self.window, x.shape[1:3], self.groups, x=x if learned else None, dx=self.input_grad
        )
        if dW is not None:
            self.W.add_grad(dW.reshape(self.W.shape))
        return None if dx is None else self._leave(dx)

    @property
    def _weights(self) -> Array:
        """W with both of the kernel's axes."""
        return self.W.data.reshape(*self.W.shape[:2], *self.window.kernel)

    def flops(self) -> int:
        return super().flops() * (2 * int(np.prod(self.W.shape[1:])) + self.bias)


class Conv1D(Conv2D):
    """y[n, o, l] = b[o] + Σ W[o, c, i] x[n, c, s l + d i - p]: a ``Conv2D`` of images of one row, gradients and all.

    x is (N, C, L), W is (out_channels, C / groups, k); the other parameters are those of ``Conv2D``.

    Parameters
    ----------
    kernel_size, stride, dilation : int
    padding : int, pair or "same"
        Zeros before and after.
    """

    ndim = 3

    def _options(self) -> tuple[Any, ...]:
        name, padding = type(self).__name__, self.padding
        for what in ("kernel_size", "stride", "dilation"):
            value = getattr(self, what)
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ShapeError(f"{name}: {what}: expected an integer from 1 on, got {value!r:.60}")
        if not isinstance(padding, str):
            padding = 0, 0, *pair(padding, name, "padding", 0)
        return (1, self.kernel_size), (1, self.stride), padding, (1, self.dilation), name

    def weight_shape(self, channels: int) -> Shape:
        return (self.out_channels, channels // self.groups, self.window.kernel[1])


class ConvTranspose2D(Convolution):
    """y[n, o, s h + d i - p, s w + d j - p] = b[o] + Σ W[c, o, i, j] x[n, c, h, w]  [Caffe: Deconvolution].

    The sum runs over all c, h, w, i, j that meet in that place: what ``Conv2D`` does to gradients, as a layer. An
    image of H rows gives s (H - 1) + d (kh - 1) + 1 - 2p, and ``output_padding`` more. x is (N, C, H, W), W is
    (C, out_channels / groups, kh, kw). The gradients::

        dW[c, o, i, j] = Σ x[n, c, h, w] dy[n, o, s h + d i - p, s w + d j - p],    db[o] = Σ dy[n, o, h, w],
        dx[n, c, h, w] = Σ W[c, o, i, j] dy[n, o, s h + d i - p, s w + d j - p].

    Zeiler et al., "Deconvolutional networks", 2010. The other parameters are those of ``Conv2D``.

    Parameters
    ----------
    output_padding : int or pair
        Rows and columns added below and to the right, fewer than the stride or the dilation: several sizes are
        convolved to the input's, and this says which of them is meant.

    Raises
    ------
    ShapeError
        If the input is no images or of other channels than it was built for, nothing would be left of the
        image, or the groups do not divide the channels.
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = He(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        super().__init__(out_channels, kernel_size, stride, padding, dilation, groups, bias, weight_init, bias_init)
        self.output_padding = output_padding
        self._output_padding()

    def _output_padding(self) -> tuple[int, int]:
        more, window = pair(self.output_padding, "ConvTranspose2D", "output_padding", 0), self.window
        if any(m >= max(s, d) for m, s, d in zip(more, window.stride, window.dilation, strict=True)):
            raise ShapeError(
                f"ConvTranspose2D: expected an output_padding below the stride {window.stride} "
                f"or the dilation {window.dilation}, got {more}"
            )
        return more

    def weight_shape(self, channels: int) -> Shape:
        return (channels, self.out_channels // self.groups, *self.window.kernel)

    def out_size(self, size: Any) -> tuple[int, int]:
        return self.window.inputs(size, self._output_padding(), self.where)

    @property
    def channels(self) -> int:
        return self.W.shape[0]

    def forward(self, x: Array) -> Array:
        x = self.cache.x = self._enter(x)
        y = gradients(x, self.W.data, self.window, self.out_size(x.shape[1:3]), self.groups)[0]
        if self.bias:
            y += self.b.data[:, None, None, None]
        return self._output(y)

    def backward(self, dy: Array) -> Array | None:
        x, dy, window = self.cache.x, self._enter_gradient(dy), self.window
        if self.W.trainable:
            self.W.add_grad(gradients(x, self.W.data, window, dy.shape[1:3], self.groups, x=dy, dx=False)[1])
        if not self.input_grad:
            return None
        return self._leave(correlate(dy, self.W.data, None, window, x.shape[1:3], self.groups))

    def flops(self) -> int:
        products = 2 * int(np.prod(self.in_shape or (1,))) * int(np.prod(self.W.shape[1:]))
        return products + (super().flops() if self.bias else 0)
