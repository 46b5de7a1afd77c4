"""Caffe's losses between two arrays of one size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import EuclideanLoss, Loss, ShapeError, SigmoidCrossEntropy

from .arguments import no_gradient, whole_numbers
from .loss_targets import NormalizedLoss

Array = np.ndarray[Any, np.dtype[Any]]
NEAR = 1e-4  # what Caffe adds to a distance that it divides by


class CaffeSigmoidLoss(NormalizedLoss, SigmoidCrossEntropy):
    """L_i = -t_i log p_i - (1 - t_i) log(1 - p_i),  p = sigmoid(s), for every element  [SigmoidCrossEntropyLoss].

    dL_i/ds_i = p_i - t_i, dL_i/dt_i = -s_i (Caffe refuses that). The target holds as many numbers as the scores, of
    any dtype, and not only probabilities.

    Parameters
    ----------
    ignore_label : int or None
        Elements of this target (its fraction cut off) count for nothing.
    normalization : "VALID", "FULL", "BATCH_SIZE" or "NONE"
        Divide by the elements not ignored, all elements, the samples, or 1; never by less than 1.

    Raises
    ------
    ShapeError
        If the target holds more numbers than the scores, or fewer.
    """

    def __init__(self, ignore_label: int | None = None, normalization: str = "BATCH_SIZE") -> None:
        super().__init__()
        self.ignore_label = ignore_label
        self.set_normalization(normalization)

    def samples(self) -> int:
        return len(self.cache.p)

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        counted = self._counted(scores, target)
        if counted is not None:
            weight = counted if weight is None else counted * self.check_weight(weight, scores.shape)
        loss = super().forward(scores, target, weight)
        self.cache.target_shape = np.shape(target)
        return loss

    def backward(self, dloss: float = 1.0) -> Any:
        gradients = super().backward(dloss)
        if not isinstance(gradients, tuple):
            return gradients
        return gradients[0], gradients[1].reshape(self.cache.target_shape)

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the elements that are on the target's side of 1/2, of those not ignored."""
        counted = self._counted(scores, target)
        if counted is not None:
            scores, target = scores[counted], same_size(self, scores, target)[counted]
        return super().correct(scores, target)

    def _counted(self, scores: Array, target: Any) -> Array | None:
        if self.ignore_label is None:
            return None
        return whole_numbers(self.where, same_size(self, scores, target)) != self.ignore_label

    def _probabilities(self, scores: Array, target: Array) -> Array:
        return same_size(self, scores, target).astype(scores.dtype)


class CaffeEuclideanLoss(EuclideanLoss):
    """L = 1/2N sum of (s - t)^2,  dL/ds = (s - t) / N = -dL/dt  [Caffe: EuclideanLoss].

    It is ``EuclideanLoss`` for targets of any dtype, and of any shape that holds as many numbers as the scores.

    Raises
    ------
    ShapeError
        If it does not.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        self.cache.target_shape = np.shape(target) if np.asarray(target).dtype.kind == "f" else None
        return super().forward(scores, target, weight)

    def backward(self, dloss: float = 1.0) -> Any:
        ds, dt = super().backward(dloss)
        shape = self.cache.target_shape
        return ds if shape is None else (ds, dt.reshape(shape))

    def check_pair(self, scores: Array, target: Any) -> Array:
        return same_size(self, scores, target).astype(scores.dtype)


class CaffeContrastiveLoss(Loss):
    """L_i = d^2 / 2 for a similar pair, max(margin - d, 0)^2 / 2 for another, d = |a_i - b_i|; the mean of these.

    dL_i/da_i = a_i - b_i if similar, else -max(margin - d, 0) (a_i - b_i) / (d + 1e-4), and dL_i/db_i = -dL_i/da_i.
    Unlike ``Contrastive`` it has Caffe's 1e-4, and its ``legacy_version``: there another pair's L_i is
    max(margin - d^2, 0) / 2, and dL_i/da_i = -(a_i - b_i) as long as that is not 0.

    a and b are (N, D), or have more axes of which all numbers count; ``similar`` holds N numbers: 0, or (their
    fraction cut off) anything else.

    Raises
    ------
    ShapeError
        If a and b are not of one shape, or there is not one number for each pair.
    """

    backward_uses = ()

    def __init__(self, margin: float = 1.0, legacy_version: bool = False) -> None:
        super().__init__()
        self.margin, self.legacy_version = float(margin), bool(legacy_version)

    def forward(self, a: Array, b: Array, similar: Any, weight: Any = None) -> float:
        c, same = self.cache, whole_numbers(self.where, similar).ravel() != 0
        if a.shape != b.shape or a.ndim < 2 or len(same) != len(a):
            raise ShapeError(
                f"{self.where}: expected a and b of one shape (N, D) and N numbers, got {a.shape}, {b.shape} and "
                f"{len(same)}"
            )
        c.shape, c.rest = a.shape, no_gradient(np.asarray(similar))
        c.away = (a - b).reshape(len(a), math.prod(a.shape[1:]))
        square = np.square(c.away).sum(axis=1)
        if self.legacy_version:
            loss = np.maximum(self.margin - square, 0)
            slope = -(loss > 0).astype(a.dtype)
        else:
            d = np.sqrt(square)
            lack = np.maximum(self.margin - d, 0)
            loss, slope = lack * lack, -lack / (d + NEAR)
        c.slope = np.where(same, 1, slope)
        return self.reduce(np.where(same, square, loss) / 2, weight)

    def backward(self, dloss: float = 1.0) -> Any:
        c = self.cache
        da = (c.away * (c.slope * self.scale(dloss))[:, None]).reshape(c.shape)
        return (da, -da) if c.rest is None else (da, -da, c.rest)


def same_size(loss: Loss, scores: Array, target: Any) -> Array:
    """Return the target in the scores' shape.

    Raises
    ------
    ShapeError
        If it holds more numbers, or fewer.
    """
    target = np.asarray(target)
    if target.shape[:1] != scores.shape[:1] or target.size != scores.size:
        raise ShapeError(
            f"{loss.where}: expected a target of as many numbers as the scores of shape {scores.shape} hold, "
            f"got shape {target.shape}"
        )
    return target.reshape(scores.shape)
