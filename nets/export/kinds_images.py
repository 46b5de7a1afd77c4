"""Layers of images as calls of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from handbrew import layers as hb
from handbrew.layers import Layer

from . import plain_convolution as convolution
from . import plain_pooling as pooling
from . import plain_shape as shaping
from .call import Call, Function, learned, simple


def _window(layer: Any) -> dict[str, Any]:
    w = layer.window
    borders = (w.start[0], w.end[0], w.start[1], w.end[1])
    return {"stride": w.stride, "padding": borders, "dilation": w.dilation, "groups": layer.groups}


def _conv2d(layer: Any) -> Call:
    return Call(convolution.conv2d, learned(layer, "W", "b"), _window(layer))


def _conv1d(layer: Any) -> Call:
    w = layer.window
    one = {"stride": w.stride[1], "padding": (w.start[1], w.end[1]), "dilation": w.dilation[1], "groups": layer.groups}
    return Call(convolution.conv1d, learned(layer, "W", "b"), one)


def _conv_transpose(layer: Any) -> Call:
    options = {**_window(layer), "output_padding": layer._output_padding()}
    return Call(convolution.conv_transpose2d, learned(layer, "W", "b"), options)


def _pool(function: Function) -> Callable[[Any], Call]:
    def make(layer: Any) -> Call:
        kernel, stride, padding = layer.geometry()
        options = {"kernel": kernel, "stride": stride, "padding": padding, "ceil_mode": bool(layer.ceil_mode)}
        if function is pooling.avg_pool2d:
            options["count_include_pad"] = bool(layer.count_include_pad)
        return Call(pooling.max_pool2d_indices if getattr(layer, "return_indices", False) else function, {}, options)

    return make


def _unpool(layer: Any) -> Call:
    return Call(pooling.max_unpool2d, {}, {"size": tuple(layer.out_shape[1:])})


def _pad2d(layer: Any) -> Call:
    each = np.ravel(layer.padding).tolist()
    top, bottom, left, right = each if len(each) == 4 else [each[0], each[0], each[-1], each[-1]]
    if layer.mode == "constant":
        return Call(shaping.pad2d, {}, {"padding": (top, bottom, left, right), "value": layer.value})
    mode = {"replicate": "edge", "reflect": "reflect"}[layer.mode]
    return Call(shaping.pad2d_copying, {}, {"padding": (top, bottom, left, right), "mode": mode})


def _upsample(layer: Any) -> Call:
    if layer.mode == "nearest":
        return Call(shaping.upsample, {}, {"scale": layer.scales})
    return Call(shaping.upsample_bilinear, {}, {"scale": layer.scales, "align_corners": bool(layer.align_corners)})


def pyramid_calls(layer: Any) -> list[tuple[Call, Call]]:
    """A ``SpatialPyramidPool`` level by level: a pooling, and the flattening of it."""
    function = pooling.avg_pool2d if layer.average else pooling.max_pool2d
    calls = []
    for rows, columns in layer._grids(layer.in_shape[1:]):
        kernel, padding = (rows.kernel, columns.kernel), (rows.pad, columns.pad)
        flat = (prod((layer.in_shape[0], rows.out, columns.out)),)
        calls.append(
            (
                Call(function, {}, {"kernel": kernel, "stride": kernel, "padding": padding}),
                Call(shaping.reshape, {}, {"shape": flat}),
            )
        )
    return calls


KINDS: dict[type[Layer], Callable[[Any], Call | None]] = {
    hb.AvgPool2D: _pool(pooling.avg_pool2d),
    hb.Conv1D: _conv1d,
    hb.Conv2D: _conv2d,
    hb.ConvTranspose2D: _conv_transpose,
    hb.GlobalAvgPool2D: simple(pooling.global_avg_pool2d, keepdims="keepdims"),
    hb.GlobalMaxPool2D: simple(pooling.global_max_pool2d, keepdims="keepdims"),
    hb.MaxPool2D: _pool(pooling.max_pool2d),
    hb.MaxUnpool2D: _unpool,
    hb.Pad2D: _pad2d,
    hb.StochasticPool2D: _pool(pooling.stochastic_pool2d),
    hb.Upsample2D: _upsample,
}
