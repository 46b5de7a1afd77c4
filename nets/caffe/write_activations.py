"""handbrew's activations and Dropout as Caffe's layers."""

from __future__ import annotations

from typing import Any

from handbrew.layers import (
    ELU,
    Abs,
    Clip,
    Dropout,
    Exp,
    Log,
    Power,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    Threshold,
)

from .write_shape import no_options
from .write_vision import Write


def _relu(layer: Any, proto: Any) -> None:
    if layer.negative_slope:
        proto.relu_param.negative_slope = layer.negative_slope


def _prelu(layer: Any, proto: Any) -> None:
    proto.prelu_param.channel_shared = layer.shared
    proto.prelu_param.filler.value = layer.init


def _elu(layer: Any, proto: Any) -> None:
    proto.elu_param.alpha = layer.alpha


def _swish(layer: Any, proto: Any) -> None:
    proto.swish_param.beta = layer.beta


def _power(layer: Any, proto: Any) -> None:
    p = proto.power_param
    p.power, p.scale, p.shift = layer.power, layer.scale, layer.shift


def _exp(layer: Any, proto: Any) -> None:
    _with_base(layer, proto.exp_param)


def _log(layer: Any, proto: Any) -> None:
    _with_base(layer, proto.log_param)


def _with_base(layer: Any, p: Any) -> None:
    p.base, p.scale, p.shift = -1 if layer.base is None else layer.base, layer.scale, layer.shift


def _clip(layer: Any, proto: Any) -> None:
    proto.clip_param.min, proto.clip_param.max = layer.min, layer.max


def _threshold(layer: Any, proto: Any) -> None:
    proto.threshold_param.threshold = layer.threshold


def _dropout(layer: Any, proto: Any) -> None:
    proto.dropout_param.dropout_ratio = layer.rate


def _softmax(layer: Any, proto: Any) -> None:
    proto.softmax_param.axis = layer.axis


WRITE: dict[type, tuple[str, Write]] = {
    ReLU: ("ReLU", _relu),
    PReLU: ("PReLU", _prelu),
    ELU: ("ELU", _elu),
    Sigmoid: ("Sigmoid", no_options),
    Tanh: ("TanH", no_options),
    SiLU: ("Swish", _swish),
    Abs: ("AbsVal", no_options),
    Power: ("Power", _power),
    Exp: ("Exp", _exp),
    Log: ("Log", _log),
    Softplus: ("BNLL", no_options),
    Clip: ("Clip", _clip),
    Threshold: ("Threshold", _threshold),
    Dropout: ("Dropout", _dropout),
    Softmax: ("Softmax", _softmax),
}
