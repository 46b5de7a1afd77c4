"""Layers that move numbers about, in plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


def reshape(x: Array, shape: Shape) -> Array:
    """Each sample in another shape; the last axis varies fastest."""
    return x.reshape(len(x), *shape)


def reshape_back(dy: Array, x: Array, shape: Shape) -> Array:
    """dy in x's shape."""
    return dy.reshape(x.shape)


def transpose(x: Array, axes: Shape) -> Array:
    """The axes in another order; that of the samples stays first."""
    return x.transpose(0, *axes)


def transpose_back(dy: Array, x: Array, axes: Shape) -> Array:
    """The axes put back."""
    return dy.transpose(np.argsort((0, *axes)))


def cut(x: Array, axis: int, start: Shape, stop: Shape) -> Array:
    """x from start to stop, on that axis and those after it."""
    return x[(slice(None),) * axis + tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]


def cut_back(dy: Array, x: Array, axis: int, start: Shape, stop: Shape) -> Array:
    """dy where it was cut out, 0 elsewhere."""
    dx = np.zeros(x.shape, dy.dtype)
    dx[(slice(None),) * axis + tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = dy
    return dx


def split(x: Array, points: Shape, axis: int = 1) -> list[Array]:
    """x cut along an axis, before each of these points."""
    return np.split(x, points, axis)


def split_back(dys: tuple[Array, ...], x: Array, points: Shape, axis: int = 1) -> Array:
    """The parts' gradients, put together again."""
    return np.concatenate(dys, axis)


def pad2d(x: Array, padding: Shape, value: float = 0.0) -> Array:
    """A border (top, bottom, left, right) of one value around each image."""
    top, bottom, left, right = padding
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def pad2d_back(dy: Array, x: Array, padding: Shape, value: float = 0.0) -> Array:
    """dy inside the border."""
    top, _, left, _ = padding
    return dy[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def pad2d_copying(x: Array, padding: Shape, mode: str) -> Array:
    """A border (top, bottom, left, right) of copies: of the outermost pixel ("edge"), or mirrored ("reflect")."""
    top, bottom, left, right = padding
    how: Any = mode
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), how)


def pad2d_copying_back(dy: Array, x: Array, padding: Shape, mode: str) -> Array:
    """The gradient of each copy goes to its original."""
    n, c, h, w = x.shape
    original = pad2d_copying(np.arange(h * w).reshape(1, 1, h, w), padding, mode)  # which pixel stands where
    dx = np.zeros((h * w, n, c), dy.dtype)
    np.add.at(dx, original.ravel(), dy.reshape(n, c, -1).transpose(2, 0, 1))
    return dx.transpose(1, 2, 0).reshape(x.shape)


def tile(x: Array, tiles: int, axis: int = 1) -> Array:
    """x so many times, one after the other."""
    return np.concatenate([x] * tiles, axis)


def tile_back(dy: Array, x: Array, tiles: int, axis: int = 1) -> Array:
    """The sum of the parts."""
    return np.add.reduce(np.split(dy, tiles, axis))


def upsample(x: Array, scale: tuple[int, int]) -> Array:
    """Each pixel repeated, down and to the right."""
    return x.repeat(scale[0], axis=2).repeat(scale[1], axis=3)


def upsample_back(dy: Array, x: Array, scale: tuple[int, int]) -> Array:
    """The sum over the repetitions."""
    n, c, h, w = x.shape
    return dy.reshape(n, c, h, scale[0], w, scale[1]).sum(axis=(3, 5))


def between(size: int, scale: int, align_corners: bool) -> Array:
    """The matrix of a linear interpolation: each output's shares of the pixels around its place."""
    if align_corners:
        place = np.arange(size * scale) * ((size - 1) / max(size * scale - 1, 1))
    else:
        place = ((np.arange(size * scale) + 0.5) / scale - 0.5).clip(0, size - 1)
    return np.maximum(0, 1 - np.abs(np.arange(size) - place[:, None]))


def upsample_bilinear(x: Array, scale: tuple[int, int], align_corners: bool = False) -> Array:
    """y = A x Bᵀ: an interpolation along the height, and one along the width."""
    A, B = (between(n, s, align_corners).astype(x.dtype) for n, s in zip(x.shape[2:], scale, strict=True))
    return A @ x @ B.T


def upsample_bilinear_back(dy: Array, x: Array, scale: tuple[int, int], align_corners: bool = False) -> Array:
    """dx = Aᵀ dy B."""
    A, B = (between(n, s, align_corners).astype(x.dtype) for n, s in zip(x.shape[2:], scale, strict=True))
    return A.T @ dy @ B


def reduce(x: Array, operation: str, axis: int = 1, scale: float = 1.0) -> Array:
    """The sum, mean, sum of |x| or of x² over that axis and all after it, times a constant."""
    axes = tuple(range(axis, x.ndim))
    if operation == "mean":
        return scale * x.mean(axis=axes)
    terms = np.abs(x) if operation == "abs_sum" else x * x if operation == "square_sum" else x
    return scale * terms.sum(axis=axes)


def reduce_back(dy: Array, x: Array, operation: str, axis: int = 1, scale: float = 1.0) -> Array:
    """dy for each term; its share in a mean, times sign(x), or times 2 x."""
    dterms = scale * dy.reshape(*dy.shape, *[1] * (x.ndim - axis))
    if operation == "mean":
        dterms = dterms / max(1, int(np.prod(x.shape[axis:])))
    return dterms * (np.sign(x) if operation == "abs_sum" else 2 * x if operation == "square_sum" else np.ones_like(x))


def arg_max(x: Array, axis: int = 1, keepdims: bool = False) -> Array:
    """The place of the largest number along an axis."""
    return x.argmax(axis=axis, keepdims=keepdims)


def add(*xs: Array, coefficients: tuple[float, ...] | None = None) -> Array:
    """y = a1 x1 + a2 x2 + …"""
    total = xs[0] if coefficients is None else coefficients[0] * xs[0]
    for i in range(1, len(xs)):
        total = total + (xs[i] if coefficients is None else coefficients[i] * xs[i])
    return total


def add_back(dy: Array, *xs: Array, coefficients: tuple[float, ...] | None = None) -> tuple[Array, ...]:
    """dx_i = a_i dy."""
    return tuple(dy if coefficients is None else coefficients[i] * dy for i in range(len(xs)))


def multiply(*xs: Array) -> Array:
    """y = x1 x2 …"""
    product = xs[0]
    for x in xs[1:]:
        product = product * x
    return product


def multiply_back(dy: Array, *xs: Array) -> tuple[Array, ...]:
    """dx_i = dy times all others."""
    return tuple(multiply(dy, *xs[:i], *xs[i + 1 :]) for i in range(len(xs)))


def maximum(*xs: Array) -> Array:
    """y = max(x1, x2, …)."""
    return np.stack(xs).max(axis=0)


def maximum_back(dy: Array, *xs: Array) -> tuple[Array, ...]:
    """dy to the largest, of equal ones to the first."""
    first = np.stack(xs).argmax(axis=0)
    return tuple(dy * (first == i) for i in range(len(xs)))


def concat(*xs: Array, axis: int = 1) -> Array:
    """y = [x1, x2, …] along an axis."""
    return np.concatenate(xs, axis)


def concat_back(dy: Array, *xs: Array, axis: int = 1) -> tuple[Array, ...]:
    """The part of dy that came from each."""
    ends = np.cumsum([x.shape[axis] for x in xs])[:-1]
    return tuple(np.split(dy, ends, axis))
