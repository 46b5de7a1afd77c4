"""Layers with Caffe's conventions, in plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plain_activations import log_softmax, softmax
from .plain_errors import euclidean_loss, euclidean_loss_back
from .plain_linear import affine, affine_back, along
from .plain_losses import one_hot
from .plain_normalization import batch_norm

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


def caffe_batch_norm(x: Array, sum_mean: Array, sum_var: Array, weight: Array, eps: float = 1e-5) -> Array:
    """y = (x - m) / sqrt(v + eps), a channel's m and v being Caffe's running sums divided by their weight."""
    share = 1 / weight if weight else weight
    return batch_norm(x, sum_mean * share, sum_var * share, eps=eps)


def caffe_batch_norm_back(
    dy: Array, x: Array, sum_mean: Array, sum_var: Array, weight: Array, eps: float = 1e-5
) -> Array:
    """dx = dy / sqrt(v + eps): m and v are constants here."""
    share = 1 / weight if weight else weight
    return dy / along(np.sqrt(sum_var * share + eps), x)


def inner_product(x: Array, W: Array, b: Any = 0.0, axis: int = 1, transpose: bool = False) -> Array:
    """y = x W + b, with x flattened from that axis on; or y = x Wᵀ + b."""
    rows = x.reshape(*x.shape[:axis], int(np.prod(x.shape[axis:])))
    return affine(rows, W.T if transpose else W, b)


def inner_product_back(
    dy: Array, x: Array, W: Array, b: Any = 0.0, axis: int = 1, transpose: bool = False
) -> tuple[Array, Array, Array]:
    """As for an affine layer, dx in x's shape and dW in W's."""
    rows = x.reshape(*x.shape[:axis], int(np.prod(x.shape[axis:])))
    dx, dW, db = affine_back(dy, rows, W.T if transpose else W)
    return dx.reshape(x.shape), dW.T if transpose else dW, db


def regroup(x: Array, shape: Shape) -> Array:
    """All numbers in samples of another size, as many as there are then."""
    return x.reshape(-1, *shape)


def regroup_back(dy: Array, x: Array, shape: Shape) -> Array:
    """dy in x's shape."""
    return dy.reshape(x.shape)


def parameter(W: Array) -> Array:
    """y = W: what was learned, as it is."""
    return W


def parameter_back(dy: Array, W: Array) -> Array:
    """dW = dy."""
    return dy


def stop_gradient(x: Array) -> Array:
    """y = x."""
    return x


def stop_gradient_back(dy: Array, x: Array) -> Array:
    """dx = 0: what lies before it learns nothing from what lies behind."""
    return np.zeros_like(dy)


def places_of_largest(x: Array, top_k: int, axis: int) -> Array:
    """The largest first, and of equal ones the last."""
    return np.flip(x.argsort(axis=axis, kind="stable"), axis).take(range(top_k), axis=axis)


def largest(x: Array, top_k: int = 1, values: bool = False, axis: int = 1) -> Array:
    """The places of the largest numbers along an axis; or the numbers."""
    places = places_of_largest(x, top_k, axis)
    return np.take_along_axis(x, places, axis) if values else places.astype(x.dtype)


def largest_back(dy: Array, x: Array, top_k: int = 1, values: bool = False, axis: int = 1) -> Array:
    """dy where a number was, 0 elsewhere; places have no gradient."""
    dx = np.zeros_like(x)
    if values:
        np.put_along_axis(dx, places_of_largest(x, top_k, axis), dy, axis)
    return dx


def largest_of_all(x: Array, top_k: int = 1, values: bool = False) -> Array:
    """(N, 1, k): the places of a sample's largest numbers; (N, 2, k) with the numbers behind."""
    rows = x.reshape(len(x), int(np.prod(x.shape[1:])))
    parts = [largest(rows, top_k), largest(rows, top_k, values=True)]
    return np.stack(parts if values else parts[:1], axis=1)


def largest_of_all_back(dy: Array, x: Array, top_k: int = 1, values: bool = False) -> Array:
    """dy where a number was, 0 elsewhere."""
    rows = x.reshape(len(x), int(np.prod(x.shape[1:])))
    return largest_back(dy[:, -1], rows, top_k, values).reshape(x.shape)


def counted_labels(
    scores: Array, labels: Array, axis: int, ignore_label: int | None, normalization: str
) -> tuple[Array, float]:
    """1 at each label that counts, 0 elsewhere; and what the sum of the losses is divided by."""
    right = one_hot(
        labels.astype(int).reshape(scores.shape[:axis] + scores.shape[axis + 1 :]), scores, axis, ignore_label
    )
    if ignore_label is not None and 0 <= ignore_label < scores.shape[axis]:
        right[(slice(None),) * axis + (ignore_label,)] = 0
    samples = int(np.prod(scores.shape[:axis]))
    ways = {"VALID": right.sum(), "FULL": labels.size, "BATCH_SIZE": samples, "NONE": 1}
    return right, max(1, ways[normalization])


def caffe_softmax_loss(
    scores: Array, labels: Array, axis: int = 1, ignore_label: int | None = None, normalization: str = "VALID"
) -> float:
    """-log p of each label,  p = softmax(scores), where the smallest p that counts is float32's smallest number."""
    right, divisor = counted_labels(scores, labels, axis, ignore_label, normalization)
    losses = np.minimum((right * -log_softmax(scores, axis)).sum(axis=axis), -np.log(np.finfo(np.float32).tiny))
    return float(losses.sum(dtype=np.float64) / divisor)


def caffe_softmax_loss_back(
    dloss: float,
    scores: Array,
    labels: Array,
    axis: int = 1,
    ignore_label: int | None = None,
    normalization: str = "VALID",
) -> Array:
    """p - onehot(label) where the label counts, divided as the loss is."""
    right, divisor = counted_labels(scores, labels, axis, ignore_label, normalization)
    return (softmax(scores, axis) * right.sum(axis=axis, keepdims=True) - right) * (dloss / divisor)


def caffe_euclidean_loss(scores: Array, target: Array) -> float:
    """Half the sum of (scores - target)², for every sample; the target is of any shape that holds as many numbers."""
    return euclidean_loss(scores, target.reshape(scores.shape))


def caffe_euclidean_loss_back(dloss: float, scores: Array, target: Array) -> Array:
    """scores - target."""
    return euclidean_loss_back(dloss, scores, target.reshape(scores.shape))
