"""``ClassLoss``: the base of losses whose scores have an axis of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ShapeError
from .loss import Loss
from .param import Array


class ClassLoss(Loss):
    """A loss of scores (N, C) with labels (N,), or (N, C, …) with labels (N, …); classes lie on ``axis``.

    Every index of the other axes is a position. Subclasses compute with ``rows``, a matrix with a row
    for each position and a column for each class. Positions labelled ``ignore_index`` count for nothing.
    """

    axis: int = 1
    class_weight: Sequence[float] | Array | None = None
    ignore_index: int | None = None

    def __init__(self, axis: int = 1, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.axis = axis

    def rows(self, scores: Array) -> Array:
        """Return (…, C, …) as (positions, C)."""
        self.cache.shape = scores.shape
        if scores.ndim == 2 and self.axis in (1, -1):
            return scores
        axis = self._class_axis(scores)
        return np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])

    def unrows(self, rows: Array) -> Array:
        """Return (positions, C) in the shape that ``rows`` saw last."""
        shape = self.cache.shape
        if len(shape) == 2 and self.axis in (1, -1):
            return rows
        axis = self.axis % len(shape)
        return np.moveaxis(rows.reshape(*shape[:axis], *shape[axis + 1 :], shape[axis]), -1, axis)

    def positions(self, scores: Array) -> tuple[int, ...]:
        """Return the scores' shape without the class axis."""
        if scores.ndim == 2 and self.axis in (1, -1):
            return scores.shape[:1]
        axis = self._class_axis(scores)
        return scores.shape[:axis] + scores.shape[axis + 1 :]

    def flat(self, scores: Array, target: Any, weight: Any = None) -> tuple[Array, Array | None]:
        """Return labels and weights as vectors; ignored positions get label 0 and weight 0."""
        shape = self.positions(scores)
        labels = self.check_labels(target, shape, scores.shape[self.axis], self.ignore_index).ravel()
        if weight is not None:
            weight = self.flat_weight(scores, weight)
        if self.ignore_index is not None:
            counted = labels != self.ignore_index
            labels, weight = labels * counted, counted if weight is None else weight * counted
        return labels, weight

    def flat_weight(self, scores: Array, weight: Any) -> Array | None:
        """Return one weight per position, if there are any, as a vector."""
        return None if weight is None else self.check_weight(weight, self.positions(scores)).ravel()

    def weigh_by_class(self, labels: Array, weight: Array | None, rows: Array) -> Array | None:
        """Return the weights times the class weight of each position's label."""
        if self.class_weight is None:
            return weight
        chosen = self.check_class_weight(rows)[labels]
        return chosen if weight is None else chosen * weight

    def check_class_weight(self, rows: Array) -> Array:
        """Return one weight per class, in the scores' dtype; ones by default."""
        if self.class_weight is None:
            return np.ones_like(rows, shape=rows.shape[1])
        weight = np.asarray(self.class_weight, rows.dtype)
        if weight.shape != rows.shape[1:]:
            raise ShapeError(
                f"{self.where}: expected a class_weight of {rows.shape[1]} numbers, one per class, "
                f"got shape {weight.shape}"
            )
        return weight

    def column(self, dloss: float) -> Any:
        """``scale`` as a factor of rows: a number, or with weights a column."""
        scale = self.scale(dloss)
        return scale if self.cache.weight is None else scale[:, None]

    def correct(self, scores: Array, target: Any) -> tuple[int, int]:
        """Count the positions whose largest score is the label's."""
        labels, counted = self.flat(scores, target)
        largest = scores.max(axis=self.axis).ravel()
        hits = (scores.argmax(axis=self.axis).ravel() == labels) & (largest == largest)  # nan is never right
        if counted is not None:
            hits = hits[counted]
        return int(hits.sum()), hits.size

    def _class_axis(self, scores: Array) -> int:
        n = scores.ndim
        if n < 2 or not -n <= self.axis < n:
            fix = "; a single sample is scores[None, :]" if n == 1 else ""
            raise ShapeError(
                f"{self.where}: expected classes on axis {self.axis}, got scores of shape {scores.shape}{fix}"
            )
        return self.axis % n
