"""Losses of quantities, and of yes or no, in plain functions; ``…_back`` gives the gradient by the scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_activations import sigmoid

Array = np.ndarray[Any, np.dtype[Any]]


def like(target: Array, scores: Array) -> Array:
    """The target; a ValueError unless it is of the scores' shape: it is never broadcast."""
    if target.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers, got {target.dtype}")
    if target.shape != scores.shape:
        fix = f"; pass target.reshape{scores.shape}" if target.squeeze().shape == scores.squeeze().shape else ""
        raise ValueError(f"expected a target of the scores' shape {scores.shape}, got {target.shape}{fix}")
    return target


def sigmoid_cross_entropy(scores: Array, target: Array, pos_weight: float = 1.0, reduction: str = "mean") -> float:
    """-w t log p - (1 - t) log(1 - p),  p = sigmoid(scores), for every element."""
    target, tail = like(target, scores), np.log1p(np.exp(-np.abs(scores)))
    losses = pos_weight * target * (np.maximum(-scores, 0) + tail) + (1 - target) * (np.maximum(scores, 0) + tail)
    return float(losses.sum(dtype=np.float64) / (1 if reduction == "sum" else losses.size))


def sigmoid_cross_entropy_back(
    dloss: float, scores: Array, target: Array, pos_weight: float = 1.0, reduction: str = "mean"
) -> Array:
    """(1 - t) p - w t (1 - p)."""
    p, t = sigmoid(scores), like(target, scores).astype(scores.dtype)
    return ((1 - t) * p - pos_weight * t * (1 - p)) * (dloss / (1 if reduction == "sum" else scores.size))


def mean_squared_error(scores: Array, target: Array, reduction: str = "mean") -> float:
    """(scores - target)², for every element."""
    losses = (scores - like(target, scores)) ** 2
    return float(losses.sum(dtype=np.float64) / (1 if reduction == "sum" else losses.size))


def mean_squared_error_back(dloss: float, scores: Array, target: Array, reduction: str = "mean") -> Array:
    """2 (scores - target)."""
    return 2 * (scores - like(target, scores)) * (dloss / (1 if reduction == "sum" else scores.size))


def euclidean_loss(scores: Array, target: Array, reduction: str = "mean") -> float:
    """Half the sum of (scores - target)², for every sample."""
    losses = (scores - like(target, scores)) ** 2
    return float(losses.sum(dtype=np.float64) / 2 / (1 if reduction == "sum" else len(scores)))


def euclidean_loss_back(dloss: float, scores: Array, target: Array, reduction: str = "mean") -> Array:
    """scores - target."""
    return (scores - like(target, scores)) * (dloss / (1 if reduction == "sum" else len(scores)))


def mean_absolute_error(scores: Array, target: Array, reduction: str = "mean") -> float:
    """|scores - target|, for every element."""
    losses = np.abs(scores - like(target, scores))
    return float(losses.sum(dtype=np.float64) / (1 if reduction == "sum" else losses.size))


def mean_absolute_error_back(dloss: float, scores: Array, target: Array, reduction: str = "mean") -> Array:
    """sign(scores - target)."""
    return np.sign(scores - like(target, scores)) * (dloss / (1 if reduction == "sum" else scores.size))


def huber(scores: Array, target: Array, delta: float = 1.0, reduction: str = "mean") -> float:
    """e² / 2 where |e| <= delta, else delta (|e| - delta / 2),  e = scores - target."""
    error = scores - like(target, scores)
    slope = np.clip(error, -delta, delta)
    return float((slope * (error - slope / 2)).sum(dtype=np.float64) / (1 if reduction == "sum" else error.size))


def huber_back(dloss: float, scores: Array, target: Array, delta: float = 1.0, reduction: str = "mean") -> Array:
    """e between -delta and delta."""
    return np.clip(scores - like(target, scores), -delta, delta) * (dloss / (1 if reduction == "sum" else scores.size))
