"""Layers that move numbers about, or join several arrays, as calls of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handbrew import layers as hb
from handbrew.layers import Layer

from . import plain_shape as shaping
from .call import Call, several, simple


def _reshape(layer: Any) -> Call:
    return Call(shaping.reshape, {}, {"shape": layer.out_shape})


def _slice(layer: Any) -> Call:
    at, start, stop = layer._stretch(layer.in_shape)
    return Call(shaping.cut, {}, {"axis": at, "start": (start,), "stop": (stop,)})


def _crop(layer: Any) -> Call:
    shapes = layer.in_shape if several(layer) else (layer.in_shape,)
    box = layer._box(*shapes)
    start, stop = tuple(part.start for part in box), tuple(part.stop for part in box)
    return Call(shaping.cut, {}, {"axis": 1 + len(shapes[0]) - len(box), "start": start, "stop": stop}, inputs=1)


def _split(layer: Any) -> Call:
    at, cuts = layer._cuts(layer.in_shape)
    return Call(shaping.split, {}, {"points": tuple(cuts[1:-1]), "axis": at})


def _tile(layer: Any) -> Call:
    return Call(shaping.tile, {}, {"tiles": int(layer.tiles), "axis": layer.axis % (1 + len(layer.in_shape))})


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


KINDS: dict[type[Layer], Callable[[Any], Call | None]] = {
    hb.Add: _add,
    hb.ArgMax: _arg_max,
    hb.Concat: _concat,
    hb.Crop: _crop,
    hb.Flatten: _reshape,
    hb.Maximum: simple(shaping.maximum),
    hb.Multiply: simple(shaping.multiply),
    hb.Reduce: _reduce,
    hb.Reshape: _reshape,
    hb.Slice: _slice,
    hb.Split: _split,
    hb.Tile: _tile,
    hb.Transpose: simple(shaping.transpose, axes="axes"),
}
