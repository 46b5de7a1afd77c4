"""What tells an array's shape, and its numbers as those of another kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, OnnxLayer


class OnnxShape(OnnxLayer):
    """y = the shape of x, from axis ``start`` to ``end`` (not included), or with ``size`` the number of elements.

    As integers, which have no gradient.
    """

    backward_uses = ()

    def __init__(self, start: int = 0, end: int | None = None, size: bool = False) -> None:
        self.start, self.end, self.size = start, end, size

    def forward(self, x: Array) -> Array:
        if self.size:
            return np.array(x.size, np.int64)
        start, end = (_within(n, x.ndim) for n in (self.start, x.ndim if self.end is None else self.end))
        return np.array(x.shape[start:end], np.int64)

    def backward(self, dy: Any) -> None:
        return None

    def flops(self) -> int:
        return 0


def _within(n: int, ndim: int) -> int:
    return max(0, min(ndim, n + ndim if n < 0 else n))


class OnnxCast(OnnxLayer):
    """y = x as numbers of another kind: "float" (of the net's precision), "int64", "bool", …;  dx = dy for floats."""

    batch_coupled = False
    backward_uses = ()

    def __init__(self, to: str) -> None:
        if to != "float" and np.dtype(to).kind not in "iub":
            raise ValueError(f'OnnxCast: expected "float", "bool" or a kind of integers, got {to!r:.40}')
        self.to = to

    def forward(self, x: Array) -> Array:
        self.cache.dtype = x.dtype
        with np.errstate(invalid="ignore"):  # nan, and what is too large, become any number
            return x.astype(self.dtype if self.to == "float" else self.to)

    def backward(self, dy: Any) -> Array | None:
        if self.cache.dtype.kind != "f":
            return None
        return dy if self.to == "float" else np.zeros(np.shape(dy), self.cache.dtype)
