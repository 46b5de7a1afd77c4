"""Cross-entropy without a softmax: of independent yes-or-no answers, and of log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._numerics import row_starts, row_sum
from .class_loss import ClassLoss
from .errors import ShapeError
from .loss import Loss
from .param import Array


class SigmoidCrossEntropy(Loss):
    """L_i = -w t_i log p_i - (1 - t_i) log(1 - p_i),  p = sigmoid(s), for every element i.

    dL_i/ds_i = (1 - t_i) p_i - w t_i (1 - p_i), which is p_i - t_i for w = 1; dL_i/dt_i = log(1 - p_i) -
    w log p_i. With -log p = max(-s, 0) + log(1 + exp(-abs(s))) scores of any size are safe.

    The target has the scores' shape: probabilities, or integers 0 and 1. Weights have it too.

    Parameters
    ----------
    pos_weight : number, or array that broadcasts to the scores' shape
        The w above: what a missed positive costs, against a false one.
    reduction : "mean" or "sum"

    Raises
    ------
    ShapeError, LabelError
        If the target has another shape, or integers other than 0 and 1.
    """

    backward_uses = ("input",)

    def __init__(self, pos_weight: Any = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.pos_weight = pos_weight

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c, target = self.cache, np.asarray(target)
        c.soft = target.dtype.kind == "f"
        t = c.t = self._probabilities(scores, target)
        w = c.w = self._pos_weight(scores)
        small = np.exp(-np.abs(scores))
        c.p = np.where(scores >= 0, 1, small) / (1 + small)
        tail = np.log1p(small)
        c.yes = w * (np.maximum(-scores, 0) + tail)  # -w log p, the loss where t = 1
        c.no = np.maximum(scores, 0) + tail  # -log(1 - p), the loss where t = 0
        return self.reduce(t * c.yes + (1 - t) * c.no, weight)

    def backward(self, dloss: float = 1.0) -> Any:
        c, scale = self.cache, self.scale(dloss)
        ds = ((1 - c.t) * c.p - c.w * c.t * (1 - c.p)) * scale
        return (ds, (c.yes - c.no) * scale) if c.soft else ds

    def predict(self, scores: Array) -> Array:
        """Probabilities, each element's its own."""
        small = np.exp(-np.abs(scores))
        return np.where(scores >= 0, 1, small) / (1 + small)

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the elements that are on the target's side of 1/2."""
        hits = (scores > 0) == (self._probabilities(scores, np.asarray(target)) > 0.5)
        return int(hits.sum()), hits.size

    def _probabilities(self, scores: Array, target: Array) -> Array:
        if target.dtype.kind == "f":
            return self.check_probabilities(scores, target)
        return self.check_labels(target, scores.shape, 2).astype(scores.dtype)

    def _pos_weight(self, scores: Array) -> Array:
        w = np.asarray(self.pos_weight, scores.dtype)
        try:
            np.broadcast_to(w, scores.shape)
        except ValueError:
            raise ShapeError(
                f"{self.where}: expected a pos_weight that broadcasts to the scores' shape {scores.shape}, "
                f"got shape {w.shape}; one per class of images is (C, 1, 1)"
            ) from None
        return w


class NegativeLogLikelihood(ClassLoss):
    """L_i = -w_y log p_i[y],  y the label;  dL_i/dlog p_i[y] = -w_y and 0 elsewhere.

    The scores are log-probabilities, as ``LogSoftmax`` makes them. It is ``SoftmaxCrossEntropy`` in two
    layers, where each may be looked at. The mean divides by the sum of the w_y.

    Parameters
    ----------
    axis, class_weight, ignore_index, reduction
        As in ``SoftmaxCrossEntropy``.

    Raises
    ------
    LabelError
        If labels are not integers, out of range or of another shape.
    """

    backward_uses = ()

    def __init__(
        self,
        axis: int = 1,
        class_weight: Sequence[float] | Array | None = None,
        ignore_index: int | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(axis, reduction)
        self.class_weight, self.ignore_index = class_weight, ignore_index

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c = self.cache
        c.rows = self.rows(scores)
        labels, weight = self.flat(scores, target, weight)
        c.at = row_starts(*c.rows.shape) + labels
        return self.reduce(-c.rows.take(c.at), self.weigh_by_class(labels, weight, c.rows))

    def backward(self, dloss: float = 1.0) -> Array:
        ds = np.zeros_like(self.cache.rows)
        ds.put(self.cache.at, -self.scale(dloss))
        return self.unrows(ds)

    def predict(self, scores: Array) -> Array:
        """Probabilities, of the scores' shape."""
        return np.exp(scores)


class KLDivergence(ClassLoss):
    """L_i = sum_c p_ic (log p_ic - log q_ic): how far the distribution q is from p.

    dL_i/dlog q_i = -p_i,  dL_i/dp_i = log p_i + 1 - log q_i. Where p = 0 nothing is added, and the
    gradient (it would be -inf) is 0.

    ``forward(log_q, p)``: both (N, C, …), distributions along ``axis``; weights are (N, …). log_q are
    log-probabilities, as ``LogSoftmax`` makes them. The mean is over positions, as PyTorch's "batchmean".

    Raises
    ------
    ShapeError, LabelError
        If p is of another shape than log_q, or not floating-point numbers.
    """

    backward_uses = ("input",)

    def forward(self, log_q: Array, p: Any, weight: Any = None) -> float:
        c = self.cache
        p = self.rows(self.check_pair(log_q, p))
        c.p, c.positive = p, p > 0
        log_p = np.log(np.where(c.positive, p, 1))
        c.ratio = np.where(c.positive, log_p - self.rows(log_q), 0)
        return self.reduce(row_sum(p * c.ratio), self.flat_weight(log_q, weight))

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        c, scale = self.cache, self.column(dloss)
        return self.unrows(-c.p * scale), self.unrows((c.ratio + 1) * c.positive * scale)

    def predict(self, scores: Array) -> Array:
        """Probabilities, of the scores' shape."""
        return np.exp(scores)

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the positions where both find the same class most probable."""
        return super().correct(scores, np.asarray(target).argmax(self.axis))
