"""Hinge losses: support vector machines as the last layer of a net."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._numerics import row_starts, row_sum
from .class_loss import ClassLoss
from .param import Array


class MulticlassHinge(ClassLoss):
    """L_i = sum over j != y of max(0, s_j - s_y + margin),  y the label  (the SVM loss of CS231n).

    dL_i/ds_j = [s_j - s_y + margin > 0] for j != y; dL_i/ds_y is minus their sum: the right class shall
    lead every other by a margin. Weston and Watkins, "Support Vector Machines for Multi-Class Pattern
    Recognition", 1999.

    Parameters
    ----------
    margin : float
    axis : int
        Of the classes: scores (N, C, …), labels and weights (N, …).
    reduction : "mean" or "sum"

    Raises
    ------
    LabelError
        If labels are not integers, out of range or of another shape.
    """

    backward_uses = ()

    def __init__(self, margin: float = 1.0, axis: int = 1, reduction: str = "mean") -> None:
        super().__init__(axis, reduction)
        self.margin = margin

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c, rows = self.cache, self.rows(scores)
        labels, weight = self.flat(scores, target, weight)
        c.at = row_starts(*rows.shape) + labels
        short = np.maximum(rows - rows.take(c.at)[:, None] + self.margin, 0)
        short.put(c.at, 0)
        c.active = (short > 0).astype(rows.dtype)
        return self.reduce(row_sum(short), weight)

    def backward(self, dloss: float = 1.0) -> Array:
        ds = self.cache.active * self.column(dloss)
        ds.put(self.cache.at, -row_sum(ds))
        return self.unrows(ds)


class OneVsRestHinge(ClassLoss):
    """L_i = sum over j of h_j, or of h_j^2,  h_j = max(0, 1 - t_j s_j),  t_j = 1 at the label, else -1.

    dL_i/ds_j = -t_j [h_j > 0], or -2 t_j h_j: one SVM per class, each against the rest  [Caffe: HingeLoss].

    Parameters
    ----------
    norm : "L1" or "L2"
        Sum the h_j or their squares (without the customary 1/2).
    axis, reduction
        As in ``MulticlassHinge``, which also says what is raised.
    """

    backward_uses = ()

    def __init__(self, norm: str = "L1", axis: int = 1, reduction: str = "mean") -> None:
        super().__init__(axis, reduction)
        if norm not in ("L1", "L2"):
            raise ValueError(f"{type(self).__name__}: expected norm 'L1' or 'L2', got {norm!r}")
        self.norm = norm

    def forward(self, scores: Array, target: Any, weight: Any = None) -> float:
        c, rows = self.cache, self.rows(scores)
        labels, weight = self.flat(scores, target, weight)
        t = c.t = np.full_like(rows, -1)
        t.put(row_starts(*rows.shape) + labels, 1)
        h = c.h = np.maximum(1 - t * rows, 0)
        return self.reduce(row_sum(h if self.norm == "L1" else h * h), weight)

    def backward(self, dloss: float = 1.0) -> Array:
        c = self.cache
        slope = (c.h > 0) if self.norm == "L1" else 2 * c.h
        return self.unrows(-c.t * slope * self.column(dloss))
