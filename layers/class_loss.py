"""``ClassLoss``: the base of losses whose scores have an axis of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ShapeError
from .loss import Loss
from .param import Array


class ClassLoss(Loss):
    """A loss of scores for classes: (N, C) with labels (N,), or (N, C, …) with labels (N, …).

    The classes lie on ``axis``; every index of the other axes is a position. A subclass computes with
    ``rows``: a matrix with a row per position and a column per class. Positions labelled
    ``ignore_index`` count for nothing.
    """

    axis: int = 1
    ignore_index: int | None = None

    def __init__(self, axis: int = 1, ignore_index: int | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.axis, self.ignore_index = axis, ignore_index

    def rows(self, scores: Array) -> Array:
        """Return (…, C, …) as (positions, C); ``unrows`` undoes it."""
        self.cache.shape = scores.shape
        if scores.ndim == 2 and self.axis in (1, -1):
            return scores
        axis = self._class_axis(scores)
        return np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])

    def unrows(self, rows: Array) -> Array:
        """Return (positions, C) as (…, C, …), the shape that ``rows`` saw last."""
        shape = self.cache.shape
        if len(shape) == 2 and self.axis in (1, -1):
            return rows
        axis = self.axis % len(shape)
        return np.moveaxis(rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)

    def column(self, dloss: float) -> Any:
        """``scale`` to multiply rows by: a number, or with weights a column."""
        scale = self.scale(dloss)
        return scale if self.cache.weight is None else scale[:, None]

    def flat(self, scores: Array, target: Any, weight: Any) -> tuple[Array, Array | None]:
        """Return labels and weights as vectors; what is ignored has label 0 and weight 0."""
        axis = self._class_axis(scores)
        shape = scores.shape[:axis] + scores.shape[axis + 1 :]
        labels = self.check_labels(target, shape, scores.shape[axis], self.ignore_index).ravel()
        if weight is not None:
            weight = self.check_weight(weight, shape).ravel()
        if self.ignore_index is not None:
            counted = labels != self.ignore_index
            labels, weight = labels * counted, counted if weight is None else weight * counted
        return labels, weight

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the positions whose largest score is the label's (or the most probable class's)."""
        labels, weight = self.flat(scores, self._labels(target, scores), None)
        hits = np.ravel(scores.argmax(axis=self.axis)) == labels
        if weight is None:
            return int(hits.sum()), hits.size
        return int((hits & weight).sum()), int(weight.sum())
