"""What Caffe's losses have in common: labels of any dtype, and what a sum of losses is divided by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import ClassLoss, Loss, SoftmaxCrossEntropy

from .arguments import no_gradient, whole_numbers

Array = np.ndarray[Any, np.dtype[Any]]
NORMALIZATIONS = ("VALID", "FULL", "BATCH_SIZE", "NONE")


class NormalizedLoss(Loss):
    """A loss whose sum over all positions is divided by what ``normalization`` says, and never by less than 1.

    "VALID": the positions that are not ignored (their weights' sum, if there are weights); "FULL": all positions;
    "BATCH_SIZE": the samples; "NONE": 1.
    """

    normalization: str

    def set_normalization(self, normalization: str) -> None:
        """Set how to divide.

        Raises
        ------
        ValueError
            If there is no such way.
        """
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"{type(self).__name__}: normalization: expected one of {', '.join(NORMALIZATIONS)}, "
                f"got {normalization!r:.40}"
            )
        self.normalization = normalization

    def samples(self) -> int:
        """How many samples the last scores were of; Caffe counts all axes before that of the classes."""
        raise NotImplementedError

    def reduce(self, losses: Array, weight: Any = None, count: Array | None = None) -> float:
        c, mean = self.cache, super().reduce(losses, weight, count)
        ways = {"VALID": c.divisor, "FULL": losses.size, "BATCH_SIZE": self.samples(), "NONE": 1}
        counted, c.divisor = c.divisor, max(1, ways[self.normalization])
        return mean * counted / c.divisor


class CaffeLabels(ClassLoss):
    """A loss of labels as Caffe has them: floating-point ones are cut off, and their shape only has to hold as many.

    Floating-point labels get a gradient of zeros, as every floating-point input does.
    """

    def check_labels(self, labels: Any, shape: tuple[int, ...], classes: int, ignore: int | None = None) -> Array:
        labels = whole_numbers(self.where, labels)
        if labels.size == math.prod(shape):
            labels = labels.reshape(shape)
        return super().check_labels(labels, shape, classes, ignore)

    def note_target(self, target: Any) -> None:
        """Keep what ``answer`` needs."""
        self.cache.rest = no_gradient(np.asarray(target))

    def answer(self, ds: Array) -> Any:
        """What ``backward`` returns: the gradient of the scores, and of the labels if they can have one."""
        return ds if self.cache.rest is None else (ds, self.cache.rest)


class SoftmaxFirst(NormalizedLoss, CaffeLabels, SoftmaxCrossEntropy):
    """What Caffe's two losses with a softmax inside share."""

    def __init__(self, axis: int, ignore_label: int | None, normalization: str) -> None:
        super().__init__(axis, ignore_index=ignore_label)
        self.ignore_label = ignore_label
        self.set_normalization(normalization)

    def samples(self) -> int:
        shape = self.cache.shape
        return math.prod(shape[: self.axis % len(shape)])
