"""handbrew's layers that cut, join and rearrange as Caffe's."""

from __future__ import annotations

from typing import Any

from handbrew.layers import ArgMax, Concat, Flatten, Reduce, Reshape, Split, Tile

from .gathering import BatchReindex, Filter
from .map_shape import WORDS
from .passing import CaffeSplit
from .reducing import OPERATIONS, CaffeArgMax, CaffeReduction
from .shaping import CaffeConcat, CaffeReshape, CaffeSlice
from .spec import InexpressibleError
from .write_vision import Write


def _concat(layer: Any, proto: Any) -> None:
    proto.concat_param.axis = layer.axis


def _slice(layer: Any, proto: Any) -> None:
    proto.slice_param.axis = layer.axis
    proto.slice_param.slice_point.extend(layer.points)


def _tile(layer: Any, proto: Any) -> None:
    proto.tile_param.axis, proto.tile_param.tiles = layer.axis, layer.tiles


def _flatten(layer: Any, proto: Any) -> None:
    proto.flatten_param.axis, proto.flatten_param.end_axis = layer.axis, layer.end_axis


def _reshape(layer: Any, proto: Any) -> None:
    proto.reshape_param.shape.dim.extend((0, *layer.shape))


def _caffe_reshape(layer: Any, proto: Any) -> None:
    p = proto.reshape_param
    p.shape.dim.extend(layer.shape)
    p.axis, p.num_axes = layer.axis, layer.num_axes


def _reduce(layer: Any, proto: Any) -> None:
    names = {word: name for name, word in WORDS.items()}
    _reduction(proto, names[layer.operation], layer.axis, layer.scale)


def _caffe_reduction(layer: Any, proto: Any) -> None:
    _reduction(proto, layer.operation, layer.axis, layer.coeff)


def _reduction(proto: Any, operation: str, axis: int, coeff: float) -> None:
    p = proto.reduction_param
    p.operation, p.axis, p.coeff = 1 + OPERATIONS.index(operation), axis, coeff


def _arg_max(layer: Any, proto: Any) -> None:
    if not layer.keepdims:
        raise InexpressibleError("Caffe's ArgMax keeps the axis; keepdims=True does so")
    proto.argmax_param.axis = layer.axis


def _caffe_arg_max(layer: Any, proto: Any) -> None:
    p = proto.argmax_param
    p.top_k, p.out_max_val = layer.top_k, layer.out_max_val
    if layer.axis is not None:
        p.axis = layer.axis


def no_options(layer: Any, proto: Any) -> None:
    """For a layer without options."""


WRITE: dict[type, tuple[str, Write]] = {
    Concat: ("Concat", _concat),
    CaffeConcat: ("Concat", _concat),
    Split: ("Slice", _slice),
    CaffeSlice: ("Slice", _slice),
    CaffeSplit: ("Split", no_options),
    Tile: ("Tile", _tile),
    Flatten: ("Flatten", _flatten),
    Reshape: ("Reshape", _reshape),
    CaffeReshape: ("Reshape", _caffe_reshape),
    Reduce: ("Reduction", _reduce),
    CaffeReduction: ("Reduction", _caffe_reduction),
    ArgMax: ("ArgMax", _arg_max),
    CaffeArgMax: ("ArgMax", _caffe_arg_max),
    BatchReindex: ("BatchReindex", no_options),
    Filter: ("Filter", no_options),
}
