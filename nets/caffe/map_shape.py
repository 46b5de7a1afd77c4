"""Caffe's layers that cut, join and rearrange blobs as handbrew's."""

from __future__ import annotations

from handbrew.layers import Concat, Flatten, Layer, Reduce, Reshape, Split, Tile

from .gathering import BatchReindex, Filter
from .passing import CaffeSplit
from .reducing import OPERATIONS, CaffeArgMax, CaffeReduction
from .shaping import CaffeConcat, CaffeReshape, CaffeSlice
from .spec import MANY, Kind, Spec, short

WORDS = {"SUM": "sum", "ASUM": "abs_sum", "SUMSQ": "square_sum", "MEAN": "mean"}  # as Reduce has them


def _concat(spec: Spec) -> Layer:
    p = spec.proto.concat_param
    axis = spec.axis(p.concat_dim if p.HasField("concat_dim") else p.axis)
    return Concat(axis) if axis > 0 and len(spec.proto.bottom) > 1 else CaffeConcat(axis)


def _slice(spec: Spec) -> Layer:
    p, tops = spec.proto.slice_param, len(spec.proto.top)
    axis = spec.axis(p.slice_dim if p.HasField("slice_dim") else p.axis)
    points = tuple(p.slice_point)
    if points and len(points) != tops - 1:
        raise spec.error(f"slice_point: expected {tops - 1} of them for {tops} tops, got {points}")
    if axis > 0 and tops > 1:
        return Split(points=points, axis=axis) if points else Split(tops, axis=axis)
    return CaffeSlice(points, axis, parts=None if points else tops)


def _tile(spec: Spec) -> Layer:
    p = spec.proto.tile_param
    return Tile(p.tiles, spec.axis(p.axis))


def _flatten(spec: Spec) -> Layer:
    p = spec.proto.flatten_param
    axis, end = spec.axis(p.axis), spec.axis(p.end_axis)
    if axis:
        return Flatten(p.axis, p.end_axis)
    if p.end_axis < -1 and end < 0:
        raise spec.error(f"end_axis: expected one from the front beside axis 0, got {p.end_axis}")
    return CaffeReshape((-1,), 0, -1 if p.end_axis == -1 else end + 1)


def _flatten_rank(spec: Spec) -> int | None:
    p = spec.proto.flatten_param
    axis, end = spec.axis(p.axis), spec.axis(p.end_axis)
    if axis >= 0 and end == -1:
        return axis + 1
    return None if spec.rank is None else spec.rank - (end - axis)


def _reshape(spec: Spec) -> Layer:
    p = spec.proto.reshape_param
    shape, whole = tuple(p.shape.dim), p.num_axes == -1
    if whole and p.axis == 0 and len(shape) > 1 and shape[0] == 0:
        return Reshape(*shape[1:])
    if whole and p.axis == 1 and shape:
        return Reshape(*shape)
    return CaffeReshape(shape, p.axis, p.num_axes)


def _reshape_rank(spec: Spec) -> int | None:
    p = spec.proto.reshape_param
    if p.num_axes == -1 and p.axis >= 0:
        return p.axis + len(p.shape.dim)
    return None if p.num_axes == -1 or spec.rank is None else spec.rank - p.num_axes + len(p.shape.dim)


def _reduction(spec: Spec) -> Layer:
    p = spec.proto.reduction_param
    axis, operation = spec.axis(p.axis), OPERATIONS[p.operation - 1]
    if axis > 0:
        return Reduce(WORDS[operation], axis, short(p.coeff))
    return CaffeReduction(operation, axis, short(p.coeff))


def _reduction_rank(spec: Spec) -> int | None:
    axis = spec.axis(spec.proto.reduction_param.axis)
    return axis if axis >= 0 else None


def _arg_max(spec: Spec) -> Layer:
    p = spec.proto.argmax_param
    return CaffeArgMax(p.top_k, p.out_max_val, p.axis if p.HasField("axis") else None)


def _arg_max_rank(spec: Spec) -> int | None:
    return spec.rank if spec.proto.argmax_param.HasField("axis") else 3


KINDS = {
    "Concat": Kind(_concat, (1, MANY)),
    "Slice": Kind(_slice, tops=(1, MANY)),
    "Split": Kind(lambda spec: CaffeSplit(len(spec.proto.top)), tops=(1, MANY)),
    "Tile": Kind(_tile),
    "Flatten": Kind(_flatten, rank=_flatten_rank),
    "Reshape": Kind(_reshape, rank=_reshape_rank),
    "Reduction": Kind(_reduction, rank=_reduction_rank),
    "ArgMax": Kind(_arg_max, rank=_arg_max_rank),
    "BatchReindex": Kind(lambda spec: BatchReindex(), (2, 2)),
    "Filter": Kind(lambda spec: Filter(), (2, MANY), (1, MANY)),
}
