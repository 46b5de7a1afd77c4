"""Softmax and cross-entropy in one layer, numerically safe at any score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._numerics import row_max, row_starts, row_sum
from .class_loss import ClassLoss
from .errors import ShapeError
from .param import Array


class SoftmaxCrossEntropy(ClassLoss):
    """L_i = -log p_i[y_i],  p = softmax(s),  dL_i/ds_i = p_i - onehot(y_i)  [Caffe: SoftmaxWithLoss].

    scores (N, C) with labels (N,), or (N, C, …) with labels (N, …): classes lie on ``axis``. Labels are
    integers; floating targets of the scores' shape are probabilities q, and then L_i = -sum_c q_ic log
    p_ic, dL_i/ds_i = p_i sum_c q_ic - q_i, dL_i/dq_i = -log p_i. The row maximum is subtracted before
    exp, so scores of any size are safe.

    Parameters
    ----------
    class_weight : sequence of C numbers
        Multiplies each class's term of the loss. Labels then count as their class's weight in the mean;
        with probabilities every position counts 1, as in PyTorch.
    ignore_index : int
        Positions of this label count for nothing.
    label_smoothing : float
        The target becomes (1 - e) onehot + e / C, or (1 - e) q + e / C (Szegedy et al., "Rethinking the
        Inception Architecture", 2016).
    reduction : "mean" or "sum"

    Raises
    ------
    LabelError
        If labels are out of range or of another shape, or floating targets not of the scores' shape.
    """

    backward_uses = ()

    def __init__(
        self,
        axis: int = 1,
        class_weight: Sequence[float] | Array | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(axis, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"{type(self).__name__}: label_smoothing is from 0 to 1, got {label_smoothing}")
        self.class_weight, self.ignore_index = class_weight, ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c = self.cache
        shifted, log_total = self._softmax(scores)
        target = np.asarray(target)
        if _is_soft(target, scores):
            log_p, q = shifted - log_total[:, None], self.rows(self.check_probabilities(scores, target))
            c.slope_q = (self.label_smoothing - 1) * self.check_class_weight(log_p) * log_p
            weight = self.flat_weight(scores, weight)
            return self._reduce_soft(log_p, q, weight, weight)
        labels, weight = self.flat(scores, target, weight)
        count = self.weigh_by_class(labels, weight, shifted)
        c.slope_q = c.q = None
        if self.label_smoothing:
            onehot = np.zeros_like(shifted)
            onehot.put(row_starts(*shifted.shape) + labels, 1)
            return self._reduce_soft(shifted - log_total[:, None], onehot, weight, count)
        c.at = row_starts(*shifted.shape) + labels
        return self.reduce(log_total - shifted.take(c.at), count)

    def backward(self, dloss: float = 1.0) -> Any:
        c, scale = self.cache, self.scale(dloss)
        if c.q is None:
            ds = c.exp * (scale / c.total)[:, None]
            ds.put(c.at, ds.take(c.at) - scale)
            return self.unrows(ds)
        column = scale if c.weight is None else scale[:, None]
        ds = self.unrows(c.exp * (scale * row_sum(c.q) / c.total)[:, None] - c.q * column)
        return ds if c.slope_q is None else (ds, self.unrows(c.slope_q * column))

    def _softmax(self, scores: Array) -> tuple[Array, Array]:
        """Return two arrays whose difference is log p; p itself is left to backward, as exp / total."""
        c, rows = self.cache, self.rows(scores)
        shifted = rows - row_max(rows)[:, None]
        exp = c.exp = np.exp(shifted)
        total = c.total = row_sum(exp)
        return shifted, np.log(total)

    def _reduce_soft(self, log_p: Array, q: Array, weight: Array | None, count: Array | None) -> float:
        """Cross-entropy with a distribution q for each position."""
        e, w = self.label_smoothing, self.check_class_weight(log_p)
        q = self.cache.q = w * ((1 - e) * q + e / q.shape[1])
        return self.reduce(-row_sum(q * log_p), weight, count)

    def predict(self, scores: Array) -> Array:
        """Probabilities, of the scores' shape."""
        exp = np.exp(scores - scores.max(axis=self.axis, keepdims=True))
        return exp / exp.sum(axis=self.axis, keepdims=True)

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the positions whose largest score is the label's (or the most probable class's)."""
        target = np.asarray(target)
        return super().correct(scores, target.argmax(self.axis) if _is_soft(target, scores) else target)


class Infogain(SoftmaxCrossEntropy):
    """L_i = -sum_l H[y, l] log p_i[l],  p = softmax(s),  y the label  [Caffe: InfogainLoss].

    dL_i/ds_i = p_i sum_l H[y, l] - H[y]. Row y of H says what each answer is worth where y is right: the
    identity makes it ``SoftmaxCrossEntropy``.

    Parameters
    ----------
    H : (C, C) numbers
    axis, ignore_index, reduction
        As in ``SoftmaxCrossEntropy``.

    Raises
    ------
    ShapeError
        If H is not (C, C).
    LabelError
        If labels are not integers, out of range or of another shape.
    """

    def __init__(self, H: Any, axis: int = 1, ignore_index: int | None = None, reduction: str = "mean") -> None:
        super().__init__(axis, ignore_index=ignore_index, reduction=reduction)
        self.H = H

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        shifted, log_total = self._softmax(scores)
        labels, weight = self.flat(scores, target, weight)
        H, k = np.asarray(self.H, scores.dtype), shifted.shape[1]
        if H.shape != (k, k):
            raise ShapeError(f"{self.where}: expected H of shape {(k, k)}, one row and column per class, got {H.shape}")
        self.cache.slope_q = None
        return self._reduce_soft(shifted - log_total[:, None], H[labels], weight, weight)


def _is_soft(target: Array, scores: Array) -> bool:
    return target.dtype.kind == "f" and target.shape == scores.shape
