"""What the layers of convolution have in common: options, parameters, and the ways in and out of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._images import LAYOUTS, check_gradient, check_images, samples_first, samples_last
from ._numerics import row_sum
from ._window import Window, make_window, window_of
from .errors import ShapeError
from .initializers import He, Initializer, Zeros
from .layer import Layer, Shape
from .param import Array

Size = int | tuple[int, ...]


class Convolution(Layer):
    """A subclass says of which shapes its weights and its outputs are."""

    backward_uses = ("input",)
    uses_threads = True
    ndim = 4  # of the input; 3 for sequences

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = He(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        name = type(self).__name__
        for what, value in (("out_channels", out_channels), ("groups", groups)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ShapeError(f"{name}: {what}: expected an integer of at least 1, got {value!r:.60}")
        if out_channels % groups:
            raise ShapeError(f"{name}: {groups} groups do not divide {out_channels} out_channels")
        if not isinstance(bias, (bool, np.bool_)):
            raise TypeError(f"{name}: bias is True or False, got {bias!r:.40}")
        self.out_channels, self.groups, self.bias = int(out_channels), int(groups), bool(bias)
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.weight_init, self.bias_init = weight_init, bias_init
        make_window(*self._options())  # refuses what it cannot be

    @property
    def window(self) -> Window:
        """The options as they are now."""
        return window_of(*self._options())

    def _options(self) -> tuple[Any, ...]:
        """Those of a window, and whose they are."""
        options = (self.kernel_size, self.stride, self.padding, self.dilation)
        return *(tuple(o) if isinstance(o, (list, np.ndarray)) else o for o in options), type(self).__name__

    def build(self, in_shape: Any) -> Any:
        check_images(self.where, in_shape, self.ndim)
        channels, *size = in_shape
        if not channels:
            raise ShapeError(f"{self.where}: expected at least one channel, got {in_shape} without the batch axis")
        if channels % self.groups:
            raise ShapeError(f"{self.where}: {self.groups} groups do not divide the input's {channels} channels")
        out_size = self.out_size((1, *size)[-2:])
        self._make_params(self.weight_shape(channels), channels)
        return (self.out_channels, *out_size[4 - self.ndim :])

    def weight_shape(self, channels: int) -> Shape:
        """Of W, for an input of so many channels."""
        raise NotImplementedError

    def out_size(self, size: Any) -> tuple[int, int]:
        """(height, width) of the outputs for such an input."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """How many the input has to have."""
        raise NotImplementedError

    def _make_params(self, shape: Shape, channels: int) -> None:
        """A weight's fan-in and fan-out are what one output sums over, and what one input goes into."""
        taps = int(np.prod(self.window.kernel))
        fan_in, fan_out = (n // self.groups * taps for n in (channels, self.out_channels))
        self.W = self.param("W", shape, self.weight_init, fan_in=fan_in, fan_out=fan_out)
        if self.bias:
            self.b = self.param("b", (self.out_channels,), self.bias_init, fan_in=fan_in, fan_out=fan_out)

    def _enter(self, x: Array) -> Array:
        """The images, samples last, checked and cast."""
        if x.ndim != self.ndim or x.shape[1] != self.channels:
            layout = f"expected {LAYOUTS[self.ndim]}" + "; a single one is x[None]" * (x.ndim == self.ndim - 1)
            fix = "did the data change after build?" if x.ndim == self.ndim else layout
            raise ShapeError(f"{self.where}: expected {self.channels} channels, got input of shape {x.shape}; {fix}")
        return self._rows(samples_last(x if x.dtype == self.dtype else self.cast(x)))

    def _enter_gradient(self, dy: Array) -> Array:
        """The output's gradient, samples last; adds that of the bias."""
        check_gradient(self.where, dy, self.cache.y_shape)
        dy = samples_last(dy if dy.dtype == self.dtype else self.cast(dy))
        if self.bias and self.b.trainable:
            self.b.add_grad(row_sum(dy.reshape(len(dy), -1)))
        return self._rows(dy)

    def _rows(self, x: Array) -> Array:
        """Sequences, (C, L, N), as images of one row."""
        return x if x.ndim == 4 else x[:, None]

    def _leave(self, y: Array) -> Array:
        """Images, samples last, as the others see them."""
        return samples_first(y if self.ndim == 4 else y[:, 0])

    def _output(self, y: Array) -> Array:
        y = self._leave(y)
        self.cache.y_shape = y.shape
        return y
