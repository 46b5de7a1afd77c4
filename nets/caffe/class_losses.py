"""Caffe's losses of class scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import OneVsRestHinge, ShapeError

from .loss_targets import CaffeLabels, SoftmaxFirst

Array = np.ndarray[Any, np.dtype[Any]]
FLT_MIN = float(np.finfo(np.float32).tiny)
LOG_THRESHOLD = 1e-20


class CaffeSoftmaxLoss(SoftmaxFirst):
    """L_i = -log max(p_i[y_i], 1.18e-38),  p = softmax(s),  dL_i/ds_i = p_i - onehot(y_i)  [Caffe: SoftmaxWithLoss].

    The smallest probability that counts is float32's, so that no loss is larger than 87.3365; the gradient does not
    know of it. The sum is divided as ``normalization`` says. Labels may be floating-point numbers, of any shape that
    holds one for each position.

    Parameters
    ----------
    axis : int
        Of the classes.
    ignore_label : int or None
        Positions of this label count for nothing.
    normalization : "VALID", "FULL", "BATCH_SIZE" or "NONE"
        Divide by the positions not ignored, all positions, the samples (more precisely, all axes before the
        classes'), or 1; never by less than 1.
    probabilities : bool
        Return (L, p), as Caffe does with a second top. (Caffe lets no gradient in through it.)

    Raises
    ------
    LabelError
        If the labels are too few, too many, or no class's.
    """

    def __init__(
        self, axis: int = 1, ignore_label: int | None = None, normalization: str = "VALID", probabilities: bool = False
    ) -> None:
        super().__init__(axis, ignore_label, normalization)
        self.probabilities = probabilities

    def build(self, in_shape: Any) -> Any:
        return ((), in_shape[0]) if self.probabilities else ()

    @property
    def built(self) -> bool:
        """True from the start: it has no arrays, and a graph does not know the labels' shape to build it for."""
        return True

    def forward(self, scores: Array, target: Any, weight: Any = None) -> Any:
        c = self.cache
        shifted, log_total = self._softmax(scores)
        labels, weight = self.flat(scores, target, weight)
        self.note_target(target)
        c.slope_q = c.q = None
        c.at = np.arange(len(shifted)) * shifted.shape[1] + labels
        losses = np.minimum(log_total - shifted.take(c.at), -math.log(FLT_MIN))
        loss = self.reduce(losses, weight)
        return (loss, self.unrows(c.exp / c.total[:, None])) if self.probabilities else loss

    def backward(self, dloss: Any = 1.0) -> Any:
        dloss, dp = dloss if isinstance(dloss, tuple) else (dloss, None)
        ds = super().backward(dloss)
        if dp is not None:
            p, dp = self.cache.exp / self.cache.total[:, None], self.rows(dp)
            ds = ds + self.unrows(p * (dp - (p * dp).sum(axis=1, keepdims=True)))
        return self.answer(ds)


class CaffeInfogainLoss(SoftmaxFirst):
    """L_i = -sum_l H[y_i, l] log max(p_i[l], 1e-20),  p = softmax(s)  [Caffe: InfogainLoss].

    dL_i/ds_i = p_i sum_l H[y_i, l] - H[y_i], which does not know of the 1e-20. Without an ``H`` it is the third
    input, of any shape that holds C x C numbers, and dL/dH[y] = -sum over the i with that label of log p_i. (Caffe
    refuses that.)

    Parameters
    ----------
    H : (C, C) numbers, or None
    axis, ignore_label, normalization
        As in ``CaffeSoftmaxLoss``.

    Raises
    ------
    ShapeError
        If H is not (C, C), or there is none, or two.
    LabelError
        If the labels are too few, too many, or no class's.
    """

    def __init__(
        self, H: Any = None, axis: int = 1, ignore_label: int | None = None, normalization: str = "VALID"
    ) -> None:
        super().__init__(axis, ignore_label, normalization)
        self.H = H

    def forward(self, scores: Array, target: Any, H: Any = None) -> float:
        c = self.cache
        shifted, log_total = self._softmax(scores)
        labels, weight = self.flat(scores, target)
        self.note_target(target)
        c.labels, c.weights = labels, self._matrix(H, shifted.shape[1], scores.dtype)[labels]
        c.H_shape = None if H is None else np.shape(H)
        c.log_p = np.maximum(shifted - log_total[:, None], math.log(LOG_THRESHOLD))
        return self.reduce(-(c.weights * c.log_p).sum(axis=1), weight)

    def backward(self, dloss: float = 1.0) -> Any:
        c = self.cache
        column = self.column(dloss)
        p = c.exp / c.total[:, None]
        ds = self.unrows((p * c.weights.sum(axis=1, keepdims=True) - c.weights) * column)
        if c.H_shape is None:
            return self.answer(ds)
        dH = np.zeros_like(p, shape=(p.shape[1],) * 2)
        np.add.at(dH, c.labels, -c.log_p * column)
        rest = () if c.rest is None else (c.rest,)
        return ds, *rest, dH.reshape(c.H_shape)

    def _matrix(self, given: Any, classes: int, dtype: Any) -> Array:
        if (given is None) == (self.H is None):
            there = "neither" if given is None else "both"
            raise ShapeError(f"{self.where}: expected H as an argument or as the third input, got {there}")
        H = np.asarray(self.H if given is None else given, dtype)
        if H.size != classes * classes:
            raise ShapeError(f"{self.where}: expected H of shape {(classes, classes)}, got {H.shape}")
        return H.reshape(classes, classes)


class _OnePerSample(CaffeLabels):
    """A loss that takes all of a sample's numbers, in whatever axes, for the scores of as many classes."""

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        if scores.ndim < 2:
            raise ShapeError(f"{self.where}: expected scores (N, classes), got shape {scores.shape}")
        self.note_target(target)
        self.cache.whole = scores.shape
        return super().forward(_flattened(scores), target, weight)

    def backward(self, dloss: float = 1.0) -> Any:
        return self.answer(super().backward(dloss).reshape(self.cache.whole))

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the samples whose largest score is the label's."""
        return super().correct(_flattened(scores), target)


class CaffeHingeLoss(_OnePerSample, OneVsRestHinge):
    """L_i = sum over j of h_j, or of h_j^2,  h_j = max(0, 1 - t_j s_j),  t_j = 1 at the label, else -1.

    dL_i/ds_j = -t_j [h_j > 0], or -2 t_j h_j, divided by the number of samples  [Caffe: HingeLoss]. It is
    ``OneVsRestHinge`` for labels of any dtype and shape; whatever axes a sample has, its numbers are classes.

    Parameters
    ----------
    norm : "L1" or "L2"

    Raises
    ------
    LabelError
        If the labels are too few, too many, or no class's.
    """

    def __init__(self, norm: str = "L1") -> None:
        super().__init__(norm)


class _Multinomial(CaffeLabels):
    """The arithmetic, for scores of two axes."""

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c, rows = self.cache, self.rows(scores)
        labels, weight = self.flat(scores, target, weight)
        c.at = np.arange(len(rows)) * rows.shape[1] + labels
        c.like, c.p = np.zeros_like(rows), np.maximum(rows.take(c.at), LOG_THRESHOLD)
        return self.reduce(-np.log(c.p), weight)

    def backward(self, dloss: float = 1.0) -> Any:
        ds = self.cache.like.copy()
        ds.put(self.cache.at, -self.scale(dloss) / self.cache.p)
        return ds


class CaffeMultinomialLoss(_OnePerSample, _Multinomial):
    """L_i = -log max(p_i[y_i], 1e-20),  dL_i/dp_i[y_i] = -1 / max(p_i[y_i], 1e-20), divided by the number of samples.

    The scores are probabilities already, (N, C) or (N, C, 1, 1)  [Caffe: MultinomialLogisticLoss].
    ``CaffeSoftmaxLoss`` is safer: it makes them itself. Labels are those of ``CaffeHingeLoss``.
    """

    def __init__(self) -> None:
        super().__init__()


def _flattened(scores: Array) -> Array:
    return scores.reshape(len(scores), math.prod(scores.shape[1:]))
