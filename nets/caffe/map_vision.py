"""Caffe's layers for images as handbrew's."""

from __future__ import annotations

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
    Layer,
    MaxPool2D,
    SpatialPyramidPool,
    StochasticPool2D,
)

from .fillers import initializer
from .im2col import Im2col
from .spec import MANY, Kind, Made, Spec, short

MAX, AVE, STOCHASTIC = range(3)  # PoolMethod


def _convolution(spec: Spec) -> Layer:
    return (Conv1D if spec.rank == 3 else Conv2D)(*_window(spec), **_learned(spec))


def _deconvolution(spec: Spec) -> Layer:
    channels, kernel, stride, padding, dilation = _window(spec)
    return ConvTranspose2D(channels, kernel, stride, padding, dilation=dilation, **_learned(spec, transposed=True))


def _window(spec: Spec) -> tuple[Any, ...]:
    p = spec.proto.convolution_param
    if spec.axis(p.axis) != 1 or spec.rank not in (None, 3, 4):
        raise spec.error(
            f"handbrew convolves (N, C, H, W) and (N, C, L), channels on axis 1; here they are on axis {p.axis} "
            f"of {spec.rank or 'so many'} axes"
        )
    if not p.num_output:
        raise spec.error("expected a num_output from 1 on")
    sizes = (_sizes(spec, p, name, stem) for name, stem in _SIZES)
    return p.num_output, *sizes


_SIZES = (("kernel_size", "kernel"), ("stride", "stride"), ("pad", "pad"), ("dilation", ""))


def _sizes(spec: Spec, p: Any, name: str, stem: str) -> Any:
    """One number for both axes, or (vertical, horizontal)."""
    values = tuple(getattr(p, name))
    h, w = f"{stem}_h", f"{stem}_w"
    if stem and (p.HasField(h) or p.HasField(w)):
        if values:
            raise spec.error(f"has both {name} and {h} or {w}; give one of them")
        values = getattr(p, h), getattr(p, w)
    if not values:
        if stem == "kernel":
            raise spec.error("expected a kernel_size, or kernel_h and kernel_w")
        return 0 if name == "pad" else 1
    if len(values) > 2 or (spec.rank == 3 and len(values) > 1):
        raise spec.error(
            f"has {len(values)} values of {name}, for as many axes; handbrew convolves images and sequences"
        )
    return values[0] if len(values) == 1 else values


def _learned(spec: Spec, transposed: bool = False) -> dict[str, Any]:
    p = spec.proto.convolution_param
    same = p.weight_filler.variance_norm == 0 and not transposed
    return {
        "groups": p.group,
        "bias": p.bias_term,
        "weight_init": initializer(p.weight_filler, same_fans=same),
        "bias_init": initializer(p.bias_filler),
    }


def _pooling(spec: Spec) -> Layer:
    p = spec.proto.pooling_param
    mask = len(spec.proto.top) > 1
    if mask and p.pool != MAX:
        raise spec.error("only MAX pooling has a second top, the mask")
    kernel, stride, padding = (_pool_sizes(spec, p, name) for name in ("kernel_size", "stride", "pad"))
    if p.global_pooling:
        if kernel is not None:
            raise spec.error("has global_pooling and a kernel size; leave out one of them")
        if p.pool == STOCHASTIC:
            raise spec.error("global_pooling is of MAX or AVE, not STOCHASTIC")
        if mask:
            raise spec.error("global_pooling has one top: there is no mask of it")
        return GlobalMaxPool2D(keepdims=True) if p.pool == MAX else GlobalAvgPool2D(keepdims=True)
    if kernel is None:
        raise spec.error("expected a kernel_size, or kernel_h and kernel_w")
    up = p.round_mode == 0
    if p.pool == MAX:
        return MaxPool2D(kernel, stride, padding, ceil_mode=up, return_indices=mask)
    if p.pool == AVE:
        return AvgPool2D(kernel, stride, padding, ceil_mode=up)
    return StochasticPool2D(kernel, stride, padding, ceil_mode=up)


def _pool_sizes(spec: Spec, p: Any, name: str) -> Any:
    stem = name.removesuffix("_size")
    each = [p.HasField(f"{stem}_{axis}") for axis in "hw"]
    if not any(each):
        return getattr(p, name) if name != "kernel_size" or p.HasField(name) else None
    if not all(each) or p.HasField(name):
        raise spec.error(f"expected {name}, or both {stem}_h and {stem}_w")
    return getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w")


def _lrn(spec: Spec) -> Layer:
    p = spec.proto.lrn_param
    if p.local_size % 2 == 0:
        raise spec.error(f"local_size: expected an odd number, got {p.local_size}")
    if p.norm_region:
        return LRN(p.local_size, short(p.alpha), short(p.beta), within_channel=True)
    return LRN(p.local_size, short(p.alpha), short(p.beta), short(p.k))


def _spp(spec: Spec) -> Layer:
    p = spec.proto.spp_param
    if p.pool == STOCHASTIC:
        raise spec.error("handbrew's pyramid pools by MAX or AVE")
    if p.pyramid_height == 1:
        return GlobalAvgPool2D(keepdims=True) if p.pool == AVE else GlobalMaxPool2D(keepdims=True)
    return SpatialPyramidPool(p.pyramid_height, average=p.pool == AVE)


def _spp_rank(spec: Spec) -> int:
    return 4 if spec.proto.spp_param.pyramid_height == 1 else 2


def _im2col(spec: Spec) -> Layer:
    p = spec.proto.convolution_param
    return Im2col(*(_sizes(spec, p, name, stem) for name, stem in _SIZES))


def _crop(spec: Spec) -> Made:
    p = spec.proto.crop_param
    offset: Any = tuple(p.offset) if len(p.offset) > 1 else (*p.offset, 0)[0]
    return Crop(offset=offset, axis=spec.axis(p.axis))


KINDS = {
    "Convolution": Kind(_convolution, (1, MANY), (1, MANY), paired=True),
    "Deconvolution": Kind(_deconvolution, (1, MANY), (1, MANY), paired=True),
    "Pooling": Kind(_pooling, tops=(1, 2)),
    "LRN": Kind(_lrn),
    "SPP": Kind(_spp, rank=_spp_rank),
    "Im2col": Kind(_im2col),
    "Crop": Kind(_crop, (2, 2)),
}
