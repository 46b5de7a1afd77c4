"""Caffe's layers that take sums and largest values over axes, the batch's too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import Layer, ShapeError

from .arguments import axis_of, check_gradient

Array = np.ndarray[Any, np.dtype[Any]]
OPERATIONS = ("SUM", "ASUM", "SUMSQ", "MEAN")


class CaffeReduction(Layer):
    """y = s sum of f(x) over ``axis`` and all later axes,  dx = s dy f'(x)  [Caffe: Reduction].

    f(x) is x for the operations "SUM" and "MEAN", abs(x) for "ASUM" and x² for "SUMSQ"; s is ``coeff``, for "MEAN"
    divided by the number of elements in a sum. Unlike ``Reduce`` it takes axis 0, its default: then y is one number.

    Raises
    ------
    ShapeError
        If the input has no such axis.
    """

    backward_uses = ("input",)

    def __init__(self, operation: str = "SUM", axis: int = 0, coeff: float = 1.0) -> None:
        if operation not in OPERATIONS:
            raise ValueError(f"CaffeReduction: expected one of {', '.join(OPERATIONS)}, got {operation!r:.40}")
        self.operation, self.axis, self.coeff = operation, axis, float(coeff)

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return self.axis == 0

    def build(self, in_shape: Any) -> Any:
        return tuple(in_shape[: max(0, axis_of(self.where, self.axis, (1, *in_shape)) - 1)])

    def forward(self, x: Array) -> Array:
        c, at = self.cache, axis_of(self.where, self.axis, x.shape)
        c.x = x = self.cast(x)
        count = math.prod(x.shape[at:])
        c.scale = self.coeff / max(1, count) if self.operation == "MEAN" else self.coeff
        y = {"ASUM": np.abs, "SUMSQ": np.square}.get(self.operation, np.asarray)(x)
        while y.ndim > at:  # one axis after the other, which rounds less
            y = y.sum(axis=-1)
        c.y_shape = y.shape
        return np.asarray(c.scale * y, x.dtype)

    def backward(self, dy: Any) -> Array:
        c = self.cache
        dy = np.asarray(dy, c.x.dtype)
        check_gradient(self.where, dy, c.y_shape)
        d = (c.scale * dy).reshape(*dy.shape, *(1,) * (c.x.ndim - dy.ndim)).astype(dy.dtype, copy=False)
        if self.operation == "ASUM":
            return d * np.sign(c.x)
        if self.operation == "SUMSQ":
            return 2 * d * c.x
        return np.broadcast_to(d, c.x.shape)

    def flops(self) -> int:
        return math.prod(self.in_shape or (1,))


class CaffeArgMax(Layer):
    """y = where the ``top_k`` largest x are, the largest first  [Caffe: ArgMax].

    Without an ``axis`` it looks through all of a sample, and y is (N, 1, k), of indices into the flattened sample;
    with ``out_max_val`` (N, 2, k), the indices and then the values. With an axis, that axis becomes k long, and holds
    the values if ``out_max_val``, else the indices. They are floating-point numbers, as all that Caffe holds.
    Of equals the last comes first, as in Caffe, which sorts pairs of value and index.

    dx = dy where a value comes from, and 0 elsewhere, as for all indices. (Caffe has no backward.)

    Raises
    ------
    ShapeError
        If the input has no such axis, or fewer than ``top_k`` numbers along it.
    """

    backward_uses = ()

    def __init__(self, top_k: int = 1, out_max_val: bool = False, axis: int | None = None) -> None:
        if not isinstance(top_k, (int, np.integer)) or top_k < 1:
            raise ShapeError(f"CaffeArgMax: top_k: expected an integer of at least 1, got {top_k!r:.40}")
        self.top_k, self.out_max_val, self.axis = int(top_k), bool(out_max_val), axis

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return self.axis == 0

    def build(self, in_shape: Any) -> Any:
        if self.axis is None:
            self._check(math.prod(in_shape))
            return (2 if self.out_max_val else 1, self.top_k)
        at = axis_of(self.where, self.axis, (1, *in_shape))
        if at == 0:
            return in_shape
        self._check(in_shape[at - 1])
        return (*in_shape[: at - 1], self.top_k, *in_shape[at:])

    def forward(self, x: Array) -> Array:
        c, x = self.cache, self.cast(x)
        c.shape = x.shape
        if self.axis is None:
            x = x.reshape(len(x), math.prod(x.shape[1:]))
        at = 1 if self.axis is None else axis_of(self.where, self.axis, x.shape)
        self._check(x.shape[at])
        # Backwards, a stable sort of what is lowest first has the last of equals in front.
        best = np.flip(x.argsort(axis=at, kind="stable"), at).take(range(self.top_k), axis=at)
        c.at, c.best, c.like = at, best, np.zeros_like(x)
        values = np.take_along_axis(x, best, at) if self.out_max_val else None
        indices = best.astype(x.dtype)
        if self.axis is not None:
            return indices if values is None else values
        return indices[:, None] if values is None else np.stack([indices, values], axis=1)

    def backward(self, dy: Any) -> Array:
        c = self.cache
        if not self.out_max_val:
            return c.like.reshape(c.shape)
        dx = c.like.copy()
        np.put_along_axis(dx, c.best, dy[:, 1] if self.axis is None else dy, c.at)
        return dx.reshape(c.shape)

    def _check(self, size: int) -> None:
        if size < self.top_k:
            raise ShapeError(f"{self.where}: expected at least {self.top_k} numbers to choose from, got {size}")
