"""Layers that hand on what they get: ``CaffeSplit`` and ``StopGradient``."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from handbrew.layers import Layer

Array = np.ndarray[Any, np.dtype[Any]]


class CaffeSplit(Layer):
    """y1 = y2 = … = x,  dx = dy1 + dy2 + …  [Caffe: Split]. A ``Graph`` needs none: any number may read a blob.

    With one copy y is an array and no tuple.
    """

    backward_uses = ()

    def __init__(self, copies: int = 2) -> None:
        self.copies = copies

    def build(self, in_shape: Any) -> Any:
        return (in_shape,) * self.copies if self.copies > 1 else in_shape

    def forward(self, x: Array) -> Any:
        return (x,) * self.copies if self.copies > 1 else x

    def backward(self, dy: Any) -> Any:
        parts = [d for d in (dy if isinstance(dy, tuple) else (dy,)) if d is not None]  # of integers there is none
        return reduce(np.add, parts) if parts else None

    def flops(self) -> int:
        return 0


class StopGradient(Layer):
    """y = x,  dx = 0: what lies below learns nothing from here  [Caffe: propagate_down: false]."""

    backward_uses = ()

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return np.zeros_like(dy)

    def flops(self) -> int:
        return 0
