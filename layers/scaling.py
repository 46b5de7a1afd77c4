"""Layers that multiply or add along some axes: ``Scale`` and ``Bias``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .initializers import Constant, Initializer, Zeros
from .layer import Layer, Shape
from .param import Array


class _Along(Layer):
    """What both have in common: w, learned or the second input, with the sizes of the axes of x from ``axis`` on.

    It is repeated along the others.
    """

    axis: int
    num_axes: int

    def _learned_shape(self, in_shape: Shape, num_axes: int | None = None) -> Shape:
        """Of a parameter, for such an input."""
        num_axes = self.num_axes if num_axes is None else num_axes
        if num_axes == 0:
            return ()
        ndim = 1 + len(in_shape)
        first = self.axis + ndim if self.axis < 0 else self.axis
        end = ndim if num_axes == -1 else first + num_axes
        if not 1 <= first < end <= ndim:
            fix = "; what is learned for each sample is no use for others" if first == 0 else ""
            raise ShapeError(
                f"{self.where}: expected axis {self.axis} and {num_axes} axes from there on beyond the batch's axis 0, "
                f"got input of shape {in_shape} without the batch axis{fix}"
            )
        return in_shape[first - 1 : end - 1]

    def _spread(self, w: Array, x: Array) -> Array:
        """The array w with axes of length 1 behind, such that it is broadcast over x as it should be."""
        first = self.axis + x.ndim if self.axis < 0 else self.axis
        end = first + w.ndim
        if not w.ndim:
            return w
        if first < 0 or x.shape[first:end] != w.shape:
            raise ShapeError(
                f"{self.where}: expected an input whose axes from {self.axis} on are {w.shape}, got shape {x.shape}"
            )
        return w.reshape(*w.shape, *(1,) * (x.ndim - end))

    def _sum(self, g: Array, w: Array) -> Array:
        """The sum of g over all axes that w is repeated along."""
        if not w.ndim:
            return np.asarray(_sum_last(g, 0))
        first = self.axis + g.ndim if self.axis < 0 else self.axis
        g = _sum_last(g, first + w.ndim)
        while g.ndim > w.ndim:
            g = g.sum(axis=0)
        return g


class Scale(_Along):
    """y = x w + b,  dx = dy w,  dw = sum of dy x,  db = sum of dy over all that w is repeated along.

    w has the sizes of ``num_axes`` axes of x from ``axis`` on, and so has b: with the defaults one number for
    each channel. With two inputs, ``forward(x, w)``, the second is w, of the sizes of x's axes from ``axis`` on (0
    is the sample, then); b is learned all the same. After Caffe's BatchNorm this is what learns.

    Parameters
    ----------
    axis : int
    num_axes : int
        -1: all from ``axis`` on; 0: w is one number. With two inputs the second says how many.
    bias : bool
        Whether there is a b  [bias_term].
    weight_init, bias_init : Initializer

    Raises
    ------
    ShapeError
        If the input has no such axes, or a learned w or b would be one for each sample.
    """

    backward_uses = ("input",)

    def __init__(
        self,
        axis: int = 1,
        num_axes: int = 1,
        bias: bool = False,
        weight_init: Initializer = Constant(1.0),
        bias_init: Initializer = Zeros(),
    ) -> None:
        _check_axes("Scale", axis, num_axes)
        self.axis, self.num_axes, self.bias = axis, num_axes, bias
        self.weight_init, self.bias_init = weight_init, bias_init

    def build(self, in_shape: Any) -> Any:
        two = _are_two(in_shape)
        x_shape = in_shape[0] if two else in_shape
        if two:
            shape = self._learned_shape(x_shape, 1 + len(in_shape[1])) if self.bias else ()
        else:
            shape = self._learned_shape(x_shape)
            self.W = self.param("W", shape, self.weight_init)
        if self.bias:
            self.b = self.param("b", shape, self.bias_init)
        return x_shape

    def forward(self, x: Array, multiplier: Array | None = None) -> Array:
        c = self.cache
        x = self.cast(x)
        c.learned = multiplier is None
        w = self.W.data if multiplier is None else self.cast(multiplier)
        c.x, c.w = x, w
        y = x * self._spread(w, x)
        if self.bias:
            y += self._spread(self.b.data, x)
        return y

    def backward(self, dy: Array) -> Any:
        c = self.cache
        dy = self.cast(dy)
        if self.bias and self.b.trainable:
            self.b.add_grad(self._sum(dy, self.b.data))
        dx = dy * self._spread(c.w, c.x) if self.input_grad else None
        if not c.learned:
            return dx, self._sum(dy * c.x, c.w)
        if self.W.trainable:
            self.W.add_grad(self._sum(dy * c.x, c.w))
        return dx

    def flops(self) -> int:
        return super().flops() * (2 if self.bias else 1)


class Bias(_Along):
    """y = x + b,  dx = dy,  db = sum of dy over all that b is repeated along.

    b has the sizes of ``num_axes`` axes of x from ``axis`` on. With two inputs, ``forward(x, b)``, the second is b.
    Parameters and errors are those of ``Scale``.
    """

    backward_uses = ()

    def __init__(self, axis: int = 1, num_axes: int = 1, bias_init: Initializer = Zeros()) -> None:
        _check_axes("Bias", axis, num_axes)
        self.axis, self.num_axes, self.bias_init = axis, num_axes, bias_init

    def build(self, in_shape: Any) -> Any:
        if _are_two(in_shape):
            return in_shape[0]
        self.b = self.param("b", self._learned_shape(in_shape), self.bias_init)
        return in_shape

    def forward(self, x: Array, addend: Array | None = None) -> Array:
        c = self.cache
        x = self.cast(x)
        c.learned = addend is None
        c.b = self.b.data if addend is None else self.cast(addend)
        return x + self._spread(c.b, x)

    def backward(self, dy: Array) -> Any:
        c = self.cache
        if not c.learned:
            return dy, self._sum(dy, c.b)
        if self.b.trainable:
            self.b.add_grad(self._sum(dy, c.b))
        return dy


def _sum_last(g: Array, ndim: int) -> Array:
    """Sum over the last axes, down to ``ndim``: one after the other, which rounds less."""
    while g.ndim > ndim:
        g = g.sum(axis=-1)
    return g


def _are_two(in_shape: Any) -> bool:
    """Whether these are the shapes of two inputs."""
    return bool(in_shape) and isinstance(in_shape[0], tuple)


def _check_axes(owner: str, axis: int, num_axes: int) -> None:
    if not isinstance(axis, (int, np.integer)):
        raise ShapeError(f"{owner}: axis: expected an integer, got {axis!r:.40}")
    if not isinstance(num_axes, (int, np.integer)) or num_axes < -1:
        raise ShapeError(f"{owner}: num_axes: expected an integer from -1 on, got {num_axes!r:.40}")
