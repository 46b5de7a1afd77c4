"""``Loss``: the base of all losses, with the reduction and the checks of targets that they share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ._numerics import ones
from .errors import LabelError, ShapeError
from .layer import Layer
from .param import Array

FLOAT64 = np.dtype(np.float64)


class Loss(Layer):
    """A layer whose output is one number.

    ``forward(scores, target, weight=None) -> float`` and ``backward(dloss=1.0)``, which returns one
    gradient per floating input: an array, or a tuple if there are several. ``weight`` (one number per
    position) is a constant. A subclass computes the loss of each position, then::

        return self.reduce(losses, weight)        # in forward
        scale = self.scale(dloss)                 # in backward: d loss / d losses, a number or an array

    With ``reduction="mean"`` the sum of weight x loss is divided by the sum of the weights (by the
    number of positions without weights); where that is zero the loss is 0 and so is the gradient.
    With ``"sum"`` it is not divided.
    """

    takes_target = True
    batch_coupled = True
    reduction: str = "mean"
    REDUCTIONS: ClassVar[tuple[str, ...]] = ("mean", "sum")

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in self.REDUCTIONS:
            raise ValueError(f"reduction: expected one of {', '.join(self.REDUCTIONS)}, got {reduction!r}")
        self.reduction = reduction

    def build(self, in_shape: Any) -> Any:
        return ()

    @property
    def built(self) -> bool:
        return self.in_shape is not None or type(self).build is Loss.build

    def predict(self, scores: Array) -> Array:
        """What the scores mean at inference; the scores themselves unless the loss says otherwise."""
        return scores

    def correct(self, scores: Array, target: Array) -> tuple[int, int] | None:
        """Return how many of how many positions the scores have right; ``None`` if that has no meaning."""
        return None

    def reduce(self, losses: Array, weight: Array | None = None, count: Array | None = None) -> float:
        """Reduce the losses of all positions to one number, in float64.

        The mean divides by the sum of ``count``, which is ``weight`` unless given.
        """
        c, n = self.cache, losses.size
        c.weight = weight
        if weight is None:
            total = losses.reshape(n).dot(ones(n, FLOAT64))
        else:
            total = np.multiply(weight, losses, dtype=FLOAT64).sum()
        count = weight if count is None else count
        c.divisor = n if count is None else count.sum(dtype=FLOAT64)
        if self.reduction == "sum":
            c.divisor = 1
        return float(total / c.divisor) if c.divisor else 0.0

    def scale(self, dloss: float) -> Any:
        """Gradient of the reduced loss by each position's loss: a number, or an array if there are weights."""
        c = self.cache
        scale = dloss / c.divisor if c.divisor else 0.0
        return float(scale) if c.weight is None else c.weight * float(scale)

    def check_weight(self, weight: Array | None, shape: tuple[int, ...]) -> Array | None:
        """Refuse weights that are not one number per position."""
        if weight is not None and np.shape(weight) != shape:
            raise ShapeError(f"{self.where}: expected weights of shape {shape}, got {np.shape(weight)}")
        return weight

    def check_pair(self, scores: Array, target: Array) -> None:
        """Refuse a target that is not an array of the scores' own shape and of floating-point numbers."""
        if np.shape(target) != scores.shape:
            raise ShapeError(
                f"{self.where}: expected a target of the scores' shape {scores.shape}, got {np.shape(target)}"
            )
        if target.dtype.kind != "f":
            raise LabelError(
                f"{self.where}: expected floating-point targets, got {target.dtype}; "
                f"pass target.astype(np.{scores.dtype.name})"
            )

    def check_labels(self, labels: Array, shape: tuple[int, ...], classes: int, ignore: int | None = None) -> Array:
        """Return integer labels, one per position, all in range or equal to ``ignore``, as indices.

        Raises
        ------
        LabelError
            If they are not integers, of another shape, negative or beyond the last class.
        """
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu":
            fix = "" if labels.dtype.kind != "f" else "; pass labels.astype(int)"
            if labels.shape != shape and labels.dtype.kind == "f":
                fix = f", or probabilities of shape {(*shape, classes)} where the loss takes them"
            raise LabelError(
                f"{self.where}: expected integer labels of shape {shape}, got {labels.dtype} of shape {labels.shape}{fix}"
            )
        if labels.shape != shape:
            fix = "pass labels.argmax(axis=1) if they are one-hot" if labels.shape[1:] == (classes,) else ""
            fix = "pass labels[:, 0]" if labels.shape == (*shape, 1) else fix
            raise LabelError(
                f"{self.where}: expected labels of shape {shape}, got {labels.shape}{fix and '; '}{fix}"
            )
        counted = labels if ignore is None else labels[labels != ignore]
        if counted.size and (counted.item(counted.argmin()) < 0 or counted.item(counted.argmax()) >= classes):
            where = np.flatnonzero((labels < 0) | (labels >= classes) if ignore is None else
                                   ((labels < 0) | (labels >= classes)) & (labels != ignore))
            first = tuple(int(i) for i in np.unravel_index(where[0], labels.shape))
            raise LabelError(
                f"{self.where}: expected labels from 0 to {classes - 1}, got {labels[first]} at position "
                f"{first[0] if len(first) == 1 else first} ({where.size} of {labels.size} out of range)"
            )
        return labels if labels.dtype == np.intp else labels.astype(np.intp)
