"""Each layer of handbrew as a call of a plain function: which one, with which of its arrays and which options."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from handbrew import layers as hb
from handbrew.layers import Buffer, Layer

from . import plain_activations as activations
from . import plain_convolution as convolution
from . import plain_linear as linear
from . import plain_normalization as normalization
from . import plain_pooling as pooling
from . import plain_shape as shaping

Function = Callable[..., Any]


class Call(NamedTuple):
    """``y = function(x, arrays…, options…)``."""

    function: Function
    arrays: dict[str, Buffer] = {}  # by the argument's name
    options: dict[str, Any] = {}
    inputs: int | None = None  # so many of the layer's inputs are the function's; all, unless given


def call_of(layer: Layer) -> Call | None:
    """What a layer does at inference; None of one that is not known here."""
    make = _KINDS.get(type(layer))
    return None if make is None else make(layer)


def does_nothing(layer: Layer) -> bool:
    """Whether a layer is for training only."""
    return type(layer) in (hb.Dropout, hb.Dropout2D, hb.RandomCrop, hb.RandomFlip)


def _simple(function: Function, **options: str) -> Callable[[Any], Call]:
    """A layer without arrays; an option of the function's is the attribute of the layer that is named."""
    return lambda layer: Call(function, {}, {name: getattr(layer, own) for name, own in options.items()})


def _learned(layer: Any, *names: str) -> dict[str, Buffer]:
    own = {**layer._shared.params, **layer._shared.buffers}
    return {name: own[name] for name in names if name in own}


def _affine(layer: Any) -> Call:
    return Call(linear.affine, _learned(layer, "W", "b"))


def _embedding(layer: Any) -> Call:
    return Call(linear.embedding, _learned(layer, "W", "b"))


def _scale(layer: Any) -> Call | None:
    if _several(layer):
        return None
    axis = int(layer.axis) % (1 + len(layer.in_shape))
    return Call(linear.scale, {"a": layer.W, **_learned(layer, "b")}, {"axis": axis})


def _bias(layer: Any) -> Call | None:
    if _several(layer):
        return None
    return Call(linear.bias, _learned(layer, "b"), {"axis": int(layer.axis) % (1 + len(layer.in_shape))})


def _several(layer: Any) -> bool:
    """Whether it was built for several inputs."""
    return bool(layer.in_shape) and isinstance(layer.in_shape[0], tuple)


def _window(layer: Any) -> dict[str, Any]:
    w = layer.window
    borders = (w.start[0], w.end[0], w.start[1], w.end[1])
    return {"stride": w.stride, "padding": borders, "dilation": w.dilation, "groups": layer.groups}


def _conv2d(layer: Any) -> Call:
    return Call(convolution.conv2d, _learned(layer, "W", "b"), _window(layer))


def _conv1d(layer: Any) -> Call:
    w = layer.window
    one = {"stride": w.stride[1], "padding": (w.start[1], w.end[1]), "dilation": w.dilation[1], "groups": layer.groups}
    return Call(convolution.conv1d, _learned(layer, "W", "b"), one)


def _conv_transpose(layer: Any) -> Call:
    options = {**_window(layer), "output_padding": layer._output_padding()}
    return Call(convolution.conv_transpose2d, _learned(layer, "W", "b"), options)


def _pool(function: Function) -> Callable[[Any], Call]:
    def make(layer: Any) -> Call:
        kernel, stride, padding = layer.geometry()
        options = {"kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": bool(layer.ceil_mode)}
        if function is pooling.avg_pool2d:
            options["count_include_pad"] = bool(layer.count_include_pad)
        return Call(pooling.max_pool2d_indices if getattr(layer, "return_indices", False) else function, {}, options)

    return make


def _batch_norm(layer: Any) -> Call:
    arrays = {"mean": layer.mean, "var": layer.var, **_learned(layer, "gamma", "beta")}
    return Call(normalization.batch_norm, arrays, {"eps": layer.eps})


def _group_norm(layer: Any) -> Call:
    options = {"groups": layer.groups_of(layer.in_shape[0]), "eps": layer.eps}
    return Call(normalization.group_norm, _learned(layer, "gamma", "beta"), options)


def _layer_norm(layer: Any) -> Call:
    return Call(normalization.layer_norm, _learned(layer, "gamma", "beta"), {"eps": layer.eps})


def _rms_norm(layer: Any) -> Call:
    return Call(normalization.rms_norm, _learned(layer, "gamma"), {"eps": layer.eps})


def _mvn(layer: Any) -> Call:
    groups = layer.groups_of(layer.in_shape[0])
    if layer.normalize_variance and layer.eps_inside:
        return Call(normalization.group_norm, {}, {"groups": groups, "eps": layer.eps})
    scaled = bool(layer.normalize_variance)
    return Call(normalization.mvn, {}, {"groups": groups, "eps": layer.eps, "normalize_variance": scaled})


def _lrn(layer: Any) -> Call:
    axes = (2, 3) if layer.within_channel else (1,)
    alpha = layer.alpha / layer.size ** len(axes) if layer.average else layer.alpha
    options = {"size": int(layer.size), "alpha": alpha, "beta": layer.beta, "k": layer.k, "axes": axes}
    return Call(normalization.lrn, {}, options)


def _normalize(layer: Any) -> Call:
    return Call(normalization.fixed_scale, {}, {"mean": layer.mean, "std": layer.std})


def _gelu(layer: Any) -> Call:
    return Call(activations.gelu_tanh if layer.approximate == "tanh" else activations.gelu)


def _selu(layer: Any) -> Call:
    return Call(activations.elu, {}, {"alpha": layer.alpha, "factor": layer.SCALE})


def _along_axis(function: Function) -> Callable[[Any], Call]:
    return lambda layer: Call(function, {}, {"axis": layer.axis % (1 + len(layer.in_shape))})


def _based(function: Function) -> Callable[[Any], Call]:
    def make(layer: Any) -> Call:
        base = {} if layer.base is None else {"base": float(layer.base)}
        return Call(function, {}, {**base, "scale": layer.scale, "shift": layer.shift})

    return make


def _reshape(layer: Any) -> Call:
    return Call(shaping.reshape, {}, {"shape": layer.out_shape})


def _slice(layer: Any) -> Call:
    at, start, stop = layer._stretch(layer.in_shape)
    return Call(shaping.cut, {}, {"axis": at, "start": (start,), "stop": (stop,)})


def _crop(layer: Any) -> Call:
    shapes = layer.in_shape if _several(layer) else (layer.in_shape,)
    box = layer._box(*shapes)
    start, stop = tuple(part.start for part in box), tuple(part.stop for part in box)
    return Call(shaping.cut, {}, {"axis": 1 + len(shapes[0]) - len(box), "start": start, "stop": stop}, inputs=1)


def _split(layer: Any) -> Call:
    at, cuts = layer._cuts(layer.in_shape)
    return Call(shaping.split, {}, {"points": tuple(cuts[1:-1]), "axis": at})


def _pad2d(layer: Any) -> Call:
    each = np.ravel(layer.padding).tolist()
    top, bottom, left, right = each if len(each) == 4 else [each[0], each[0], each[-1], each[-1]]
    if layer.mode == "constant":
        return Call(shaping.pad2d, {}, {"padding": (top, bottom, left, right), "value": layer.value})
    mode = {"replicate": "edge", "reflect": "reflect"}[layer.mode]
    return Call(shaping.pad2d_copying, {}, {"padding": (top, bottom, left, right), "mode": mode})


def _tile(layer: Any) -> Call:
    return Call(shaping.tile, {}, {"tiles": int(layer.tiles), "axis": layer.axis % (1 + len(layer.in_shape))})


def _upsample(layer: Any) -> Call:
    if layer.mode == "nearest":
        return Call(shaping.upsample, {}, {"scale": layer.scales})
    return Call(shaping.upsample_bilinear, {}, {"scale": layer.scales, "align_corners": bool(layer.align_corners)})


def _reduce(layer: Any) -> Call:
    axis = layer.axis % (1 + len(layer.in_shape))
    return Call(shaping.reduce, {}, {"operation": layer.operation, "axis": axis, "scale": layer.scale})


def _arg_max(layer: Any) -> Call:
    axis = layer.axis % (1 + len(layer.in_shape))
    return Call(shaping.arg_max, {}, {"axis": axis, "keepdims": bool(layer.keepdims)})


def _add(layer: Any) -> Call:
    a = layer.coefficients
    return Call(shaping.add, {}, {"coefficients": None if a is None else tuple(map(float, a))})


def _concat(layer: Any) -> Call:
    return Call(shaping.concat, {}, {"axis": layer.axis % (1 + len(layer.in_shape[0]))})


def _unpool(layer: Any) -> Call:
    return Call(pooling.max_unpool2d, {}, {"size": tuple(layer.out_shape[1:])})


_KINDS: dict[type[Layer], Callable[[Any], Call | None]] = {
    hb.Abs: _simple(activations.absolute),
    hb.Add: _add,
    hb.Affine: _affine,
    hb.ArgMax: _arg_max,
    hb.AvgPool2D: _pool(pooling.avg_pool2d),
    hb.BatchNorm: _batch_norm,
    hb.Bias: _bias,
    hb.Clip: _simple(activations.clip, lowest="min", highest="max"),
    hb.Concat: _concat,
    hb.Conv1D: _conv1d,
    hb.Conv2D: _conv2d,
    hb.ConvTranspose2D: _conv_transpose,
    hb.Crop: _crop,
    hb.ELU: _simple(activations.elu, alpha="alpha"),
    hb.Embedding: _embedding,
    hb.Exp: _based(activations.exponential),
    hb.Flatten: _reshape,
    hb.GELU: _gelu,
    hb.GlobalAvgPool2D: _simple(pooling.global_avg_pool2d, keepdims="keepdims"),
    hb.GlobalMaxPool2D: _simple(pooling.global_max_pool2d, keepdims="keepdims"),
    hb.GroupNorm: _group_norm,
    hb.InstanceNorm: _group_norm,
    hb.LRN: _lrn,
    hb.LayerNorm: _layer_norm,
    hb.Log: _based(activations.logarithm),
    hb.LogSoftmax: _along_axis(activations.log_softmax),
    hb.MVN: _mvn,
    hb.MaxPool2D: _pool(pooling.max_pool2d),
    hb.MaxUnpool2D: _unpool,
    hb.Maximum: _simple(shaping.maximum),
    hb.Multiply: _simple(shaping.multiply),
    hb.Normalize: _normalize,
    hb.PReLU: lambda layer: Call(activations.prelu, _learned(layer, "slope")),
    hb.Pad2D: _pad2d,
    hb.Power: _simple(activations.power, power="power", scale="scale", shift="shift"),
    hb.RMSNorm: _rms_norm,
    hb.ReLU: _simple(activations.relu, negative_slope="negative_slope"),
    hb.Reduce: _reduce,
    hb.Reshape: _reshape,
    hb.SELU: _selu,
    hb.Scale: _scale,
    hb.SiLU: _simple(activations.silu, beta="beta"),
    hb.Sigmoid: _simple(activations.sigmoid),
    hb.Slice: _slice,
    hb.Softmax: _along_axis(activations.softmax),
    hb.Softplus: _simple(activations.softplus),
    hb.Split: _split,
    hb.StochasticPool2D: _pool(pooling.stochastic_pool2d),
    hb.Tanh: _simple(activations.tanh),
    hb.Threshold: _simple(activations.step, threshold="threshold"),
    hb.Tile: _tile,
    hb.Transpose: _simple(shaping.transpose, axes="axes"),
    hb.Upsample2D: _upsample,
}


def pyramid_calls(layer: Any) -> list[tuple[Call, Call]]:
    """A ``SpatialPyramidPool`` level by level: a pooling, and the flattening of it."""
    function = pooling.avg_pool2d if layer.average else pooling.max_pool2d
    calls = []
    for rows, columns in layer._grids(layer.in_shape[1:]):
        kernel, padding = (rows.kernel, columns.kernel), (rows.pad, columns.pad)
        flat = (prod((layer.in_shape[0], rows.out, columns.out)),)
        calls.append((
            Call(function, {}, {"kernel": kernel, "stride": kernel, "padding": padding}),
            Call(shaping.reshape, {}, {"shape": flat}),
        ))
    return calls
