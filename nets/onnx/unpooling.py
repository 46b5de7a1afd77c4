"""``OnnxMaxUnpool``: maxima put back where they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, integers, is_float


class OnnxMaxUnpool(OnnxLayer):
    """y = x at the places in ``indices``, which count through all of y, 0 elsewhere;  dx = dy at these places.

    y's shape is (N, C, (size - 1) stride + kernel - pads, …), or a third input; indices from 0 on.

    Raises
    ------
    ShapeError
        If an index leads out of y.
    """

    shaped_by = 2

    def __init__(self, kernel_shape: Any, strides: Any, pads: Any) -> None:
        self.kernel_shape, self.strides, self.pads = map(integers, (kernel_shape, strides, pads))

    def forward(self, x: Array, indices: Array, shape: Array | None = None) -> Array:
        c, k = self.cache, len(self.kernel_shape)
        natural = (
            *x.shape[:2],
            *(
                (n - 1) * s + size - a - b
                for n, s, size, a, b in zip(
                    x.shape[2:], self.strides, self.kernel_shape, self.pads[:k], self.pads[k:], strict=True
                )
            ),
        )
        sizes = natural if shape is None else integers(shape)
        self.allow(sizes, x)
        y = np.zeros(sizes, x.dtype)
        if indices.size and not 0 <= indices.min() <= indices.max() < np.prod(natural):
            raise ShapeError(f"{self.where}: expected indices below {np.prod(natural)}, got up to {indices.max()}")
        places = np.unravel_index(indices, natural)
        if any(place.size and place.max() >= n for place, n in zip(places, sizes, strict=True)):
            raise ShapeError(f"{self.where}: the indices lead out of an output of shape {sizes}")
        c.places, c.given = places, shape is not None
        y[places] = x
        return y

    def backward(self, dy: Array) -> Any:
        c = self.cache
        dx = dy[c.places] if is_float(dy) else None
        return (dx, None, None) if c.given else (dx, None)
