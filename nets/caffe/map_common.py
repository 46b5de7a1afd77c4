"""Caffe's layers with weights, of statistics and of several bottoms as handbrew's."""

from __future__ import annotations

from typing import Any

from handbrew.layers import (
    MVN,
    Add,
    Affine,
    Bias,
    Constant,
    Flatten,
    Layer,
    Maximum,
    Multiply,
    Scale,
    Zeros,
)

from .batch_norm import CaffeBatchNorm
from .fillers import initializer
from .gathering import CaffeEmbed
from .inner_product import InnerProduct
from .sources import DummyData, Parameter, Silence
from .spec import MANY, Kind, Made, Spec, short

PROD, SUM, MAX = range(3)  # EltwiseOp


def _inner_product(spec: Spec) -> Made:
    p = spec.proto.inner_product_param
    if not p.num_output:
        raise spec.error("expected a num_output from 1 on")
    axis = spec.axis(p.axis)
    simple = not p.transpose and (axis == 1 or (axis, spec.rank) == (2, 3))
    learned: dict[str, Any] = {
        "bias": p.bias_term,
        "weight_init": initializer(p.weight_filler, transposed=True, same_fans=not p.transpose),
        "bias_init": initializer(p.bias_filler),
    }
    if not simple:
        return InnerProduct(p.num_output, axis, p.transpose, **learned)
    affine = Affine(p.num_output, **learned)
    return affine if spec.rank is not None and axis == spec.rank - 1 else (Flatten(), affine)


def _inner_product_rank(spec: Spec) -> int | None:
    axis = spec.axis(spec.proto.inner_product_param.axis)
    return axis + 1 if axis >= 0 else None


def _embed(spec: Spec) -> Layer:
    p = spec.proto.embed_param
    return CaffeEmbed(p.input_dim, p.num_output, p.bias_term, initializer(p.weight_filler), initializer(p.bias_filler))


def _embed_rank(spec: Spec) -> int | None:
    return None if spec.rank is None else spec.rank + 1


def _batch_norm(spec: Spec) -> Layer:
    p = spec.proto.batch_norm_param
    fixed = p.use_global_stats if p.HasField("use_global_stats") else None
    return CaffeBatchNorm(short(p.moving_average_fraction), short(p.eps), fixed)


def _scale(spec: Spec) -> Layer:
    p = spec.proto.scale_param
    weight = initializer(p.filler) if p.HasField("filler") else Constant(1.0)
    return Scale(spec.axis(p.axis), p.num_axes, p.bias_term, weight, initializer(p.bias_filler))


def _bias(spec: Spec) -> Layer:
    p = spec.proto.bias_param
    return Bias(spec.axis(p.axis), p.num_axes, initializer(p.filler))


def _mvn(spec: Spec) -> Layer:
    p = spec.proto.mvn_param
    return MVN(p.across_channels, p.normalize_variance, short(p.eps))


def _eltwise(spec: Spec) -> Layer:
    p = spec.proto.eltwise_param
    coefficients = tuple(map(short, p.coeff))
    if coefficients and (p.operation != SUM or len(coefficients) != len(spec.proto.bottom)):
        raise spec.error(f"coeff: is for SUM, one for each of {len(spec.proto.bottom)} bottoms, got {coefficients}")
    if p.operation == SUM:
        return Add(coefficients if any(a != 1 for a in coefficients) else None)
    return Multiply() if p.operation == PROD else Maximum()


def _parameter(spec: Spec) -> Layer:
    return Parameter(tuple(spec.proto.parameter_param.shape.dim))


def _dummy_data(spec: Spec) -> Layer:
    p, tops = spec.proto.dummy_data_param, len(spec.proto.top)
    shapes = [tuple(shape.dim) for shape in p.shape] or list(zip(p.num, p.channels, p.height, p.width, strict=False))
    inits = [initializer(filler) for filler in p.data_filler] or [Zeros()]
    if len(shapes) not in (1, tops) or len(inits) not in (1, tops):
        raise spec.error(f"expected one shape and at most one data_filler, or one for each of {tops} tops")
    return DummyData(tuple(_each(shapes, tops)), tuple(_each(inits, tops)))


def _each(values: list[Any], count: int) -> list[Any]:
    return values if len(values) == count else values * count


KINDS = {
    "InnerProduct": Kind(_inner_product, rank=_inner_product_rank),
    "Embed": Kind(_embed, rank=_embed_rank),
    "BatchNorm": Kind(_batch_norm),
    "Scale": Kind(_scale, (1, 2)),
    "Bias": Kind(_bias, (1, 2)),
    "MVN": Kind(_mvn),
    "Eltwise": Kind(_eltwise, (2, MANY)),
    "Parameter": Kind(_parameter, (0, 0), rank=lambda spec: len(spec.proto.parameter_param.shape.dim)),
    "DummyData": Kind(_dummy_data, (0, 0), (1, MANY), rank=lambda spec: None),
    "Silence": Kind(lambda spec: Silence(), (1, MANY), (0, 0)),
    "HDF5Output": Kind(lambda spec: Silence(), (1, MANY), (0, 0)),  # it would only write a file
}
