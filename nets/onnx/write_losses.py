"""Losses: what their scores mean, as operators; and, where ONNX has them, the losses themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handbrew.layers import (
    EuclideanLoss,
    Infogain,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    NegativeLogLikelihood,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)

from .writer import Emitter, Values, Writer

MEANINGS: Mapping[type, Callable[[Writer, Any, str], str]] = {
    Infogain: lambda w, loss, x: w.op("Softmax", (x,), axis=loss.axis),
    KLDivergence: lambda w, loss, x: w.op("Exp", (x,)),
    NegativeLogLikelihood: lambda w, loss, x: w.op("Exp", (x,)),
    SigmoidCrossEntropy: lambda w, loss, x: w.op("Sigmoid", (x,)),
    SoftmaxCrossEntropy: lambda w, loss, x: w.op("Softmax", (x,), axis=loss.axis),
}


def meaning(w: Writer, loss: Loss, scores: str) -> str | None:
    """What ``loss.predict`` makes of the scores; ``None`` if no operators do it."""
    for kind, write in MEANINGS.items():
        if type(loss).predict is kind.predict:  # type: ignore[attr-defined]
            return write(w, loss, scores)
    return scores if type(loss).predict is Loss.predict else None


def class_loss(w: Writer, loss: SoftmaxCrossEntropy | NegativeLogLikelihood, x: Values) -> str:
    """A loss of scores and labels: classes lie on axis 1, labels are integers."""
    fused = isinstance(loss, SoftmaxCrossEntropy)
    w.integer_inputs.add(x[1])
    smooth = isinstance(loss, SoftmaxCrossEntropy) and loss.label_smoothing
    shape = w.target_shapes[x[1]]
    w.target_shapes[x[1]] = shape[1:]
    if smooth or loss.axis not in (1, -len(shape)):
        w.problems.append(f"{loss.where}, with these arguments: {loss!r}")
        return x[0]
    weight = () if loss.class_weight is None else (w.constant(np.asarray(loss.class_weight)),)
    kind = "SoftmaxCrossEntropyLoss" if fused else "NegativeLogLikelihoodLoss"
    return w.op(kind, (*x, *weight), reduction=loss.reduction, ignore_index=loss.ignore_index)


def difference_loss(w: Writer, loss: Any, x: Values) -> str:
    """A mean, or a sum, of what is made of the differences."""
    d = w.op("Sub", x)
    each = w.op("Abs", (d,)) if isinstance(loss, MeanAbsoluteError) else w.op("Mul", (d, d))
    return w.op("ReduceMean" if loss.reduction == "mean" else "ReduceSum", (each,), keepdims=0)


def euclidean(w: Writer, loss: EuclideanLoss, x: Values) -> str:
    """The sum of squares, divided by twice the number of samples if it is a mean."""
    d = w.op("Sub", x)
    total = w.scaled(w.op("ReduceSumSquare", (d,), keepdims=0), 0.5)
    if loss.reduction != "mean":
        return total
    count = w.op("Squeeze", (w.op("Shape", x[:1], start=0, end=1),))
    return w.op("Div", (total, w.op("CastLike", (count, total))))


TABLE: dict[type, Emitter] = {
    EuclideanLoss: euclidean,
    MeanAbsoluteError: difference_loss,
    MeanSquaredError: difference_loss,
    NegativeLogLikelihood: class_loss,
    SoftmaxCrossEntropy: class_loss,
}
