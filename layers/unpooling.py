"""The way back from pooled images to larger ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._images import check_gradient, check_images, pair, samples_first, samples_last
from .errors import DTypeError, ShapeError
from .layer import Layer
from .param import Array
from .pooling import Size


class MaxUnpool2D(Layer):
    """y = x at the places in ``indices``, 0 elsewhere;  dx = dy at these places.

    Undoes ``MaxPool2D(…, return_indices=True)`` of the same arguments: forward(x, indices), both (N, C, H, W),
    gives y of (N, C, out_h, out_w), out = (size - 1) stride - 2 padding + kernel. An index is row * out_w + column.
    Where several name one place, as after overlapping windows, the last stays, and it alone gets the gradient.
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        Those of the pooling.
    output_size : pair of int or None
        (out_h, out_w), since pooling takes images of several sizes to one.

    Raises
    ------
    ShapeError
        If x is no batch of images, the indices have another shape or lead out of the output, or that has no size.
    DTypeError
        If the indices are not integers.
    """

    backward_uses = ()

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        output_size: Size | None = None,
    ) -> None:
        self.kernel_size, self.stride, self.padding, self.output_size = kernel_size, stride, padding, output_size
        self.geometry()  # refuses what it cannot be

    def geometry(self) -> tuple[tuple[int, int], ...]:
        """Kernel, stride and padding as they are now, each (vertical, horizontal), and the output's size if given."""
        kernel = pair(self.kernel_size, "MaxUnpool2D", "kernel_size")
        stride = kernel if self.stride is None else pair(self.stride, "MaxUnpool2D", "stride")
        padding = pair(self.padding, "MaxUnpool2D", "padding", least=0)
        size = () if self.output_size is None else (pair(self.output_size, "MaxUnpool2D", "output_size"),)
        return kernel, stride, padding, *size

    def build(self, in_shape: Any) -> Any:
        if len(in_shape) != 2 or not all(isinstance(shape, tuple) for shape in in_shape):
            raise ShapeError(f"{self.where}: expected two inputs, x and indices, got {in_shape}")
        return (in_shape[0][0], *self._out(*in_shape))

    def forward(self, x: Array, indices: Array) -> Array:
        c = self.cache
        c.out = h, w = self._out(x.shape[1:], indices.shape[1:])
        n, channels, height, width = c.shape = x.shape
        if len(indices) != n:
            raise ShapeError(f"{self.where}: got {n} images, but indices of {len(indices)}")
        if indices.dtype.kind not in "iu":
            raise DTypeError(f"{self.where}: expected integers as indices, got {indices.dtype}")
        c.at = samples_last(indices).reshape(channels, height * width, n)
        if c.at.size and not 0 <= c.at.min() <= c.at.max() < h * w:
            raise ShapeError(
                f"{self.where}: the indices lead from {c.at.min()} to {c.at.max()}, beyond an output of {c.out}; "
                f"set output_size to the size that was pooled"
            )
        y = np.zeros((channels, h * w, n), x.dtype)
        np.put_along_axis(y, c.at, samples_last(x).reshape(c.at.shape), axis=1)
        return samples_first(y.reshape(channels, h, w, n))

    def backward(self, dy: Array) -> tuple[Array | None, None]:
        c = self.cache
        if not self.input_grad:
            return None, None
        check_gradient(self.where, dy, (*c.shape[:2], *c.out))
        n, channels, height, width = c.shape
        mine = np.arange(c.at.shape[1])[:, None]
        owner = np.zeros((channels, c.out[0] * c.out[1], n), np.intp)
        np.put_along_axis(owner, c.at, mine, axis=1)
        dx = np.take_along_axis(samples_last(dy).reshape(owner.shape), c.at, axis=1)
        dx *= np.take_along_axis(owner, c.at, axis=1) == mine  # 0 for those overwritten
        return samples_first(dx.reshape(channels, height, width, n)), None

    def flops(self) -> int:
        return 0

    def _out(self, x: tuple[int, ...], indices: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of the output."""
        check_images(self.where, x)
        if x != indices:
            raise ShapeError(f"{self.where}: expected indices of x's shape {x}, got {indices}, batch axis left out")
        kernel, stride, padding, *given = self.geometry()
        if given:
            return given[0]
        sizes = zip(x[1:], kernel, stride, padding, strict=True)
        h, w = ((size - 1) * stride - 2 * pad + kernel for size, kernel, stride, pad in sizes)
        if h < 1 or w < 1:
            raise ShapeError(f"{self.where}: an output of size ({h}, {w}); take less padding, or give output_size")
        return h, w
