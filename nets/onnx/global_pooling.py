"""``OnnxGlobalPool``: pooling over whole images, of any number of axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer


class OnnxGlobalPool(OnnxLayer):
    """y = the average of each image x, of any number of axes, (N, C, 1, …), or with ``largest`` its maximum.

    dx = dy / pixels; or dy at the maximum, of equal ones the first.
    """

    batch_coupled = False
    backward_uses = ()

    def __init__(self, largest: bool = False) -> None:
        self.largest = largest

    def build(self, in_shape: Any) -> Any:
        return (*in_shape[:1], *(1,) * (len(in_shape) - 1))

    def forward(self, x: Array) -> Array:
        c = self.cache
        if x.ndim < 3 or 0 in x.shape[1:]:
            raise ShapeError(f"{self.where}: expected (N, C, …) with pixels, got shape {x.shape}")
        c.shape = x.shape
        rows = x.reshape(*x.shape[:2], prod(x.shape[2:]))
        if self.largest:
            c.at = rows.argmax(axis=-1)[..., None]
            y = np.take_along_axis(rows, c.at, -1)
        else:
            y = rows.mean(axis=-1)
        return y.reshape(*x.shape[:2], *(1,) * (x.ndim - 2))

    def backward(self, dy: Array) -> Array:
        c = self.cache
        if not self.largest:
            return np.broadcast_to(dy / dy.dtype.type(prod(c.shape[2:])), c.shape)
        dx = np.zeros((*c.shape[:2], prod(c.shape[2:])), dy.dtype)
        np.put_along_axis(dx, c.at, dy.reshape(*c.shape[:2], 1), -1)
        return dx.reshape(c.shape)
