"""Caffe's Accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import LabelError, Layer, ShapeError

from .arguments import axis_of, no_gradient, whole_numbers

Array = np.ndarray[Any, np.dtype[Any]]


class CaffeAccuracy(Layer):
    """y = the share of positions whose label is among the ``top_k`` largest scores;  dx = 0  [Caffe: Accuracy].

    A score that equals the label's counts as a better one: with all scores equal y is 0 (as long as there are more
    than ``top_k``). A NaN is never right (in Caffe it is). Where nothing is counted, y is 0.

    Scores are (N, C, …) with the classes on ``axis``; there is one label for each position, in an array of any shape
    and dtype. A fraction is cut off.

    Parameters
    ----------
    top_k, axis : int
    ignore_label : int or None
        Positions of this label are not counted.
    per_class : bool
        Return (y, accuracies (C,) of the positions of each class), as Caffe does with a second top.

    Raises
    ------
    ShapeError
        If there are fewer classes than ``top_k``.
    LabelError
        If the labels are too few, too many, or no class's.
    """

    backward_uses = ()
    measures = True
    batch_coupled = True

    def __init__(self, top_k: int = 1, axis: int = 1, ignore_label: int | None = None, per_class: bool = False) -> None:
        if not isinstance(top_k, (int, np.integer)) or top_k < 1:
            raise ShapeError(f"CaffeAccuracy: top_k: expected an integer of at least 1, got {top_k!r:.40}")
        self.top_k, self.axis, self.ignore_label, self.per_class = top_k, axis, ignore_label, per_class

    def build(self, in_shape: Any) -> Any:
        return ((), ()) if self.per_class else ()

    @property
    def built(self) -> bool:
        """True from the start: it has no arrays, and a graph does not know the labels' shape to build it for."""
        return True

    def forward(self, scores: Array, labels: Array) -> Any:
        at = axis_of(self.where, self.axis, scores.shape)
        positions = math.prod((*scores.shape[:at], *scores.shape[at + 1 :]))
        rows = np.moveaxis(scores, at, -1).reshape(positions, scores.shape[at])
        self.cache.shape, self.cache.zero = scores.shape, np.zeros((), scores.dtype)
        self.cache.rest = no_gradient(np.asarray(labels))
        chosen = self._labels(labels, rows)
        if self.ignore_label is not None:
            counted = chosen != self.ignore_label
            rows, chosen = rows[counted], chosen[counted]
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < rows.shape[1]):
            raise LabelError(
                f"{self.where}: expected labels from 0 to {rows.shape[1] - 1}, got {chosen.min()} to {chosen.max()}"
            )
        own = rows[np.arange(len(rows)), chosen][:, None]
        as_good = (rows >= own).sum(axis=1)  # its own score among them
        right = (as_good >= 1) & (as_good <= self.top_k)
        accuracy = np.asarray(right.mean() if right.size else 0.0, scores.dtype)
        if not self.per_class:
            return accuracy
        there, hits = (np.bincount(chosen[which], minlength=rows.shape[1]) for which in (slice(None), right))
        return accuracy, (hits / np.maximum(there, 1)).astype(scores.dtype)

    def backward(self, dy: Any = None) -> tuple[Array, Array | None]:
        c = self.cache
        return np.broadcast_to(c.zero, c.shape), c.rest

    def _labels(self, labels: Array, rows: Array) -> Array:
        labels = whole_numbers(self.where, labels).ravel()
        if labels.size != len(rows):
            raise LabelError(f"{self.where}: expected a label for each of {len(rows)} positions, got {labels.size}")
        if self.top_k > rows.shape[1]:
            raise ShapeError(f"{self.where}: the best {self.top_k} of only {rows.shape[1]} classes")
        return labels
