"""Losses in plain functions: scores and target in, one number out; ``…_back`` gives its gradient by the scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_activations import log_softmax, softmax

Array = np.ndarray[Any, np.dtype[Any]]


def one_hot(labels: Array, scores: Array, axis: int = 1, ignore: int | None = None) -> Array:
    """1 at each label along the classes' axis, 0 elsewhere; a ValueError for labels that are no class."""
    if labels.dtype.kind not in "iu":
        raise ValueError(f"expected integers as labels, got {labels.dtype}")
    if labels.shape != scores.shape[:axis] + scores.shape[axis + 1 :]:
        raise ValueError(f"expected a label for each of the scores of shape {scores.shape}, got shape {labels.shape}")
    wrong = (labels < 0) | (labels >= scores.shape[axis])
    if ignore is not None:
        wrong &= labels != ignore
    if wrong.any():
        raise ValueError(f"expected labels from 0 to {scores.shape[axis] - 1}, got {labels[wrong][0]}")
    classes = np.arange(scores.shape[axis]).reshape(-1, *[1] * (scores.ndim - 1 - axis))
    return (np.expand_dims(labels, axis) == classes).astype(scores.dtype)


def class_shares(
    scores: Array,
    target: Array,
    axis: int,
    class_weight: tuple[float, ...] | None,
    ignore_index: int | None,
    label_smoothing: float,
    reduction: str,
) -> tuple[Array, float]:
    """How much -log p of each class counts at each position, and what the sum of all that is divided by."""
    soft = target.dtype.kind == "f"
    q, counted = target, np.ones(scores.shape[:axis] + scores.shape[axis + 1 :], scores.dtype)
    if soft and target.shape != scores.shape:
        raise ValueError(f"expected integers as labels, or probabilities of the scores' shape, got {target.dtype}")
    if not soft:
        q = one_hot(target, scores, axis, ignore_index)
        counted = counted if ignore_index is None else (target != ignore_index).astype(scores.dtype)
    weight = np.ones(scores.shape[axis]) if class_weight is None else np.array(class_weight)
    weight = weight.astype(scores.dtype).reshape(-1, *[1] * (scores.ndim - 1 - axis))
    divisor = counted if soft else (q * weight).sum(axis=axis) * counted
    smooth = (1 - label_smoothing) * q + label_smoothing / scores.shape[axis]
    total = 1.0 if reduction == "sum" else float(divisor.sum())
    return weight * smooth * np.expand_dims(counted, axis), total or np.inf


def softmax_cross_entropy(scores: Array, labels: Array, axis: int = 1) -> float:
    """-log p of each label,  p = softmax(scores), on average."""
    right = one_hot(labels, scores, axis)
    return float((right * -log_softmax(scores, axis)).sum(dtype=np.float64) / labels.size)


def softmax_cross_entropy_back(dloss: float, scores: Array, labels: Array, axis: int = 1) -> Array:
    """p - onehot(label), divided by the number of labels."""
    return (softmax(scores, axis) - one_hot(labels, scores, axis)) * (dloss / labels.size)


def weighted_cross_entropy(
    scores: Array,
    target: Array,
    axis: int = 1,
    class_weight: tuple[float, ...] | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> float:
    """-log p of each label,  p = softmax(scores); a target of the scores' shape holds probabilities."""
    q, total = class_shares(scores, target, axis, class_weight, ignore_index, label_smoothing, reduction)
    return float((q * -log_softmax(scores, axis)).sum(dtype=np.float64) / total)


def weighted_cross_entropy_back(
    dloss: float,
    scores: Array,
    target: Array,
    axis: int = 1,
    class_weight: tuple[float, ...] | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """p - onehot(label), divided as the loss is."""
    q, total = class_shares(scores, target, axis, class_weight, ignore_index, label_smoothing, reduction)
    return (softmax(scores, axis) * q.sum(axis=axis, keepdims=True) - q) * (dloss / total)


def negative_log_likelihood(
    scores: Array,
    target: Array,
    axis: int = 1,
    class_weight: tuple[float, ...] | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> float:
    """-log p of each label; the scores are log p."""
    q, total = class_shares(scores, target, axis, class_weight, ignore_index, 0.0, reduction)
    return float((q * -scores).sum(dtype=np.float64) / total)


def negative_log_likelihood_back(
    dloss: float,
    scores: Array,
    target: Array,
    axis: int = 1,
    class_weight: tuple[float, ...] | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Array:
    """-1 at the label, divided as the loss is."""
    q, total = class_shares(scores, target, axis, class_weight, ignore_index, 0.0, reduction)
    return -q * (dloss / total)


def multiclass_hinge(
    scores: Array, target: Array, margin: float = 1.0, axis: int = 1, reduction: str = "mean"
) -> float:
    """The sum of max(0, s_j - s_label + margin) over all classes but the label."""
    right = one_hot(target, scores, axis)
    short = np.maximum(scores - (scores * right).sum(axis=axis, keepdims=True) + margin, 0) * (1 - right)
    return float(short.sum(dtype=np.float64) / (1 if reduction == "sum" else target.size))


def multiclass_hinge_back(
    dloss: float, scores: Array, target: Array, margin: float = 1.0, axis: int = 1, reduction: str = "mean"
) -> Array:
    """1 for each class that is too near, minus their number for the label."""
    right = one_hot(target, scores, axis)
    near = (scores - (scores * right).sum(axis=axis, keepdims=True) + margin > 0) * (1 - right)
    slope = near - right * near.sum(axis=axis, keepdims=True)
    return slope * (dloss / (1 if reduction == "sum" else target.size))


def one_vs_rest_hinge(scores: Array, target: Array, norm: str = "L1", axis: int = 1, reduction: str = "mean") -> float:
    """The sum of h, or of h²,  h = max(0, 1 - t s),  t = 1 at the label, else -1."""
    h = np.maximum(1 - (2 * one_hot(target, scores, axis) - 1) * scores, 0)
    losses = h if norm == "L1" else h * h
    return float(losses.sum(dtype=np.float64) / (1 if reduction == "sum" else target.size))


def one_vs_rest_hinge_back(
    dloss: float, scores: Array, target: Array, norm: str = "L1", axis: int = 1, reduction: str = "mean"
) -> Array:
    """-t where h > 0, or -2 t h."""
    t = 2 * one_hot(target, scores, axis) - 1
    h = np.maximum(1 - t * scores, 0)
    slope = -t * ((h > 0) if norm == "L1" else 2 * h)
    return slope * (dloss / (1 if reduction == "sum" else target.size))
