"""handbrew's losses as Caffe's."""

from __future__ import annotations

from typing import Any

from handbrew.layers import Contrastive, EuclideanLoss, OneVsRestHinge, SigmoidCrossEntropy, SoftmaxCrossEntropy

from .accuracy import CaffeAccuracy
from .class_losses import CaffeHingeLoss, CaffeInfogainLoss, CaffeMultinomialLoss, CaffeSoftmaxLoss
from .map_losses import NORMALIZATIONS
from .pair_losses import CaffeContrastiveLoss, CaffeEuclideanLoss, CaffeSigmoidLoss
from .spec import InexpressibleError
from .write_shape import no_options
from .write_vision import Write


def _softmax_cross_entropy(layer: Any, proto: Any) -> None:
    if layer.class_weight is not None or layer.label_smoothing:
        raise InexpressibleError("Caffe's SoftmaxWithLoss has neither class_weight nor label_smoothing")
    proto.softmax_param.axis = layer.axis
    if layer.ignore_index is not None:
        proto.loss_param.ignore_label = layer.ignore_index
    proto.loss_param.normalization = NORMALIZATIONS.index("NONE" if layer.reduction == "sum" else "VALID")


def _caffe_softmax_loss(layer: Any, proto: Any) -> None:
    proto.softmax_param.axis = layer.axis
    _options(layer, proto)


def _sigmoid_cross_entropy(layer: Any, proto: Any) -> None:
    if not isinstance(layer.pos_weight, (int, float)) or layer.pos_weight != 1:
        raise InexpressibleError("Caffe's SigmoidCrossEntropyLoss has no pos_weight")
    proto.loss_param.normalization = NORMALIZATIONS.index("NONE" if layer.reduction == "sum" else "FULL")


def _options(layer: Any, proto: Any) -> None:
    proto.loss_param.normalization = NORMALIZATIONS.index(layer.normalization)
    if layer.ignore_label is not None:
        proto.loss_param.ignore_label = layer.ignore_label


def _mean_only(layer: Any, proto: Any) -> None:
    if layer.reduction != "mean":
        raise InexpressibleError("Caffe takes the mean over the samples here, not the sum")


def _hinge(layer: Any, proto: Any) -> None:
    _mean_only(layer, proto)
    if layer.axis != 1:
        raise InexpressibleError(f"Caffe's HingeLoss has its classes on axis 1, this one on {layer.axis}")
    proto.hinge_loss_param.norm = int(layer.norm[1])


def _contrastive(layer: Any, proto: Any) -> None:
    _mean_only(layer, proto)
    proto.contrastive_loss_param.margin = layer.margin


def _caffe_contrastive(layer: Any, proto: Any) -> None:
    proto.contrastive_loss_param.margin = layer.margin
    proto.contrastive_loss_param.legacy_version = layer.legacy_version


def _infogain(layer: Any, proto: Any) -> None:
    if layer.H is not None:
        raise InexpressibleError("Caffe reads H from a file or a third input; give it as that")
    proto.infogain_loss_param.axis = layer.axis
    _options(layer, proto)


def _accuracy(layer: Any, proto: Any) -> None:
    p = proto.accuracy_param
    p.top_k, p.axis = layer.top_k, layer.axis
    if layer.ignore_label is not None:
        p.ignore_label = layer.ignore_label


WRITE: dict[type, tuple[str, Write]] = {
    SoftmaxCrossEntropy: ("SoftmaxWithLoss", _softmax_cross_entropy),
    CaffeSoftmaxLoss: ("SoftmaxWithLoss", _caffe_softmax_loss),
    SigmoidCrossEntropy: ("SigmoidCrossEntropyLoss", _sigmoid_cross_entropy),
    CaffeSigmoidLoss: ("SigmoidCrossEntropyLoss", _options),
    EuclideanLoss: ("EuclideanLoss", _mean_only),
    CaffeEuclideanLoss: ("EuclideanLoss", no_options),
    Contrastive: ("ContrastiveLoss", _contrastive),
    CaffeContrastiveLoss: ("ContrastiveLoss", _caffe_contrastive),
    OneVsRestHinge: ("HingeLoss", _hinge),
    CaffeHingeLoss: ("HingeLoss", _hinge),
    CaffeMultinomialLoss: ("MultinomialLogisticLoss", no_options),
    CaffeInfogainLoss: ("InfogainLoss", _infogain),
    CaffeAccuracy: ("Accuracy", _accuracy),
}
