"""``Loss``: the base of all losses, with the reduction and the checks that they share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._numerics import ones
from ._target_fixes import alike, fix_labels, fix_range
from .errors import LabelError, ShapeError
from .layer import Layer
from .param import Array

FLOAT64 = np.dtype(np.float64)
SLACK = 1e-3  # how far a probability may be out of range: it may have been rounded


class Loss(Layer):
    """A layer whose output is one number: the mean, or the sum, of the losses of all positions.

    ``forward(scores, target, weight=None) -> float``; ``backward(dloss=1.0)`` returns one gradient per
    floating input: an array, or a tuple if there are several. ``weight``, one number per position or per
    sample, is a constant. A position is whatever the subclass computes one loss for: a sample, a pixel, an
    element::

        class SquaredError(Loss):
            def forward(self, scores, target, weight=None):
                d = self.cache.d = scores - self.check_pair(scores, target)
                return self.reduce(d * d, weight)

            def backward(self, dloss=1.0):
                ds = 2 * self.cache.d * self.scale(dloss)
                return ds, -ds

    With ``reduction="mean"`` the sum of weight x loss is divided by the sum of the weights (without
    weights, by the number of positions); where that is zero, so are the loss and its gradient.
    """

    takes_target = True
    batch_coupled = True
    reduction: str = "mean"

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"{type(self).__name__}: expected reduction 'mean' or 'sum', got {reduction!r}")
        self.reduction = reduction

    def build(self, in_shape: Any) -> Any:
        return ()

    @property
    def built(self) -> bool:
        """True from the start, unless a subclass makes parameters."""
        return self.in_shape is not None or type(self).build is Loss.build

    def predict(self, scores: Array) -> Array:
        """What the scores mean at inference; the scores themselves unless the loss says otherwise."""
        return scores

    def correct(self, scores: Array, target: Array) -> tuple[int, int] | None:
        """Return how many of how many positions the scores have right; ``None`` if that has no meaning."""
        return None

    def reduce(self, losses: Array, weight: Any = None, count: Array | None = None) -> float:
        """Reduce the losses of all positions to one number, in float64.

        The mean divides by the sum of ``count``, which is ``weight`` unless given.
        """
        c, n = self.cache, losses.size
        if weight is None:
            c.weight = None
            total = losses.ravel().dot(ones(n, FLOAT64))
        else:
            weight = c.weight = self.check_weight(weight, losses.shape).astype(losses.dtype)
            weighted = np.zeros_like(losses, FLOAT64)
            # A position without weight counts for nothing, even if its loss is infinite.
            total = np.multiply(weight, losses, out=weighted, where=weight != 0).sum()
        if count is None:
            count = weight
        if self.reduction == "sum":
            c.divisor = 1
        else:
            c.divisor = n if count is None else float(count.sum(dtype=FLOAT64))
        return float(total / c.divisor) if c.divisor else 0.0

    def scale(self, dloss: float) -> Any:
        """Gradient of the reduced loss by each position's: a number, or with weights an array of them."""
        c = self.cache
        scale = float(dloss / c.divisor) if c.divisor else 0.0
        return scale if c.weight is None else c.weight * scale

    def share(self, samples: int) -> float:
        """Return what the last batch, of so many samples, counts for in a mean over several batches."""
        return float(getattr(self.cache, "divisor", samples))

    def check_weight(self, weight: Any, shape: tuple[int, ...]) -> Array:
        """Return the weights as an array, one number per position; one per sample, (N,), holds for all of its own.

        Raises
        ------
        ShapeError
            If they are of another shape.
        """
        weight = np.asarray(weight)
        if weight.shape == shape:
            return weight
        if weight.shape == shape[:1]:
            return np.broadcast_to(weight.reshape(-1, *[1] * (len(shape) - 1)), shape)
        per_sample = f"; one per sample are {shape[:1]}" if len(shape) > 1 else ""
        raise ShapeError(f"{self.where}: expected weights of shape {shape}, got {weight.shape}{per_sample}")

    def check_pair(self, scores: Array, target: Any) -> Array:
        """Return a target of the scores' shape, in the scores' dtype.

        Raises
        ------
        ShapeError
            If it has another shape (it is never broadcast).
        LabelError
            If it does not hold floating-point numbers.
        """
        target = np.asarray(target)
        if target.shape != scores.shape:
            fix = f"; pass target.reshape{scores.shape}" if alike(target.shape, scores.shape) else ""
            raise ShapeError(
                f"{self.where}: expected a target of the scores' shape {scores.shape}, got {target.shape}{fix}"
            )
        if target.dtype.kind != "f":
            raise LabelError(
                f"{self.where}: expected floating-point targets, got {target.dtype}; "
                f"if these are quantities, pass target.astype(np.{scores.dtype})"
            )
        return target if target.dtype == scores.dtype else target.astype(scores.dtype)

    def check_probabilities(self, scores: Array, target: Any) -> Array:
        """Return a target of the scores' shape, in the scores' dtype, that holds numbers from 0 to 1.

        Raises
        ------
        ShapeError, LabelError
            As ``check_pair``, or if a number is out of range.
        """
        target = self.check_pair(scores, target)
        wrong = ~((target >= -SLACK) & (target <= 1 + SLACK))
        if wrong.any():
            raise LabelError(
                f"{self.where}: expected probabilities from 0 to 1, got {target[wrong][0]:g} "
                f"({wrong.sum()} of {target.size} are out of range); "
                f"scores become probabilities by Softmax or Sigmoid, and -1 and 1 by (target + 1) / 2"
            )
        return target

    def check_labels(self, labels: Any, shape: tuple[int, ...], classes: int, ignore: int | None = None) -> Array:
        """Return integer labels of ``shape``, all in range or equal to ``ignore``, as indices.

        Raises
        ------
        LabelError
            If they are not integers, of another shape, negative or beyond the last class.
        """
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape != shape:
            raise LabelError(
                f"{self.where}: expected integer labels of shape {shape}, "
                f"got {labels.dtype} of shape {labels.shape}{fix_labels(labels, shape, classes)}"
            )
        counted = labels if ignore is None else labels[labels != ignore]
        if counted.size and (counted.item(counted.argmin()) < 0 or counted.item(counted.argmax()) >= classes):
            wrong = (labels < 0) | (labels >= classes)
            if ignore is not None:
                wrong &= labels != ignore
            first = tuple(np.argwhere(wrong)[0].tolist())
            raise LabelError(
                f"{self.where}: expected labels from 0 to {classes - 1}, got {labels[first]} "
                f"at position {first[0] if len(first) == 1 else first} "
                f"({wrong.sum()} of {labels.size} are out of range); "
                f"{fix_range(counted, classes)}"
            )
        return labels if labels.dtype == np.intp else labels.astype(np.intp)
