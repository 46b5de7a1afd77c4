"""Losses as calls of plain functions, and what their scores mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew import layers as hb
from handbrew.layers import Layer

from ..caffe import CaffeEuclideanLoss, CaffeSoftmaxLoss
from . import plain_activations as activations
from . import plain_caffe as caffe
from . import plain_errors as errors
from . import plain_losses as losses
from .call import Call

_PLAIN: dict[
    type[Layer], tuple[Callable[..., Any], tuple[str, ...]]
] = {  # the function, and the options that are attributes of the same name
    hb.SoftmaxCrossEntropy: (
        losses.weighted_cross_entropy,
        ("axis", "class_weight", "ignore_index", "label_smoothing", "reduction"),
    ),
    hb.NegativeLogLikelihood: (
        losses.negative_log_likelihood,
        ("axis", "class_weight", "ignore_index", "reduction"),
    ),
    hb.SigmoidCrossEntropy: (errors.sigmoid_cross_entropy, ("pos_weight", "reduction")),
    hb.MeanSquaredError: (errors.mean_squared_error, ("reduction",)),
    hb.EuclideanLoss: (errors.euclidean_loss, ("reduction",)),
    CaffeEuclideanLoss: (caffe.caffe_euclidean_loss, ()),
    hb.MeanAbsoluteError: (errors.mean_absolute_error, ("reduction",)),
    hb.Huber: (errors.huber, ("delta", "reduction")),
    hb.MulticlassHinge: (losses.multiclass_hinge, ("margin", "axis", "reduction")),
    hb.OneVsRestHinge: (losses.one_vs_rest_hinge, ("norm", "axis", "reduction")),
}


def loss_call(loss: Layer, ndim: int) -> Call | None:
    """The loss of scores with so many axes; None of one that is not known here."""
    if type(loss) is CaffeSoftmaxLoss:
        how = {"ignore_label": loss.ignore_label, "normalization": loss.normalization}
        return Call(caffe.caffe_softmax_loss, {}, {"axis": loss.axis % ndim, **how})
    if type(loss) not in _PLAIN:
        return None
    function, names = _PLAIN[type(loss)]
    options: dict[str, Any] = {name: getattr(loss, name) for name in names}
    if "axis" in options:
        options["axis"] %= ndim
    if options.get("class_weight") is not None:
        options["class_weight"] = tuple(np.ravel(options["class_weight"]).tolist())
    if type(loss) is hb.SoftmaxCrossEntropy:
        plain = hb.SoftmaxCrossEntropy(axis=loss.axis)
        if loss.config() == plain.config():
            return Call(losses.softmax_cross_entropy, {}, {"axis": options["axis"]})
    if np.ndim(options.get("pos_weight", 0)):
        return None
    return Call(function, {}, options)


def meaning_call(loss: Layer | None, ndim: int) -> Call | None:
    """What makes probabilities of scores; None where the scores mean themselves, or nobody knows."""
    if isinstance(loss, hb.SoftmaxCrossEntropy):
        return Call(activations.softmax, {}, {"axis": loss.axis % ndim})
    if isinstance(loss, hb.SigmoidCrossEntropy):
        return Call(activations.sigmoid)
    if isinstance(loss, (hb.NegativeLogLikelihood, hb.KLDivergence)):
        return Call(activations.exponential)
    return None


def is_known(loss: hb.Loss) -> bool:
    """Whether a loss's ``predict`` is what ``meaning_call`` says, and no other."""
    known = (hb.SoftmaxCrossEntropy, hb.SigmoidCrossEntropy, hb.NegativeLogLikelihood, hb.KLDivergence, hb.Loss)
    return type(loss).predict in [kind.predict for kind in known]
