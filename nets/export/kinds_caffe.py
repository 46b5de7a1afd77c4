"""Layers with Caffe's conventions as calls of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from handbrew.layers import Layer

from .. import caffe
from . import plain_caffe as plain
from . import plain_linear as linear
from . import plain_shape as shaping
from .call import Call, learned, several, simple

OPERATIONS = {"SUM": "sum", "MEAN": "mean", "ASUM": "abs_sum", "SUMSQ": "square_sum"}


def _batch_norm(layer: Any) -> Call | None:
    if layer.use_global_stats is False:
        return None  # statistics of the batch, in use too
    return Call(plain.caffe_batch_norm, learned(layer, "sum_mean", "sum_var", "weight"), {"eps": layer.eps})


def _inner_product(layer: Any) -> Call:
    axis = layer.axis % (1 + len(layer.in_shape))
    return Call(plain.inner_product, learned(layer, "W", "b"), {"axis": axis, "transpose": bool(layer.transpose)})


def _reshape(layer: Any) -> Call | None:
    if prod(layer.out_shape) == prod(layer.in_shape):
        return Call(shaping.reshape, {}, {"shape": layer.out_shape})
    free = layer.axis == 0 and layer.shape[:1] == (-1,)  # or the number of samples would be fixed
    return Call(plain.regroup, {}, {"shape": layer.out_shape}) if free else None


def _axis(layer: Any) -> int:
    """Of an array with samples; 0 is the samples'."""
    shape = layer.in_shape[0] if several(layer) else layer.in_shape
    return int(layer.axis % (1 + len(shape)))


def _concat(layer: Any) -> Call:
    return Call(shaping.concat, {}, {"axis": _axis(layer)})


def _slice(layer: Any) -> Call | None:
    axis = _axis(layer)
    if axis == 0:
        return None  # which samples go where depends on how many there are
    cuts = layer._cuts(layer.in_shape[axis - 1])
    if len(cuts) == 2:
        return Call(shaping.cut, {}, {"axis": axis, "start": (0,), "stop": (cuts[1],)})
    return Call(shaping.split, {}, {"points": tuple(cuts[1:-1]), "axis": axis})


def _reduction(layer: Any) -> Call | None:
    axis = _axis(layer)
    if axis == 0:
        return None  # one number of all samples
    return Call(shaping.reduce, {}, {"operation": OPERATIONS[layer.operation], "axis": axis, "scale": layer.coeff})


def _arg_max(layer: Any) -> Call | None:
    options = {"top_k": layer.top_k, "values": bool(layer.out_max_val)}
    if layer.axis is None:
        return Call(plain.largest_of_all, {}, options)
    return Call(plain.largest, {}, {**options, "axis": _axis(layer)}) if _axis(layer) else None


KINDS: dict[type[Layer], Callable[[Any], Call | None]] = {
    caffe.CaffeArgMax: _arg_max,
    caffe.CaffeBatchNorm: _batch_norm,
    caffe.CaffeConcat: _concat,
    caffe.CaffeEmbed: lambda layer: Call(linear.embedding, learned(layer, "W", "b")),
    caffe.CaffeReduction: _reduction,
    caffe.CaffeReshape: _reshape,
    caffe.CaffeSlice: _slice,
    caffe.InnerProduct: _inner_product,
    caffe.Parameter: lambda layer: Call(plain.parameter, learned(layer, "W")),
    caffe.StopGradient: simple(plain.stop_gradient),
}
