"""Layers made of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .layer import Layer
from .merge import Concat
from .param import Array


class Residual(Layer):
    """y = body(x) + shortcut(x),  dx = body.backward(dy) + shortcut.backward(dy).

    Without a ``shortcut`` x itself is added, so the body must keep the shape. He et al., "Deep Residual
    Learning for Image Recognition", 2016.

    Raises
    ------
    ShapeError
        If the two branches end in different shapes.
    """

    build_first = False

    def __init__(self, body: Layer, shortcut: Layer | None = None) -> None:
        self.body, self.shortcut = body, shortcut

    def build(self, in_shape: Any) -> Any:
        out_shape = self.body.build(in_shape)
        self._compare(out_shape, self.shortcut.build(in_shape) if self.shortcut is not None else in_shape)
        return out_shape

    def forward(self, x: Array) -> Array:
        y = self.body.forward(x)
        side = self.shortcut.forward(x) if self.shortcut is not None else x
        if y.shape != side.shape:
            self._compare(y.shape[1:], side.shape[1:])
        return y + side

    def backward(self, dy: Array) -> Array:
        dx = self.body.backward(dy)
        return dx + (self.shortcut.backward(dy) if self.shortcut is not None else dy)

    def flops(self) -> int:
        return super().flops() + int(np.prod(self.out_shape or (1,)))

    def _compare(self, body: tuple[int, ...], side: tuple[int, ...]) -> None:
        if body != side:
            fix = "" if self.shortcut is not None else "; give a shortcut that ends in the body's shape"
            raise ShapeError(f"{self.where}: the body ends in shape {body}, the shortcut in {side}{fix}")


class Branches(Layer):
    """y = merge(body1(x), body2(x), …);  dx = sum of the bodies' backward of the merge's gradients.

    By default the outputs are concatenated along axis 1. Szegedy et al., "Going Deeper with
    Convolutions", 2015.
    """

    build_first = False

    def __init__(self, *bodies: Layer, merge: Layer | None = None) -> None:
        if len(bodies) < 2:
            raise ShapeError(f"Branches: expected two bodies or more, got {len(bodies)}")
        self.bodies, self.merge = bodies, merge or Concat()

    def build(self, in_shape: Any) -> Any:
        return self.merge.build(tuple(body.build(in_shape) for body in self.bodies))

    def forward(self, x: Array) -> Array:
        return self.merge.forward(*(body.forward(x) for body in self.bodies))

    def backward(self, dy: Array) -> Array | None:
        grads = [body.backward(d) for body, d in zip(self.bodies, self.merge.backward(dy), strict=True)]
        if grads[0] is None:  # of integers
            return None
        dx = grads[0] + grads[1]
        for d in grads[2:]:
            dx += d
        return dx
