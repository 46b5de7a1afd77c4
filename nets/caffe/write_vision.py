"""handbrew's layers for images as Caffe's. Each function fills in a ``LayerParameter``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handbrew.layers import (
    LRN,
    AvgPool2D,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Crop,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool2D,
    SpatialPyramidPool,
    StochasticPool2D,
)

from .fillers import describe_filler
from .im2col import Im2col
from .map_vision import AVE, MAX, STOCHASTIC
from .spec import InexpressibleError

Write = Callable[[Any, Any], None]
POOLS = {MaxPool2D: MAX, AvgPool2D: AVE, StochasticPool2D: STOCHASTIC, GlobalMaxPool2D: MAX, GlobalAvgPool2D: AVE}


def _convolution(layer: Any, proto: Any) -> None:
    window, along = layer.window, slice(1, 2) if isinstance(layer, Conv1D) else slice(0, 2)
    if window.start != window.end:
        raise InexpressibleError(f"its padding differs, {window.start} above and left, {window.end} below and right")
    p = proto.convolution_param
    p.num_output = layer.out_channels
    _fill(p.kernel_size, window.kernel[along])
    _fill(p.stride, window.stride[along], 1)
    _fill(p.pad, window.start[along], 0)
    _fill(p.dilation, window.dilation[along], 1)
    if layer.groups > 1:
        p.group = layer.groups
    if not layer.bias:
        p.bias_term = False
    describe_filler(layer.weight_init, p.weight_filler, swapped_fans=isinstance(layer, ConvTranspose2D))
    describe_filler(layer.bias_init, p.bias_filler)


def _deconvolution(layer: Any, proto: Any) -> None:
    if layer.output_padding not in (0, (0, 0)):
        raise InexpressibleError("Caffe has no output_padding")
    _convolution(layer, proto)


def _fill(field: Any, values: tuple[int, ...], default: int | None = None) -> None:
    """One number where they are equal; none where it is the default."""
    values = values[:1] if len(set(values)) == 1 else values
    field.extend(() if values == (default,) else values)


def _pooling(layer: Any, proto: Any) -> None:
    p = proto.pooling_param
    p.pool = POOLS[type(layer)]
    kernel, stride, padding = layer.geometry()
    if not getattr(layer, "count_include_pad", True) and padding != (0, 0):
        raise InexpressibleError("Caffe counts the padding's zeros: count_include_pad=False with padding has no like")
    for (h, w), name, one in (
        (kernel, "kernel", "kernel_size"),
        (stride, "stride", "stride"),
        (padding, "pad", "pad"),
    ):
        if h == w:
            setattr(p, one, h)
        else:
            setattr(p, f"{name}_h", h)
            setattr(p, f"{name}_w", w)
    if padding == (0, 0):
        p.ClearField("pad")
    if not layer.ceil_mode:
        p.round_mode = 1


def _global_pooling(layer: Any, proto: Any) -> None:
    proto.pooling_param.pool, proto.pooling_param.global_pooling = POOLS[type(layer)], True


def _lrn(layer: Any, proto: Any) -> None:
    p = proto.lrn_param
    if layer.size % 2 == 0:
        raise InexpressibleError(f"Caffe's windows are of odd size, this one of {layer.size}")
    if layer.within_channel and layer.k != 1:
        raise InexpressibleError(f"Caffe takes 1 for k within a channel, here it is {layer.k}")
    axes = 2 if layer.within_channel else 1
    p.local_size, p.beta = layer.size, layer.beta
    p.alpha = layer.alpha if layer.average else layer.alpha * layer.size**axes
    if layer.within_channel:
        p.norm_region = 1
    else:
        p.k = layer.k


def _spp(layer: Any, proto: Any) -> None:
    proto.spp_param.pyramid_height, proto.spp_param.pool = layer.levels, AVE if layer.average else MAX


def _im2col(layer: Any, proto: Any) -> None:
    p = proto.convolution_param
    for field, value in (
        (p.kernel_size, layer.kernel_size),
        (p.stride, layer.stride),
        (p.pad, layer.padding),
        (p.dilation, layer.dilation),
    ):
        _fill(field, tuple(value) if isinstance(value, (tuple, list)) else (value,))


def _crop(layer: Any, proto: Any) -> None:
    if layer.size is not None:
        raise InexpressibleError("Caffe's Crop takes its size from a second input")
    proto.crop_param.axis = layer.axis
    proto.crop_param.offset.extend(layer.offset if isinstance(layer.offset, (tuple, list)) else [layer.offset])


WRITE: dict[type, tuple[str, Write]] = {
    Conv2D: ("Convolution", _convolution),
    Conv1D: ("Convolution", _convolution),
    ConvTranspose2D: ("Deconvolution", _deconvolution),
    MaxPool2D: ("Pooling", _pooling),
    AvgPool2D: ("Pooling", _pooling),
    StochasticPool2D: ("Pooling", _pooling),
    GlobalMaxPool2D: ("Pooling", _global_pooling),
    GlobalAvgPool2D: ("Pooling", _global_pooling),
    LRN: ("LRN", _lrn),
    SpatialPyramidPool: ("SPP", _spp),
    Im2col: ("Im2col", _im2col),
    Crop: ("Crop", _crop),
}
