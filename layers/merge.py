"""Layers of several inputs of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from ._axes import axis_of, refuse_batch_axis
from .errors import ShapeError
from .layer import Layer, Shape
from .param import Array


class _Elementwise(Layer):
    """Makes one array of several of one shape, element by element  [Caffe: Eltwise]."""

    def build(self, in_shape: Any) -> Any:
        self._compare(in_shape)
        return in_shape[0]

    def flops(self) -> int:
        return super().flops() * (len(self.in_shape or (0, 0)) - 1)

    def _compare(self, shapes: Shape) -> None:
        """Refuse inputs of different shapes."""
        _several(self, shapes)
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(f"{self.where}: expected inputs of one shape, got {', '.join(map(str, shapes))}")


class Add(_Elementwise):
    """y = a1 x1 + a2 x2 + …,  dx_i = a_i dy  [Caffe: Eltwise SUM]. All inputs have one shape.

    Parameters
    ----------
    coefficients : sequence of float, optional
        The constants a_i [Caffe: coeff], one for each input. Without them all are 1.

    Raises
    ------
    ShapeError
        If the inputs differ in shape, or are not as many as the coefficients.
    """

    backward_uses = ()

    def __init__(self, coefficients: Sequence[float] | None = None) -> None:
        self.coefficients = coefficients

    def forward(self, *inputs: Array) -> Array:
        self._compare(tuple(x.shape for x in inputs))
        self.cache.count = len(inputs)
        if self.coefficients is not None:
            inputs = tuple(x if a == 1 else float(a) * x for a, x in zip(self.coefficients, inputs, strict=True))
        return reduce(np.add, inputs)

    def backward(self, dy: Array) -> tuple[Array, ...]:
        if self.coefficients is None:
            return (dy,) * self.cache.count
        return tuple(dy if a == 1 else float(a) * dy for a in self.coefficients)

    def _compare(self, shapes: Shape) -> None:
        super()._compare(shapes)
        if self.coefficients is not None and len(self.coefficients) != len(shapes):
            raise ShapeError(
                f"{self.where}: expected {len(self.coefficients)} inputs, one for each of the coefficients "
                f"{self.coefficients}, got {len(shapes)}"
            )


class Multiply(_Elementwise):
    """y = x1 x2 …,  dx_i = dy times all x but x_i  [Caffe: Eltwise PROD]. All inputs have one shape.

    Nothing is divided, so a factor may be 0. (Caffe divides y by x_i if its stable_prod_grad is off.)

    Raises
    ------
    ShapeError
        If the inputs differ in shape.
    """

    backward_uses = ("input",)

    def forward(self, *inputs: Array) -> Array:
        self._compare(tuple(x.shape for x in inputs))
        self.cache.inputs = inputs
        return reduce(np.multiply, inputs)

    def backward(self, dy: Array) -> tuple[Array, ...]:
        xs = self.cache.inputs
        *before, last = accumulate((dy, *xs[:-1]), np.multiply)  # dy, dy x1, dy x1 x2, …
        after = accumulate(xs[:0:-1], np.multiply)  # from the other end: x_k, x_k x_{k-1}, … down to x2
        return (*map(np.multiply, before, reversed([*after])), last)


class Maximum(_Elementwise):
    """y = max(x1, x2, …),  dx_i = dy where x_i is the largest, else 0  [Caffe: Eltwise MAX].

    All inputs have one shape. Where several are the largest, the gradient goes to the first of them.
    (In Caffe to the second, if it is a tie between x1 and x2.)

    Raises
    ------
    ShapeError
        If the inputs differ in shape.
    """

    backward_uses = ()

    def forward(self, *inputs: Array) -> Array:
        self._compare(tuple(x.shape for x in inputs))
        y, larger = inputs[0], []
        for x in inputs[1:]:
            larger.append(x > y)  # than all inputs before
            y = np.maximum(y, x)
        self.cache.larger = larger
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        grads: list[Array] = []
        for larger in reversed(self.cache.larger):
            grads.append(dy * larger)
            dy = dy * ~larger  # the rest belongs to an input before
        return (dy, *reversed(grads))


class Concat(Layer):
    """y = [x1, x2, …] along ``axis``,  dx_i = the part of dy that came from x_i. ``Split`` undoes it.

    The inputs agree in all other axes.

    Raises
    ------
    ShapeError
        If they do not, or have no such axis, or it is the batch's.
    """

    backward_uses = ()

    def __init__(self, axis: int = 1) -> None:
        refuse_batch_axis("Concat", axis)
        self.axis = axis

    def build(self, in_shape: Any) -> Any:
        at = self._common_axis(in_shape)
        first = in_shape[0]
        return (*first[: at - 1], sum(shape[at - 1] for shape in in_shape), *first[at:])

    def forward(self, *inputs: Array) -> Array:
        c = self.cache
        c.axis = self._common_axis(tuple(x.shape[1:] for x in inputs))
        if any(len(x) != len(inputs[0]) for x in inputs):
            raise ShapeError(f"{self.where}: expected as many samples in each input, got {[len(x) for x in inputs]}")
        *c.ends, _ = accumulate(x.shape[c.axis] for x in inputs)
        return np.concatenate(inputs, c.axis)  # which lies in memory as the inputs do

    def backward(self, dy: Array) -> tuple[Array, ...]:
        return tuple(np.split(dy, self.cache.ends, self.cache.axis))

    def flops(self) -> int:
        return 0

    def _common_axis(self, shapes: Shape) -> int:
        _several(self, shapes)
        at = axis_of(self.where, self.axis, shapes[0])
        rest = [(len(shape), *shape[: at - 1], *shape[at:]) for shape in shapes]
        if any(other != rest[0] for other in rest):
            raise ShapeError(
                f"{self.where}: expected inputs that differ on axis {self.axis} only, got {', '.join(map(str, shapes))}"
            )
        return at


def _several(layer: Layer, shapes: Shape) -> None:
    if len(shapes) < 2 or not all(isinstance(shape, tuple) for shape in shapes):
        raise ShapeError(f"{layer.where}: expected two inputs or more, got {shapes}")
