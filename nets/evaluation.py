"""Loss and accuracy over a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import inference

if TYPE_CHECKING:
    from .net import Net

Array = np.ndarray[Any, np.dtype[Any]]


class Evaluation(NamedTuple):
    """What a net achieves on a data set; ``accuracy`` is ``None`` where nothing can be right or wrong."""

    loss: float
    accuracy: float | None


def evaluate(net: Net, X: Array, y: Array, batch_size: int) -> Evaluation:
    """Evaluate batch by batch; the mean is over all samples, as if they had been one batch."""
    loss = net.loss
    if loss is None:
        raise TypeError(f"{net.where}: evaluate needs a net that ends in a loss")
    if len(X) != len(y):
        raise ValueError(f"{net.where}: {len(X)} samples, but {len(y)} targets")
    total, divisor, right, counted = 0.0, 0.0, 0, 0
    with inference(net):
        for piece in pieces(len(X), batch_size):
            target = y[piece]
            scores = net.forward(X[piece])
            value = loss.forward(scores, target)
            share = float(getattr(loss.cache, "divisor", len(target)))
            total, divisor = total + value * share, divisor + share
            hits, positions = loss.correct(scores, target) or (0, 0)
            right, counted = right + hits, counted + positions
    mean = total / divisor if divisor and loss.reduction == "mean" else total
    return Evaluation(mean, right / counted if counted else None)


def pieces(length: int, batch_size: int) -> list[slice]:
    """Cut ``length`` samples into batches; no samples are none."""
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    return [slice(i, i + batch_size) for i in range(0, length, batch_size)]
