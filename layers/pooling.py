"""Maxima and averages over windows of images."""

from __future__ import annotations

import math
from typing import Any

from ._images import check_gradient, check_images, pair, samples_first, samples_last
from ._pooling import avg_pool, avg_pool_back, max_pool, max_pool_back, max_pool_index
from ._pooling_windows import Line
from .errors import ShapeError
from .layer import Layer
from .param import Array

Size = int | tuple[int, int]
Pair = tuple[int, int]


class _Pool2D(Layer):
    """What both kinds have in common: the windows, and which sizes fit. Sizes may change from batch to batch."""

    backward_uses = ()

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False
    ) -> None:
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.geometry()  # refuses what it cannot be

    def geometry(self) -> tuple[Pair, Pair, Pair]:
        """Kernel, stride and padding as they are now, each (vertical, horizontal)."""
        owner = type(self).__name__
        kernel = pair(self.kernel_size, owner, "kernel_size")
        stride = kernel if self.stride is None else pair(self.stride, owner, "stride")
        padding = pair(self.padding, owner, "padding", least=0)
        if padding[0] >= kernel[0] or padding[1] >= kernel[1]:
            raise ShapeError(
                f"{owner}: padding {padding} is not smaller than the kernel {kernel}: "
                f"some windows would see padding only; use less padding"
            )
        return kernel, stride, padding

    def lines(self, shape: tuple[int, ...]) -> tuple[Line, Line]:
        """The windows along H and along W, for a batch of this shape."""
        if len(shape) != 4:
            check_images(self.where, shape[1:])
        geometry = self.geometry()
        return self._line(shape, 0, geometry), self._line(shape, 1, geometry)

    def _line(self, shape: tuple[int, ...], axis: int, geometry: tuple[Pair, Pair, Pair]) -> Line:
        size, (kernel, stride, pad) = shape[2 + axis], (pairs[axis] for pairs in geometry)
        steps = size + 2 * pad - kernel
        out = (-(-steps // stride) if self.ceil_mode else steps // stride) + 1
        if (out - 1) * stride >= size + pad:
            out -= 1  # it would begin beyond the image, in the padding or after it
        if size < 1 or out < 1:
            raise ShapeError(
                f"{self.where}: a kernel of {geometry[0]} does not fit into the padded image: "
                f"{shape[2:]} with {geometry[2]} more on each side; take a smaller kernel or more padding"
            )
        return Line(size, kernel, stride, pad, out)

    def build(self, in_shape: Any) -> Any:
        check_images(self.where, in_shape)
        rows, columns = self.lines((0, *in_shape))
        return (in_shape[0], rows.out, columns.out)

    def _positions(self) -> int:
        """Windows in all channels of one sample, once built."""
        channels, *sizes = self.in_shape or (1, 1, 1)
        rows, columns = self.lines((1, channels, *sizes))
        return int(channels) * rows.out * columns.out


class MaxPool2D(_Pool2D):
    """y = the maximum of x over each window;  dx = sum of dy over the windows whose maximum is there.

    x is (N, C, H, W), y is (N, C, out_h, out_w), with out = floor((size + 2 padding - kernel) / stride) + 1, or
    the ceiling in ``ceil_mode``. Of equal maxima the first, row by row, gets the gradient. Padding never wins
    over a number (only over -inf, whose gradient is then lost), and a window with a NaN gives NaN.

    Conventions of others: PyTorch's are these, and Caffe's are those of ``ceil_mode=True``. Both then leave out
    a last window that would begin beyond the image; Caffe does so only if there is padding, and without it has a
    window of nothing at all (when the stride is larger than the kernel), where this layer has none. PyTorch takes
    padding up to half the kernel, Caffe and this layer up to the kernel less one.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        For height and width; the stride is the kernel's size unless given, padding is on all sides.
    ceil_mode : bool
        Whether a last window may hang over the padded image, so that every pixel is in one.
    return_indices : bool
        Return (y, indices), as ``MaxUnpool2D`` takes them: each maximum is at row * W + column of its image.

    Raises
    ------
    ShapeError
        If the padding is not smaller than the kernel, the kernel does not fit into the padded image, or the
        input is no batch of images.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.return_indices = return_indices

    def build(self, in_shape: Any) -> Any:
        out_shape = super().build(in_shape)
        return (out_shape, out_shape) if self.return_indices else out_shape

    def forward(self, x: Array) -> Any:
        c = self.cache
        c.lines = self.lines(x.shape)
        if x.dtype.kind not in "fiu":  # of booleans none is less than False, as padding has to be
            x = self.cast(x)
        y, c.winners = max_pool(samples_last(x), *c.lines)
        c.y_shape = (len(x), *y.shape[:3])
        if self.return_indices:
            return samples_first(y), samples_first(max_pool_index(c.winners, y.shape, *c.lines))
        return samples_first(y)

    def backward(self, dy: Any) -> Array | None:
        c = self.cache
        if not self.input_grad:
            return None
        if self.return_indices:
            dy, _ = dy
        check_gradient(self.where, dy, c.y_shape)
        return samples_first(max_pool_back(samples_last(dy), c.winners, *c.lines))

    def flops(self) -> int:
        return self._positions() * (math.prod(self.geometry()[0]) - 1)


class AvgPool2D(_Pool2D):
    """y = the sum of x over each window / its pixels;  dx = sum of dy / pixels over the windows that are there.

    Shapes, parameters and conventions are those of ``MaxPool2D``. What hangs over the padded image in
    ``ceil_mode`` is never counted among a window's pixels, in Caffe and PyTorch neither.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        For height and width; the stride is the kernel's size unless given, padding is on all sides.
    ceil_mode : bool
        Whether a last window may hang over the padded image, so that every pixel is in one.
    count_include_pad : bool
        Whether the padding's zeros count as pixels, as they do in Caffe.

    Raises
    ------
    ShapeError
        If the padding is not smaller than the kernel, the kernel does not fit into the padded image, or the
        input is no batch of images.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad

    def forward(self, x: Array) -> Array:
        rows, columns = self.cache.lines = self.lines(x.shape)
        if x.dtype.kind != "f":
            x = self.cast(x)
        y = samples_first(avg_pool(samples_last(x), rows, columns, self.count_include_pad))
        self.cache.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Array | None:
        if not self.input_grad:
            return None
        rows, columns = self.cache.lines
        check_gradient(self.where, dy, self.cache.y_shape)
        return samples_first(avg_pool_back(samples_last(dy), rows, columns, self.count_include_pad))

    def flops(self) -> int:
        return self._positions() * math.prod(self.geometry()[0])
