"""Caffe's functions of each element, and Softmax, as handbrew's layers."""

from __future__ import annotations

from handbrew.layers import (
    ELU,
    Abs,
    Clip,
    Dropout,
    Exp,
    Layer,
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

from .spec import Kind, Spec, short


def _relu(spec: Spec) -> Layer:
    return ReLU(short(spec.proto.relu_param.negative_slope))


def _prelu(spec: Spec) -> Layer:
    p = spec.proto.prelu_param
    if not p.HasField("filler"):
        return PReLU(p.channel_shared)
    if p.filler.type != "constant":
        raise spec.error(f"slopes begin as one constant here; expected the filler type constant, got {p.filler.type!r}")
    return PReLU(p.channel_shared, short(p.filler.value))


def _elu(spec: Spec) -> Layer:
    return ELU(short(spec.proto.elu_param.alpha))


def _swish(spec: Spec) -> Layer:
    return SiLU(short(spec.proto.swish_param.beta))


def _power(spec: Spec) -> Layer:
    p = spec.proto.power_param
    return Power(short(p.power), short(p.scale), short(p.shift))


def _exp(spec: Spec) -> Layer:
    p = spec.proto.exp_param
    return Exp(None if p.base == -1 else short(p.base), short(p.scale), short(p.shift))


def _log(spec: Spec) -> Layer:
    p = spec.proto.log_param
    return Log(None if p.base == -1 else short(p.base), short(p.scale), short(p.shift))


def _clip(spec: Spec) -> Layer:
    p = spec.proto.clip_param
    if not (p.HasField("min") and p.HasField("max")):
        raise spec.error("expected a min and a max")
    return Clip(short(p.min), short(p.max))


def _threshold(spec: Spec) -> Layer:
    return Threshold(short(spec.proto.threshold_param.threshold))


def _dropout(spec: Spec) -> Layer:
    return Dropout(short(spec.proto.dropout_param.dropout_ratio))


def _softmax(spec: Spec) -> Layer:
    return Softmax(spec.proto.softmax_param.axis)


KINDS = {
    "ReLU": Kind(_relu),
    "PReLU": Kind(_prelu),
    "ELU": Kind(_elu),
    "Sigmoid": Kind(lambda spec: Sigmoid()),
    "TanH": Kind(lambda spec: Tanh()),
    "Swish": Kind(_swish),
    "AbsVal": Kind(lambda spec: Abs()),
    "Power": Kind(_power),
    "Exp": Kind(_exp),
    "Log": Kind(_log),
    "BNLL": Kind(lambda spec: Softplus()),
    "Clip": Kind(_clip),
    "Threshold": Kind(_threshold),
    "Dropout": Kind(_dropout),
    "Softmax": Kind(_softmax),
}
