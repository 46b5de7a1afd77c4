"""Products, normalisation and activations as calls of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handbrew import layers as hb
from handbrew.layers import Layer

from . import plain_activations as activations
from . import plain_linear as linear
from . import plain_normalization as normalization
from .call import Call, Function, along_axis, learned, several, simple


def _affine(layer: Any) -> Call:
    return Call(linear.affine, learned(layer, "W", "b"))


def _embedding(layer: Any) -> Call:
    return Call(linear.embedding, learned(layer, "W", "b"))


def _scale(layer: Any) -> Call:
    if several(layer):
        axis = int(layer.axis) % (1 + len(layer.in_shape[0]))
        return Call(linear.scale, learned(layer, "b"), {"axis": axis})
    axis = int(layer.axis) % (1 + len(layer.in_shape))
    return Call(linear.scale, {"a": layer.W, **learned(layer, "b")}, {"axis": axis})


def _bias(layer: Any) -> Call:
    shape = layer.in_shape[0] if several(layer) else layer.in_shape
    return Call(linear.bias, learned(layer, "b"), {"axis": int(layer.axis) % (1 + len(shape))})


def _batch_norm(layer: Any) -> Call:
    arrays = {"mean": layer.mean, "var": layer.var, **learned(layer, "gamma", "beta")}
    return Call(normalization.batch_norm, arrays, {"eps": layer.eps})


def _group_norm(layer: Any) -> Call:
    options = {"groups": layer.groups_of(layer.in_shape[0]), "eps": layer.eps}
    return Call(normalization.group_norm, learned(layer, "gamma", "beta"), options)


def _layer_norm(layer: Any) -> Call:
    return Call(normalization.layer_norm, learned(layer, "gamma", "beta"), {"eps": layer.eps})


def _rms_norm(layer: Any) -> Call:
    return Call(normalization.rms_norm, learned(layer, "gamma"), {"eps": layer.eps})


def _mvn(layer: Any) -> Call:
    groups = layer.groups_of(layer.in_shape[0])
    if layer.normalize_variance and layer.eps_inside:
        return Call(normalization.group_norm, {}, {"groups": groups, "eps": layer.eps})
    scaled = bool(layer.normalize_variance)
    return Call(normalization.mvn, {}, {"groups": groups, "eps": layer.eps, "normalize_variance": scaled})


def _lrn(layer: Any) -> Call:
    axes = (2, 3) if layer.within_channel else (1,)
    alpha = layer.alpha / layer.size ** len(axes) if layer.average else layer.alpha
    options = {"size": int(layer.size), "alpha": alpha, "exponent": layer.beta, "k": layer.k, "axes": axes}
    return Call(normalization.lrn, {}, options)


def _normalize(layer: Any) -> Call:
    return Call(normalization.fixed_scale, {}, {"mean": layer.mean, "std": layer.std})


def _relu(layer: Any) -> Call:
    slope = layer.negative_slope
    return Call(activations.leaky_relu, {}, {"negative_slope": slope}) if slope else Call(activations.relu)


def _gelu(layer: Any) -> Call:
    return Call(activations.gelu_tanh if layer.approximate == "tanh" else activations.gelu)


def _selu(layer: Any) -> Call:
    return Call(activations.elu, {}, {"alpha": layer.alpha, "factor": layer.SCALE})


def based(function: Function) -> Callable[[Any], Call]:
    """``Exp`` and ``Log``."""

    def make(layer: Any) -> Call:
        base = {} if layer.base is None else {"base": float(layer.base)}
        return Call(function, {}, {**base, "scale": layer.scale, "shift": layer.shift})

    return make


KINDS: dict[type[Layer], Callable[[Any], Call | None]] = {
    hb.Abs: simple(activations.absolute),
    hb.Affine: _affine,
    hb.BatchNorm: _batch_norm,
    hb.Bias: _bias,
    hb.Clip: simple(activations.clip, lowest="min", highest="max"),
    hb.ELU: simple(activations.elu, alpha="alpha"),
    hb.Embedding: _embedding,
    hb.Exp: based(activations.exponential),
    hb.GELU: _gelu,
    hb.GroupNorm: _group_norm,
    hb.InstanceNorm: _group_norm,
    hb.LRN: _lrn,
    hb.LayerNorm: _layer_norm,
    hb.Log: based(activations.logarithm),
    hb.LogSoftmax: along_axis(activations.log_softmax),
    hb.MVN: _mvn,
    hb.Normalize: _normalize,
    hb.PReLU: lambda layer: Call(activations.prelu, learned(layer, "slope")),
    hb.Power: simple(activations.power, power="power", scale="scale", shift="shift"),
    hb.RMSNorm: _rms_norm,
    hb.ReLU: _relu,
    hb.SELU: _selu,
    hb.Scale: _scale,
    hb.SiLU: simple(activations.silu, factor="beta"),
    hb.Sigmoid: simple(activations.sigmoid),
    hb.Softmax: along_axis(activations.softmax),
    hb.Softplus: simple(activations.softplus),
    hb.Tanh: simple(activations.tanh),
    hb.Threshold: simple(activations.step, threshold="threshold"),
}
