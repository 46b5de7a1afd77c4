"""Normalisation in plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_linear import along, sum_to

Array = np.ndarray[Any, np.dtype[Any]]


def standardize(x: Array, mean: Array, deviation: Array, dtype: Any = np.float32) -> Array:
    """z = (x - mean) / deviation, the scale of the samples that the net was trained with."""
    return ((x - mean) / deviation).astype(dtype)


def standardize_back(dy: Array, x: Array, mean: Array, deviation: Array, dtype: Any = np.float32) -> Array:
    """dx = dz / deviation."""
    return (dy / deviation).astype(dtype)


def fixed_scale(x: Array, mean: Any, std: Any) -> Array:
    """y = (x - mean) / std, with one number of each for every channel, or one for all."""
    mean, std = np.asarray(mean, x.dtype), np.asarray(std, x.dtype)
    return (x - along(mean, x)) / along(std, x) if mean.ndim or std.ndim else (x - mean) / std


def fixed_scale_back(dy: Array, x: Array, mean: Any, std: Any) -> Array:
    """dx = dy / std."""
    std = np.asarray(std, x.dtype)
    return dy / (along(std, x) if std.ndim else std)


def batch_norm(x: Array, mean: Array, var: Array, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> Array:
    """y = gamma (x - mean) / sqrt(var + eps) + beta, each channel with the running mean and variance of training."""
    y = (x - along(mean, x)) / along(np.sqrt(var + eps), x)
    return y if gamma is None else y * along(gamma, x) + along(beta, x)


def batch_norm_back(
    dy: Array, x: Array, mean: Array, var: Array, gamma: Any = None, beta: Any = None, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """dx = dy gamma / sqrt(var + eps),  dgamma = Σ dy x̂,  dbeta = Σ dy: mean and var are constants here."""
    deviation = along(np.sqrt(var + eps), x)
    dgamma = sum_to(dy * (x - along(mean, x)) / deviation, mean.shape)
    return (dy if gamma is None else dy * along(gamma, x)) / deviation, dgamma, sum_to(dy, mean.shape)


def unit_rows(x: Array, eps: float) -> Array:
    """x̂ = (x - m) / sqrt(v + eps), with the mean m and the variance v along the last axis."""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


def unit_rows_back(dy: Array, x: Array, eps: float) -> Array:
    """dx = (dy - mean of dy - x̂ mean of dy x̂) / sqrt(v + eps): m and v depend on x too."""
    unit = unit_rows(x, eps)
    dx = dy - dy.mean(axis=-1, keepdims=True) - unit * (dy * unit).mean(axis=-1, keepdims=True)
    return dx / np.sqrt(x.var(axis=-1, keepdims=True) + eps)


def grouped(x: Array, groups: int) -> Array:
    """(N, groups, all numbers of a group), each group of channels in one row."""
    return x.reshape(len(x), groups, int(np.prod(x.shape[1:])) // groups)


def layer_norm(x: Array, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> Array:
    """y = gamma x̂ + beta, with x̂ of mean 0 and variance 1 along the last axis."""
    y = unit_rows(x, eps)
    return y if gamma is None else y * gamma + beta


def layer_norm_back(
    dy: Array, x: Array, gamma: Any = None, beta: Any = None, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """dgamma = Σ dy x̂,  dbeta = Σ dy, over all axes but the last."""
    others = tuple(range(x.ndim - 1))
    dx = unit_rows_back(dy if gamma is None else dy * gamma, x, eps)
    return dx, (dy * unit_rows(x, eps)).sum(axis=others), dy.sum(axis=others)


def rms_norm(x: Array, gamma: Any = None, eps: float = 1e-5) -> Array:
    """y = gamma x / sqrt(mean of x² + eps), along the last axis."""
    y = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    return y if gamma is None else y * gamma


def rms_norm_back(dy: Array, x: Array, gamma: Any = None, eps: float = 1e-5) -> tuple[Array, Array]:
    """dx = (dx̂ - x̂ mean of dx̂ x̂) / sqrt(mean of x² + eps),  dx̂ = dy gamma,  x̂ = y / gamma."""
    length = np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    unit, dunit = x / length, dy if gamma is None else dy * gamma
    dx = (dunit - unit * (dunit * unit).mean(axis=-1, keepdims=True)) / length
    return dx, (dy * unit).sum(axis=tuple(range(x.ndim - 1)))


def group_norm(x: Array, gamma: Any = None, beta: Any = None, groups: int = 1, eps: float = 1e-5) -> Array:
    """y = gamma x̂ + beta, with x̂ of mean 0 and variance 1 in each group of channels of each sample."""
    y = unit_rows(grouped(x, groups), eps).reshape(x.shape)
    return y if gamma is None else y * along(gamma, x) + along(beta, x)


def group_norm_back(
    dy: Array, x: Array, gamma: Any = None, beta: Any = None, groups: int = 1, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """dgamma = Σ dy x̂,  dbeta = Σ dy, over all axes but the channels'."""
    rows = grouped(x, groups)
    dunit = dy if gamma is None else dy * along(gamma, x)
    dx = unit_rows_back(dunit.reshape(rows.shape), rows, eps).reshape(x.shape)
    channels = x.shape[1:2]
    return dx, sum_to(dy * unit_rows(rows, eps).reshape(x.shape), channels), sum_to(dy, channels)


def mvn(x: Array, groups: int, eps: float = 1e-9, normalize_variance: bool = True) -> Array:
    """y = (x - m) / (s + eps), with the mean m and the deviation s of each group of channels; or y = x - m."""
    rows = grouped(x, groups)
    y = rows - rows.mean(axis=-1, keepdims=True)
    if normalize_variance:
        y = y / (rows.std(axis=-1, keepdims=True) + eps)
    return y.reshape(x.shape)


def mvn_back(dy: Array, x: Array, groups: int, eps: float = 1e-9, normalize_variance: bool = True) -> Array:
    """dx = (dy - mean of dy) / (s + eps) - x̂ mean of dy x̂ / s,  x̂ = y."""
    rows = grouped(x, groups)
    drows, y = dy.reshape(rows.shape), mvn(x, groups, eps, normalize_variance).reshape(rows.shape)
    dx = drows - drows.mean(axis=-1, keepdims=True)
    if normalize_variance:
        s = rows.std(axis=-1, keepdims=True)
        dx = dx / (s + eps) - y * (drows * y).mean(axis=-1, keepdims=True) / np.maximum(s, np.finfo(s.dtype).tiny)
    return dx.reshape(x.shape)


def window_sum(a: Array, size: int, axes: tuple[int, ...], turned: bool = False) -> Array:
    """The sum over the ``size`` elements around each, along these axes; ``turned``: over those it is around."""
    border = (size // 2, (size - 1) // 2)
    for axis in axes:
        borders = [(0, 0)] * a.ndim
        borders[axis] = border[::-1] if turned else border
        a = np.lib.stride_tricks.sliding_window_view(np.pad(a, borders), size, axis).sum(axis=-1)
    return a


def lrn(x: Array, size: int, alpha: float, exponent: float, k: float, axes: tuple[int, ...] = (1,)) -> Array:
    """y = x s^-exponent,  s = k + alpha sum of x² over the ``size`` elements around, along these axes."""
    return x * (k + alpha * window_sum(x * x, size, axes)) ** -exponent


def lrn_back(
    dy: Array, x: Array, size: int, alpha: float, exponent: float, k: float, axes: tuple[int, ...] = (1,)
) -> Array:
    """dx = dy s^-exponent - 2 alpha exponent x Σ dy x s^(-exponent - 1), the sum over the windows that x lies in."""
    s = k + alpha * window_sum(x * x, size, axes)
    own = dy * s**-exponent
    return own - 2 * alpha * exponent * x * window_sum(own * x / s, size, axes, turned=True)
