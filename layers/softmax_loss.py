"""Softmax and cross-entropy in one layer, numerically safe at any score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._numerics import row_max, row_starts, row_sum
from .errors import ShapeError
from .loss import Loss
from .param import Array


class SoftmaxCrossEntropy(Loss):
    """L_i = -log p_i[y_i],  p = softmax(s),  dL_i/ds_i = p_i - onehot(y_i)  [Caffe: SoftmaxWithLoss].

    scores (N, C) with labels (N,), or (N, C, …) with labels (N, …): classes lie on ``axis``. Labels are
    integers; floating targets of the scores' shape are probabilities q, and then L_i = -sum_c q_ic log
    p_ic, dL_i/ds_i = p_i sum_c q_ic - q_i, dL_i/dq_i = -log p_i. The row maximum is subtracted before
    exp, so scores of any size are safe.

    Parameters
    ----------
    class_weight : sequence of C numbers
        Multiplies the loss of each class's positions, and their count in the mean.
    ignore_index : int
        Positions of this label count for nothing.
    label_smoothing : float
        The target becomes (1 - e) onehot + e / C (Szegedy et al., "Rethinking the Inception
        Architecture", 2016).
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
        super().__init__(reduction)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing: expected a number in [0, 1), got {label_smoothing}")
        self.axis, self.ignore_index, self.label_smoothing = axis, ignore_index, label_smoothing
        self.class_weight = class_weight

    def forward(self, scores: Array, target: Array, weight: Array | None = None) -> float:
        c = self.cache
        rows = self._rows(scores)
        m, k = rows.shape
        c.shape, c.soft = scores.shape, None
        shifted = rows - row_max(rows)[:, None]
        exp = np.exp(shifted)
        total = row_sum(exp)
        exp /= total[:, None]
        c.p = exp
        if weight is not None:
            weight = np.ravel(self.check_weight(weight, self._positions(scores)))
        log_total = np.log(total)
        c.differentiable_target = target.dtype.kind == "f" and target.shape == scores.shape
        if c.differentiable_target:
            return self._forward_dense(shifted - log_total[:, None], self._rows(target), weight, weight)
        labels = self.check_labels(target, self._positions(scores), k, self.ignore_index).ravel()
        if self.ignore_index is not None:
            counted = labels != self.ignore_index
            labels, weight = labels * counted, counted * (1 if weight is None else weight)
        count = weight if self.class_weight is None else self._class_weight(rows)[labels] * (1 if weight is None else weight)
        if self.label_smoothing:
            return self._forward_dense(shifted - log_total[:, None], np.eye(k, dtype=rows.dtype)[labels], weight, count)
        c.at = row_starts(m, k) + labels
        return self.reduce(log_total - shifted.take(c.at), count)

    def backward(self, dloss: float = 1.0) -> Array | tuple[Array, Array]:
        c = self.cache
        scale = self.scale(dloss)
        column = scale if c.weight is None else scale[:, None]
        if c.soft is not None:
            return self._backward_dense(column)
        d = c.p * column
        d.put(c.at, d.take(c.at) - scale)
        return self._unrows(d)

    def _forward_dense(self, log_p: Array, q: Array, weight: Array | None, count: Array | None) -> float:
        """Cross-entropy with a distribution for each position: smoothed labels, or probabilities."""
        smoothing = self.label_smoothing
        t = q * (1 - smoothing) + smoothing / q.shape[1] if smoothing else q
        w = self._class_weight(log_p)
        self.cache.soft = (log_p * w, t * w)
        return self.reduce(-(t * w * log_p).sum(axis=1), weight, count)

    def _backward_dense(self, scale: Any) -> Any:
        log_p, t = self.cache.soft
        d = self._unrows((self.cache.p * row_sum(t)[:, None] - t) * scale)
        if not self.cache.differentiable_target:
            return d
        return d, self._unrows(log_p * (scale * (self.label_smoothing - 1)))

    def predict(self, scores: Array) -> Array:
        """Probabilities, of the scores' shape."""
        exp = np.exp(scores - scores.max(axis=self.axis, keepdims=True))
        return exp / exp.sum(axis=self.axis, keepdims=True)

    def correct(self, scores: Array, target: Array) -> tuple[int, int]:
        """Positions whose largest score is the label's (or the most probable class's)."""
        if target.shape == scores.shape and target.dtype.kind == "f":
            target = target.argmax(axis=self.axis)
        counted = np.ones(target.shape, bool) if self.ignore_index is None else target != self.ignore_index
        return int(((scores.argmax(axis=self.axis) == target) & counted).sum()), int(counted.sum())

    def _rows(self, a: Array) -> Array:
        """The classes of each position as a row: (positions, C)."""
        if a.ndim == 2 and self.axis in (1, -1):
            return a
        if a.ndim < 2 or not -a.ndim <= self.axis < a.ndim:
            raise ShapeError(f"{self.where}: expected classes on axis {self.axis}, got scores of shape {a.shape}")
        return np.moveaxis(a, self.axis, -1).reshape(-1, a.shape[self.axis])

    def _unrows(self, rows: Array) -> Array:
        shape = self.cache.shape
        if len(shape) == 2 and self.axis in (1, -1):
            return rows
        axis = self.axis % len(shape)
        return np.moveaxis(rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)

    def _positions(self, scores: Array) -> tuple[int, ...]:
        axis = self.axis % scores.ndim
        return scores.shape[:axis] + scores.shape[axis + 1 :]

    def _class_weight(self, rows: Array) -> Any:
        if self.class_weight is None:
            return rows.dtype.type(1)
        weight = np.asarray(self.class_weight, rows.dtype)
        if weight.shape != rows.shape[1:]:
            raise ShapeError(f"{self.where}: expected {rows.shape[1]} class weights, got shape {weight.shape}")
        return weight
