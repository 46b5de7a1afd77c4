"""Loss and accuracy over a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import Loss, inference

from .metrics import Metric

if TYPE_CHECKING:
    from .net import Net

Array = np.ndarray[Any, np.dtype[Any]]


class Evaluation(NamedTuple):
    """What a net achieves on a data set; ``accuracy`` is ``None`` where nothing can be right or wrong.

    It unpacks: ``loss, accuracy = net.evaluate(X, y)``.
    """

    loss: float
    accuracy: float | None


class RunningLoss:
    """The loss over several batches, as if they had been one: each counts by its share of the mean."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.total, self.shares = loss, 0.0, 0.0

    def add(self, value: float, samples: int) -> None:
        """Take in what ``forward`` has just returned for a batch of so many samples."""
        share = self.loss.share(samples)
        self.add_sum(value * share, share)

    def add_sum(self, total: float, shares: float) -> None:
        """Take in losses, each times its share, that were added up before, and the sum of the shares."""
        self.total, self.shares = self.total + total, self.shares + shares

    @property
    def value(self) -> float:
        """The mean, or with ``reduction="sum"`` the sum."""
        return self.total / self.shares if self.shares and self.loss.reduction == "mean" else self.total


def evaluate(
    net: Net, inputs: tuple[Array, ...], y: Array, batch_size: int, weight: Array | None, metrics: Sequence[Metric]
) -> Evaluation:
    """Evaluate batch by batch; the mean is over all samples, as if they had been one batch."""
    loss = net.loss
    if loss is None:
        raise TypeError(f"{net.where}: evaluate needs a net that ends in a loss")
    samples = len(inputs[0])
    if samples != len(y):
        raise ValueError(f"{net.where}: {samples} samples, but {len(y)} targets")
    if weight is not None and weight.shape[:1] != (samples,):
        raise ValueError(f"{net.where}: {samples} samples, but weights of shape {weight.shape}")
    for metric in metrics:
        metric.reset()
    running, right, counted = RunningLoss(loss), 0, 0
    with inference(net):
        for piece in pieces(samples, batch_size):
            target = y[piece]
            scores = net.scores(*[x[piece] for x in inputs])
            value = loss.forward(scores, target) if weight is None else loss.forward(scores, target, weight[piece])
            running.add(float(value), len(target))
            hits, positions = loss.correct(scores, target) or (0, 0)
            right, counted = right + int(hits), counted + int(positions)
            for metric in metrics:
                metric.add(scores, target)
    return Evaluation(running.value, right / counted if counted else None)


def pieces(length: int, batch_size: int) -> list[slice]:
    """Cut ``length`` samples into batches; no samples are none."""
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    return [slice(i, i + batch_size) for i in range(0, length, batch_size)]
