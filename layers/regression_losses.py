"""Losses between two arrays of quantities. All give a gradient for the target too."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .loss import Loss
from .param import Array


class MeanSquaredError(Loss):
    """L_i = (s_i - t_i)^2,  dL_i/ds_i = 2 (s_i - t_i) = -dL_i/dt_i, for every element i.

    scores and target have one shape, and so have weights: the mean is over all elements. Caffe's mean,
    over samples, is ``EuclideanLoss``.

    Raises
    ------
    ShapeError
        If the shapes differ: (N,) and (N, 1) are not broadcast.
    LabelError
        If the target does not hold floating-point numbers.
    """

    backward_uses = ()

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        d = self.cache.d = scores - self.check_pair(scores, target)
        return self.reduce(d * d, weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        ds = 2 * self.cache.d * self.scale(dloss)
        return ds, -ds


class EuclideanLoss(Loss):
    """L_n = 1/2 sum of (s - t)^2 over sample n,  dL_n/ds = s - t = -dL_n/dt  [Caffe's, sum / 2N].

    scores and target have one shape; weights are (N,). Raises as ``MeanSquaredError`` does.
    """

    backward_uses = ()

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        if scores.ndim == 0:
            raise ShapeError(f"{self.where}: expected scores of shape (N, …), got a single number")
        d = self.cache.d = scores - self.check_pair(scores, target)
        return self.reduce((d * d).sum(axis=tuple(range(1, d.ndim))) / 2, weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        # Transposed, the samples lie on the last axis, where the weights are broadcast.
        ds = (self.cache.d.T * self.scale(dloss)).T
        return ds, -ds


class MeanAbsoluteError(Loss):
    """L_i = |s_i - t_i|,  dL_i/ds_i = sign(s_i - t_i) = -dL_i/dt_i, for every element i; 0 where equal.

    scores, target and weights have one shape. Raises as ``MeanSquaredError`` does.
    """

    backward_uses = ()

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        d = self.cache.d = scores - self.check_pair(scores, target)
        return self.reduce(np.abs(d), weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        ds = np.sign(self.cache.d) * self.scale(dloss)
        return ds, -ds


class Huber(Loss):
    """L_i = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2),  d = s_i - t_i, for every element i.

    dL_i/ds_i = d clipped to [-delta, delta] = -dL_i/dt_i: a quadratic whose slope stays bounded, so that
    outliers weigh less. Huber, "Robust Estimation of a Location Parameter", 1964.

    scores, target and weights have one shape. Raises as ``MeanSquaredError`` does.
    """

    backward_uses = ()

    def __init__(self, delta: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"{type(self).__name__}: expected delta > 0, got {delta}")
        self.delta = delta

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        d = scores - self.check_pair(scores, target)
        slope = self.cache.slope = np.clip(d, -self.delta, self.delta)
        # Inside slope = d, so this is d^2 / 2; outside |slope| = delta.
        return self.reduce(slope * (d - slope / 2), weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        ds = self.cache.slope * self.scale(dloss)
        return ds, -ds
