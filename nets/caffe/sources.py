"""Caffe's layers without inputs, and the one without outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handbrew.layers import Initializer, Layer, ShapeError, Zeros

from .arguments import no_gradient

Array = np.ndarray[Any, np.dtype[Any]]


class Parameter(Layer):
    """y = W,  dW = dy: an array that is learned, as an output  [Caffe's].

    ``forward()`` takes nothing. ``shape`` is all of W's; its first axis stands where others have the samples.
    """

    backward_uses = ()

    def __init__(self, shape: Sequence[int], init: Initializer = Zeros()) -> None:
        self.shape, self.init = _check_shape("Parameter", shape), init

    def build(self, in_shape: Any) -> Any:
        self.W = self.param("W", self.shape, self.init)
        return self.shape[1:]

    def forward(self) -> Array:
        return self.W.data.copy()

    def backward(self, dy: Array) -> tuple[()]:
        if self.W.trainable:
            self.W.add_grad(np.asarray(dy))
        return ()

    def flops(self) -> int:
        return 0


class DummyData(Layer):
    """y1, y2, … = arrays that the initialisers make, anew at each ``forward()``, which takes nothing  [Caffe's].

    Parameters
    ----------
    shapes : sequence of shapes
        Of each output, the samples' axis included. A single one is returned as an array and no tuple.
    inits : sequence of Initializer
        One for each shape, or one for all; 0 everywhere if there are none.
    """

    backward_uses = ()

    def __init__(self, shapes: Sequence[Sequence[int]], inits: Sequence[Initializer] = ()) -> None:
        self.shapes = tuple(_check_shape("DummyData", shape) for shape in shapes)
        self.inits = tuple(inits)
        if not self.shapes or len(self.inits) not in (0, 1, len(self.shapes)):
            raise ShapeError(
                f"DummyData: expected shapes, and an initialiser for each or one for all, got {len(self.shapes)} "
                f"shapes and {len(self.inits)} initialisers"
            )

    def build(self, in_shape: Any) -> Any:
        shapes = tuple(shape[1:] for shape in self.shapes)
        return shapes if len(shapes) > 1 else shapes[0]

    def forward(self) -> Any:
        inits = self.inits or (Zeros(),)
        inits = inits * len(self.shapes) if len(inits) == 1 else inits
        arrays = tuple(self._fill(init, shape) for init, shape in zip(inits, self.shapes, strict=True))
        return arrays if len(arrays) > 1 else arrays[0]

    def backward(self, dy: Any) -> tuple[()]:
        return ()

    def flops(self) -> int:
        return 0

    def _fill(self, init: Initializer, shape: tuple[int, ...]) -> Array:
        # A filler counts as if these were weights, samples for units.
        size, first, second = math.prod(shape), *(*shape, 1, 1)[:2]
        fans = size // max(1, first), size // max(1, second)
        return np.asarray(init.sample(self.rng, shape, *fans), self.dtype)


class Silence(Layer):
    """No output, dx = 0: takes what would else be an output of the net  [Caffe's]."""

    backward_uses = ()

    def build(self, in_shape: Any) -> Any:
        return ()

    def forward(self, *inputs: Array) -> tuple[()]:
        self.cache.gradients = tuple(map(no_gradient, inputs))
        return ()

    def backward(self, dy: Any = ()) -> Any:
        gradients = self.cache.gradients
        return gradients if len(gradients) > 1 else gradients[0]

    def flops(self) -> int:
        return 0


def _check_shape(owner: str, shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)) or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in shape):
        raise ShapeError(f"{owner}: expected a shape like (2, 3), got {shape!r:.60}")
    return tuple(map(int, shape))
