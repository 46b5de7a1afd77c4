"""Caffe's losses, and Accuracy, as handbrew's layers of Caffe's conventions."""

from __future__ import annotations

from typing import Any

from handbrew.layers import Layer

from .accuracy import CaffeAccuracy
from .blobs import read_blob
from .class_losses import CaffeHingeLoss, CaffeInfogainLoss, CaffeMultinomialLoss, CaffeSoftmaxLoss
from .pair_losses import CaffeContrastiveLoss, CaffeEuclideanLoss, CaffeSigmoidLoss
from .spec import Kind, Spec, short

NORMALIZATIONS = ("FULL", "VALID", "BATCH_SIZE", "NONE")  # in the order of NormalizationMode


def _options(spec: Spec, normalization: str = "VALID") -> dict[str, Any]:
    p = spec.proto.loss_param
    if p.HasField("normalization"):
        normalization = NORMALIZATIONS[p.normalization]
    elif p.HasField("normalize"):
        normalization = "VALID" if p.normalize else "BATCH_SIZE"
    return {"ignore_label": p.ignore_label if p.HasField("ignore_label") else None, "normalization": normalization}


def _softmax_loss(spec: Spec) -> Layer:
    return CaffeSoftmaxLoss(spec.proto.softmax_param.axis, **_options(spec), probabilities=len(spec.proto.top) > 1)


def _sigmoid_loss(spec: Spec) -> Layer:
    return CaffeSigmoidLoss(**_options(spec, "BATCH_SIZE"))


def _hinge_loss(spec: Spec) -> Layer:
    return CaffeHingeLoss(f"L{spec.proto.hinge_loss_param.norm}")


def _infogain_loss(spec: Spec) -> Layer:
    p = spec.proto.infogain_loss_param
    if len(spec.proto.bottom) == 3:
        return CaffeInfogainLoss(None, p.axis, **_options(spec))
    if not p.source:
        raise spec.error("expected a third bottom with the infogain matrix, or the source of one")
    H = read_blob(p.source)
    if H.ndim < 2 or H.shape[-1] ** 2 != H.size:
        raise spec.error(f"{p.source}: expected a square matrix, got shape {H.shape}")
    return CaffeInfogainLoss(H.reshape(H.shape[-2:]), p.axis, **_options(spec))


def _contrastive_loss(spec: Spec) -> Layer:
    p = spec.proto.contrastive_loss_param
    return CaffeContrastiveLoss(short(p.margin), p.legacy_version)


def _accuracy(spec: Spec) -> Layer:
    p = spec.proto.accuracy_param
    ignored = p.ignore_label if p.HasField("ignore_label") else None
    return CaffeAccuracy(p.top_k, p.axis, ignored, per_class=len(spec.proto.top) > 1)


def _scalar(spec: Spec) -> int:
    return 0


KINDS = {
    "SoftmaxWithLoss": Kind(_softmax_loss, (2, 2), (1, 2), _scalar),
    "SigmoidCrossEntropyLoss": Kind(_sigmoid_loss, (2, 2), rank=_scalar),
    "EuclideanLoss": Kind(lambda spec: CaffeEuclideanLoss(), (2, 2), rank=_scalar),
    "ContrastiveLoss": Kind(_contrastive_loss, (3, 3), rank=_scalar),
    "HingeLoss": Kind(_hinge_loss, (2, 2), rank=_scalar),
    "MultinomialLogisticLoss": Kind(lambda spec: CaffeMultinomialLoss(), (2, 2), rank=_scalar),
    "InfogainLoss": Kind(_infogain_loss, (2, 3), rank=_scalar),
    "Accuracy": Kind(_accuracy, (2, 2), (1, 2), _scalar),
}
LOSSES = frozenset(KINDS) - {"Accuracy"}
