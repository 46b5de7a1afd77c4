"""Which layers do what ONNX's softmax, losses and dropout do."""

from __future__ import annotations

from collections.abc import Mapping

from handbrew.data import FileFormatError
from handbrew.layers import Dropout, Layer, LogSoftmax, NegativeLogLikelihood, Softmax, SoftmaxCrossEntropy

from .attributes import Operator
from .classifying import OnnxDropout, OnnxNegativeLogLikelihood, OnnxSoftmax, OnnxSoftmaxCrossEntropy
from .rules import Made, Rule, axis_from_front, filled, number


def softmax(op: Operator) -> Made:
    """``Softmax`` or ``LogSoftmax``, if it is not along axis 0."""
    op.expect(1, 1)
    onwards = op.version < 13
    axis, log = op.attributes.integer("axis", 1 if onwards else -1), op.kind == "LogSoftmax"
    at, shape = axis_from_front(op, axis), op.shape(0)
    if at and shape is not None and at < len(shape) and (not onwards or at == len(shape) - 1):
        layer: Layer = LogSoftmax(at) if log else Softmax(at)
        return Made(layer, op.inputs)
    return Made(OnnxSoftmax(axis, log, onwards), op.inputs)


def loss(op: Operator) -> Made:
    """``SoftmaxCrossEntropy`` or ``NegativeLogLikelihood``, if the net ends in it."""
    op.expect(2, 3)
    a = op.attributes
    reduction, fused = a.text("reduction", "mean"), op.kind == "SoftmaxCrossEntropyLoss"
    ignore = a.integer("ignore_index", 0) if "ignore_index" in a else None
    weight = op.constant(2)
    ends = op.final and len(op.outputs) == 1 and reduction in ("mean", "sum")
    if ends and op.inputs[1] in op.given and op.inputs[0] not in op.given and (weight is not None or not op.has(2)):
        kind = SoftmaxCrossEntropy if fused else NegativeLogLikelihood
        class_weight = None if weight is None else weight.reshape(-1).tolist()
        return Made(kind(class_weight=class_weight, ignore_index=ignore, reduction=reduction), op.inputs[:2])
    if fused:
        outputs = len(op.outputs)
        return Made(OnnxSoftmaxCrossEntropy(reduction, ignore, outputs > 1), op.inputs, outputs=outputs)
    return Made(OnnxNegativeLogLikelihood(reduction, ignore), op.inputs)


def dropout(op: Operator) -> Made:
    """``Dropout``: nothing in use, and what it is in training."""
    op.expect(1, 3)
    mask = op.wants(1)
    if op.version < 12:
        rate = op.attributes.number("ratio", 0.5)
    elif op.known((1, 2)):
        found = number(op.constant(1))
        rate = 0.5 if found is None else found
    else:
        return Made(OnnxDropout(mask=mask), filled(op, 0, len(op.inputs)), outputs=1 + mask)
    if not 0 <= rate < 1:
        raise FileFormatError(f"{op.where}: expected a ratio from 0 to below 1, got {rate}")
    return Made(OnnxDropout(rate, mask), op.inputs[:1], outputs=2) if mask else Made(Dropout(rate), op.inputs[:1])


RULES: Mapping[str, Rule] = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "SoftmaxCrossEntropyLoss": loss,
    "NegativeLogLikelihoodLoss": loss,
    "Dropout": dropout,
}
