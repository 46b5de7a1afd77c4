"""Layers of several inputs of one kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .layer import Layer
from .param import Array


class Add(Layer):
    """y = x1 + x2 + …,  dx_i = dy  [Caffe: Eltwise SUM]. All inputs have one shape."""

    backward_uses = ()

    def build(self, in_shape: Any) -> Any:
        shapes = _several(self, in_shape)
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(f"{self.where}: expected inputs of one shape, got {', '.join(map(str, shapes))}")
        return shapes[0]

    def forward(self, *inputs: Array) -> Array:
        self.cache.count = len(inputs)
        if any(x.shape != inputs[0].shape for x in inputs):
            raise ShapeError(
                f"{self.where}: expected inputs of one shape, got {', '.join(str(x.shape) for x in inputs)}"
            )
        y = inputs[0] + inputs[1]
        for x in inputs[2:]:
            y += x
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        return (dy,) * self.cache.count


class Concat(Layer):
    """y = [x1, x2, …] along ``axis``,  dx_i = the part of dy that came from x_i.

    The inputs agree in all other axes.
    """

    backward_uses = ()

    def __init__(self, axis: int = 1) -> None:
        if axis == 0:
            raise ShapeError("Concat: axis 0 is the sample; concatenate along another axis")
        self.axis = axis

    def build(self, in_shape: Any) -> Any:
        shapes = _several(self, in_shape)
        at = self.axis - 1 if self.axis > 0 else self.axis
        first = shapes[0]
        if not -len(first) <= at < len(first):
            raise ShapeError(f"{self.where}: axis {self.axis} is beyond an input of shape {first}, batch axis left out")
        at %= len(first)
        rest = [shape[:at] + shape[at + 1 :] for shape in shapes]
        if any(other != rest[0] for other in rest):
            raise ShapeError(
                f"{self.where}: expected inputs that differ on axis {self.axis} only, got {', '.join(map(str, shapes))}"
            )
        return (*first[:at], sum(shape[at] for shape in shapes), *first[at + 1 :])

    def forward(self, *inputs: Array) -> Array:
        self.cache.ends = np.cumsum([x.shape[self.axis] for x in inputs])[:-1]
        return np.concatenate(inputs, self.axis)

    def backward(self, dy: Array) -> tuple[Array, ...]:
        return tuple(np.split(dy, self.cache.ends, self.axis))


def _several(layer: Layer, in_shape: Any) -> tuple[tuple[int, ...], ...]:
    if len(in_shape) < 2 or not all(isinstance(shape, tuple) for shape in in_shape):
        raise ShapeError(f"{layer.where}: expected two inputs or more, got {in_shape}")
    return in_shape
