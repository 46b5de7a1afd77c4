"""``Affine`` and its like, in plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def affine(x: Array, W: Array, b: Any = 0.0) -> Array:
    """y = x W + b, along the last axis."""
    return x @ W + b


def affine_back(dy: Array, x: Array, W: Array, b: Any = 0.0) -> tuple[Array, Array, Array]:
    """dx = dy Wᵀ,  dW = xᵀ dy,  db = sum of dy over rows."""
    rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dy @ W.T, rows.T @ drows, drows.sum(axis=0)


def embedding(i: Array, W: Array, b: Any = 0.0) -> Array:
    """y = W[i] + b: the row of each integer."""
    return W[i] + b


def embedding_back(dy: Array, i: Array, W: Array, b: Any = 0.0) -> tuple[None, Array, Array]:
    """dW[i] = sum of dy over the places that hold i,  db = sum of dy; integers have no gradient."""
    drows = dy.reshape(-1, dy.shape[-1])
    dW = np.zeros_like(W)
    np.add.at(dW, i.ravel(), drows)
    return None, dW, drows.sum(axis=0)


def along(v: Array, x: Array, axis: int = 1) -> Array:
    """v, in a shape that broadcasts with x from that axis of x on."""
    return v.reshape(*v.shape, *[1] * (x.ndim - axis - v.ndim))


def sum_to(dy: Array, shape: tuple[int, ...], axis: int = 1) -> Array:
    """The gradient of what `along` has broadcast: the sum over all axes that it has not."""
    others = (*range(axis), *range(axis + len(shape), dy.ndim))
    return dy.sum(axis=others).reshape(shape)


def scale(x: Array, a: Array, b: Any = None, axis: int = 1) -> Array:
    """y = a x + b, with a and b along x from that axis on."""
    y = x * along(a, x, axis)
    return y if b is None else y + along(b, x, axis)


def scale_back(dy: Array, x: Array, a: Array, b: Any = None, axis: int = 1) -> tuple[Array, Array, Array]:
    """dx = a dy,  da = sum of dy x,  db = sum of dy, over all other axes."""
    return dy * along(a, x, axis), sum_to(dy * x, a.shape, axis), sum_to(dy, a.shape, axis)


def bias(x: Array, b: Array, axis: int = 1) -> Array:
    """y = x + b, with b along x from that axis on."""
    return x + along(b, x, axis)


def bias_back(dy: Array, x: Array, b: Array, axis: int = 1) -> tuple[Array, Array]:
    """dx = dy,  db = sum of dy over all other axes."""
    return dy, sum_to(dy, b.shape, axis)
