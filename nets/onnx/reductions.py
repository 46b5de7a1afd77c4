"""Sums, extremes and where they are, along any axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Array, OnnxLayer, counted, is_float

OPERATIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")


class OnnxReduce(OnnxLayer):
    """y = the Sum, Mean, Max, Min, Prod, L1, L2, LogSum, LogSumExp or SumSquare of x along some axes.

    dx = dy times 1; 1 / count; 1 / ties where x = y, else 0 (Max, Min); the product of the others; sign x; x / y
    (L2, 0 where y = 0); 1 / Σ x; exp(x - y); 2 x.

    Parameters
    ----------
    operation : str
    axes : sequence of int, optional
        All, unless given here or as a second input.
    keepdims : bool
        Whether the axes stay, with size 1.
    keep_all : bool
        No axes, in place of all, if none are given  [noop_with_empty_axes].

    Raises
    ------
    ValueError
        If there is no such operation.
    """

    shaped_by = 1

    def __init__(self, operation: str, axes: Any = None, keepdims: bool = True, keep_all: bool = False) -> None:
        if operation not in OPERATIONS:
            raise ValueError(f"OnnxReduce: expected one of {', '.join(OPERATIONS)}, got {operation!r:.40}")
        self.operation, self.axes, self.keepdims, self.keep_all = operation, axes, keepdims, keep_all

    def forward(self, x: Array, axes: Array | None = None) -> Array:
        c = self.cache
        given = self.axes if axes is None else axes
        none = given is None or not np.size(given)
        at = counted((() if self.keep_all else range(x.ndim)) if none else given, x.ndim, self.where)
        c.axes, c.x, c.given = at, x, axes is not None
        with np.errstate(divide="ignore"):  # the logarithm of a sum of nothing
            c.y = np.asarray(self._reduce(x, at), x.dtype)
        return c.y if self.keepdims else c.y.reshape([n for axis, n in enumerate(x.shape) if axis not in at])

    def backward(self, dy: Array) -> Any:
        c = self.cache
        dx = None
        if is_float(c.x):
            dy = dy.reshape(c.y.shape)
            dx = np.asarray(np.broadcast_to(dy * self._slope(c.x, c.y, c.axes), c.x.shape), c.x.dtype)
        return (dx, None) if c.given else dx

    def _reduce(self, x: Array, axes: tuple[int, ...]) -> Any:
        match self.operation:
            case "Max" | "Min":
                return _extreme(x, axes, self.operation == "Max")
            case "Prod":
                return x.prod(axes, keepdims=True)
            case "Mean":
                return x.mean(axes, keepdims=True)
            case "L1":
                return np.abs(x).sum(axes, keepdims=True)
            case "L2":
                return np.sqrt((x * x).sum(axes, keepdims=True))
            case "SumSquare":
                return (x * x).sum(axes, keepdims=True)
            case "LogSum":
                return np.log(x.sum(axes, keepdims=True))
            case "LogSumExp":
                most = x.max(axes, keepdims=True) if x.size else 0
                most = np.where(np.isfinite(most), most, 0)
                return np.log(np.exp(x - most).sum(axes, keepdims=True)) + most
        return x.sum(axes, keepdims=True)

    def _slope(self, x: Array, y: Array, axes: tuple[int, ...]) -> Any:
        match self.operation:
            case "Mean":
                return x.dtype.type(1 / max(1, math.prod(x.shape[axis] for axis in axes)))
            case "Max" | "Min":
                won = x == y
                return won / won.sum(axes, keepdims=True)
            case "Prod":
                return _products_of_others(x, axes)
            case "L1":
                return np.sign(x)
            case "L2":
                return x / np.where(y == 0, 1, y)
            case "SumSquare":
                return 2 * x
            case "LogSum":
                return np.exp(-y)
            case "LogSumExp":
                return np.exp(x - y)
        return x.dtype.type(1)


def _extreme(x: Array, axes: tuple[int, ...], largest: bool) -> Any:
    """The maximum or minimum; of nothing, the number that none is beyond."""
    if x.dtype.kind == "b":
        return (x.any if largest else x.all)(axes, keepdims=True)
    lowest, highest = (-np.inf, np.inf) if x.dtype.kind == "f" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return x.max(axes, initial=lowest, keepdims=True) if largest else x.min(axes, initial=highest, keepdims=True)


def _products_of_others(x: Array, axes: tuple[int, ...]) -> Array:
    """The product of all elements along the axes but each itself, without a division: an element may be 0."""
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    order = (*rest, *axes)
    rows = x.transpose(order).reshape(*(x.shape[axis] for axis in rest), -1)
    ones = np.ones_like(rows[..., :1])
    before = np.cumprod(np.concatenate([ones, rows[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], -1), -1)[..., ::-1]
    product = (before * after).reshape([x.shape[axis] for axis in order])
    return product.transpose(np.argsort(order))


class OnnxArgExtreme(OnnxLayer):
    """y = where the maximum of x along ``axis`` is, or the minimum, as an integer; there is no gradient.

    Parameters
    ----------
    axis : int
    keepdims : bool
        Whether the axis stays, with size 1.
    last : bool
        Of equal ones the last, not the first  [select_last_index].
    largest : bool
        False for the minimum.
    """

    backward_uses = ()

    def __init__(self, axis: int = 0, keepdims: bool = True, last: bool = False, largest: bool = True) -> None:
        self.axis, self.keepdims, self.last, self.largest = axis, keepdims, last, largest

    def forward(self, x: Array) -> Array:
        (at,) = counted((self.axis,), x.ndim, self.where)
        self.cache.x = x
        turned = np.flip(x, at) if self.last else x
        found = (turned.argmax if self.largest else turned.argmin)(at, keepdims=self.keepdims)
        return np.asarray(x.shape[at] - 1 - found if self.last else found, np.int64)

    def backward(self, dy: Any) -> Array | None:
        x = self.cache.x
        return np.zeros_like(x) if is_float(x) else None
