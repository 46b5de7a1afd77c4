"""Which layers do what ONNX's operators with weights, windows and statistics do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import (
    LRN,
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool2D,
    RMSNorm,
)

from .attributes import Operator, UnsupportedError
from .convolutions import OnnxConv, OnnxConvTranspose
from .normalizing import OnnxBatchNorm, OnnxGroupNorm, OnnxInstanceNorm, OnnxLayerNorm, OnnxLpNorm, OnnxMVN
from .pooling import OnnxAveragePool, OnnxGlobalPool, OnnxLpPool, OnnxMaxPool
from .products import OnnxGemm, OnnxMatMul
from .rules import Made, Rule, axis_from_front, only
from .tensors import Array


def _floats(op: Operator, *places: int) -> list[Array] | None:
    """Inputs as weights, those that are there; ``None`` unless all of them are known."""
    found = [op.constant(place) for place in places if op.has(place)]
    known = [value for value in found if value is not None and value.dtype.kind == "f"]
    return known if len(known) == len(found) else None


def gemm(op: Operator) -> Made:
    """``Affine``, if the right matrix is known."""
    op.expect(2, 3)
    a = op.attributes
    alpha, beta = a.number("alpha", 1.0), a.number("beta", 1.0)
    left, right = bool(a.integer("transA", 0)), bool(a.integer("transB", 0))
    weights = _floats(op, 1, 2)
    if weights and not left and weights[0].ndim == 2:
        W = alpha * (weights[0].T if right else weights[0])
        b = weights[1:] and beta * weights[1]
        if not op.has(2):
            return Made(Affine(W.shape[1], bias=False), op.inputs[:1], {"W": W}, W.shape[:1])
        if np.shape(b) in ((), (1,), (1, 1), (W.shape[1],), (1, W.shape[1])):
            b = np.broadcast_to(np.reshape(b, -1), W.shape[1:])
            return Made(Affine(W.shape[1]), op.inputs[:1], {"W": W, "b": b}, W.shape[:1])
    return Made(OnnxGemm(alpha, beta, left, right), op.inputs)


def matmul(op: Operator) -> Made:
    """``Affine``, if the right factor is a known matrix, and the left one vectors."""
    op.expect(2, 2)
    weights, shape = _floats(op, 1), op.shape(0)
    if weights and weights[0].ndim == 2 and shape is not None and len(shape) in (2, 3):
        W = weights[0]
        return Made(Affine(W.shape[1], bias=False), op.inputs[:1], {"W": W}, W.shape[:1])
    return Made(OnnxMatMul(), op.inputs)


def conv(op: Operator) -> Made:
    """``Conv2D`` or ``Conv1D``, if the weights are known."""
    op.expect(2, 3)
    a = op.attributes
    pads, strides, dilations = (a.integers(name) for name in ("pads", "strides", "dilations"))
    group, auto_pad = a.integer("group", 1), a.text("auto_pad", "NOTSET")
    weights, kernel = _floats(op, 1, 2), op.shape(1)
    if kernel is not None and a.integers("kernel_shape") not in (None, kernel[2:]):
        raise FileFormatError(f"{op.where}: its kernel_shape is not that of its weights {kernel}")
    if weights and kernel and len(kernel) in (3, 4) and auto_pad in ("NOTSET", "VALID"):
        n = len(kernel) - 2
        around = (0,) * 2 * n if auto_pad == "VALID" or pads is None else pads
        _expect_each(op, n, strides, dilations, around)
        W, named = weights[0], dict(zip(("W", "b"), weights, strict=False))
        size = tuple(d * (k - 1) + 1 for k, d in zip(kernel[2:], dilations or (1,) * n, strict=True))
        sample = (kernel[1] * group, *size)
        if n == 1:
            line = Conv1D(
                len(W), kernel[2], (strides or (1,))[0], around, (dilations or (1,))[0], group, len(weights) > 1
            )
            return Made(line, op.inputs[:1], named, sample)
        top, left, bottom, right = around
        padding = _short((top, bottom, left, right))
        image = Conv2D(len(W), _one(kernel[2:]), _one(strides), padding, _one(dilations), group, len(weights) > 1)
        return Made(image, op.inputs[:1], named, sample)
    return Made(OnnxConv(strides, pads, dilations, group, auto_pad), op.inputs)


def conv_transpose(op: Operator) -> Made:
    """``ConvTranspose2D``, if the weights are known."""
    op.expect(2, 3)
    a = op.attributes
    names = ("pads", "strides", "dilations", "output_padding", "output_shape")
    pads, strides, dilations, extra, size = (a.integers(name) for name in names)
    group, auto_pad = a.integer("group", 1), a.text("auto_pad", "NOTSET")
    weights, kernel = _floats(op, 1, 2), op.shape(1)
    if weights and kernel and len(kernel) == 4 and auto_pad == "NOTSET" and size is None:
        top, left, bottom, right = pads = pads or (0,) * 4
        _expect_each(op, 2, strides, dilations, pads)
        layer = ConvTranspose2D(
            kernel[1] * group,
            _one(kernel[2:]),
            _one(strides),
            _short((top, bottom, left, right)),
            _one(extra or (0, 0)),
            _one(dilations),
            group,
            len(weights) > 1,
        )
        sample = (kernel[0], 1 + top + bottom, 1 + left + right)
        return Made(layer, op.inputs[:1], dict(zip(("W", "b"), weights, strict=False)), sample)
    return Made(OnnxConvTranspose(strides, pads, dilations, group, auto_pad, extra, size), op.inputs)


def _expect_each(op: Operator, n: int, strides: object, dilations: object, pads: object) -> None:
    for what, sizes, count in (("strides", strides, n), ("dilations", dilations, n), ("pads", pads, 2 * n)):
        if sizes is not None and (not isinstance(sizes, tuple) or len(sizes) != count or min(sizes) < 0):
            raise FileFormatError(f"{op.where}: expected {count} {what}, got {sizes}")


def _one(sizes: tuple[int, ...] | None) -> int | tuple[int, ...]:
    """A pair, as one number if both are equal."""
    if sizes is None:
        return 1
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _short(padding: tuple[int, int, int, int]) -> int | tuple[int, ...]:
    """(top, bottom, left, right), in fewer numbers where these say it."""
    top, bottom, left, right = padding
    return padding if (top, left) != (bottom, right) else _one((top, left))


def pool(op: Operator) -> Made:
    """``MaxPool2D`` or ``AvgPool2D``, if the windows lie as theirs do."""
    op.expect(1, 1)
    a = op.attributes
    kernel = a.integers("kernel_shape")
    if not kernel:
        raise FileFormatError(f"{op.where}: has no kernel_shape")
    strides, pads, dilations = (a.integers(name) for name in ("strides", "pads", "dilations"))
    ceil, auto_pad = bool(a.integer("ceil_mode", 0)), a.text("auto_pad", "NOTSET")
    options = (kernel, strides, pads, dilations, ceil, auto_pad)
    if op.kind == "LpPool":
        return Made(OnnxLpPool(*options, a.integer("p", 2)), op.inputs)
    indices = op.kind == "MaxPool" and op.wants(1)
    count_pad = bool(a.integer("count_include_pad", 0))
    around = (0,) * 4 if pads is None or auto_pad == "VALID" else pads
    plain = auto_pad in ("NOTSET", "VALID") and not indices and set(dilations or (1,)) == {1}
    if plain and len(kernel) == 2 and len(around) == 4 and around[:2] == around[2:] and op.holds(0, "f"):
        stride = _one(strides)
        if all(0 <= p < k for p, k in zip(around, kernel, strict=False)):
            shape = _one(kernel), stride, _one(around[:2]), ceil
            if op.kind == "MaxPool":
                return Made(MaxPool2D(*shape), op.inputs)  # type: ignore[arg-type]
            return Made(AvgPool2D(*shape, count_pad), op.inputs)  # type: ignore[arg-type]
    if op.kind == "AveragePool":
        return Made(OnnxAveragePool(*options, count_pad), op.inputs)
    order = a.integer("storage_order", 0)
    return Made(OnnxMaxPool(*options, indices, order), op.inputs, outputs=1 + indices)


def global_pool(op: Operator) -> Made:
    """``GlobalAvgPool2D`` or ``GlobalMaxPool2D``, for images."""
    op.expect(1, 1)
    largest = op.kind == "GlobalMaxPool"
    if len(op.shape(0) or ()) == 4:
        image: Layer = GlobalMaxPool2D(keepdims=True) if largest else GlobalAvgPool2D(keepdims=True)
        return Made(image, op.inputs)
    return Made(OnnxGlobalPool(largest), op.inputs)


def batch_norm(op: Operator) -> Made:
    """``BatchNorm``, if the four vectors are known."""
    op.expect(5, 5)
    a = op.attributes
    eps, momentum = a.number("epsilon", 1e-5), a.number("momentum", 0.9)
    batch = bool(a.integer("training_mode", 0))
    only(op, 3 if batch else 1)
    weights = _floats(op, 1, 2, 3, 4)
    if weights and not batch:
        named = dict(zip(("gamma", "beta", "mean", "var"), weights, strict=True))
        return Made(BatchNorm(momentum, eps), op.inputs[:1], named, weights[0].shape)
    return Made(OnnxBatchNorm(eps, momentum, batch), op.inputs, outputs=3 if batch else 1)


def layer_norm(op: Operator) -> Made:
    """``LayerNorm`` or ``RMSNorm``, if gamma is known, and it is along the last axis."""
    op.expect(2, 3)
    a, centred = op.attributes, op.kind == "LayerNormalization"
    axis, eps = a.integer("axis", -1), a.number("epsilon", 1e-5)
    weights, shape = _floats(op, 1, 2), op.shape(0)
    if weights and shape and len(op.outputs) == 1 and axis_from_front(op, axis) == len(shape) - 1 > 0:
        gamma, *rest = weights
        if gamma.shape == shape[-1:] and all(beta.shape == gamma.shape for beta in rest):
            named = {"gamma": gamma} | ({"beta": rest[0] if rest else np.zeros_like(gamma)} if centred else {})
            return Made(LayerNorm(eps) if centred else RMSNorm(eps), op.inputs[:1], named, gamma.shape)
    outputs = len(op.outputs) if centred else 1
    return Made(OnnxLayerNorm(axis, eps, centred, outputs), op.inputs, outputs=outputs)


def group_norm(op: Operator) -> Made:
    """``GroupNorm``, if gamma and beta are known."""
    op.expect(3, 3)
    groups, eps = op.attributes.integer("num_groups", 0), op.attributes.number("epsilon", 1e-5)
    if groups < 1:
        raise FileFormatError(f"{op.where}: expected a number of groups from 1 on, got {groups}")
    weights, shape = _floats(op, 1, 2), op.shape(0)
    if weights and shape and len(shape) > 1:
        gamma, beta = weights
        if op.version < 21 and gamma.shape == beta.shape == (groups,):
            gamma, beta = (p.repeat(shape[1] // groups) for p in (gamma, beta))
        sample = (len(gamma), 2) if gamma.ndim == 1 else gamma.shape
        return Made(GroupNorm(groups, eps), op.inputs[:1], {"gamma": gamma, "beta": beta}, sample)
    return Made(OnnxGroupNorm(groups, eps), op.inputs)


def instance_norm(op: Operator) -> Made:
    """``InstanceNorm``, if gamma and beta are known."""
    op.expect(3, 3)
    eps, weights = op.attributes.number("epsilon", 1e-5), _floats(op, 1, 2)
    if weights and weights[0].ndim == 1:
        named = dict(zip(("gamma", "beta"), weights, strict=True))
        return Made(InstanceNorm(eps, affine=True), op.inputs[:1], named, (len(weights[0]), 2))
    return Made(OnnxInstanceNorm(eps), op.inputs)


def lrn(op: Operator) -> Made:
    """``LRN``."""
    op.expect(1, 1)
    a = op.attributes
    size = a.integer("size", 0)
    if size % 2 == 0:
        raise UnsupportedError(f"a window of an even size, {size}, which lies otherwise than LRN's")
    return Made(LRN(size, a.number("alpha", 1e-4), a.number("beta", 0.75), a.number("bias", 1.0)), op.inputs)


def mvn(op: Operator) -> Made:
    """Mean and variance taken away."""
    op.expect(1, 1)
    axes = op.attributes.integers("axes")
    return Made(OnnxMVN((0, 2, 3) if axes is None else axes), op.inputs)


def lp_norm(op: Operator) -> Made:
    """Vectors of length 1."""
    op.expect(1, 1)
    return Made(OnnxLpNorm(op.attributes.integer("axis", -1), op.attributes.integer("p", 2)), op.inputs)


RULES: Mapping[str, Rule] = {
    "Gemm": gemm,
    "MatMul": matmul,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "LRN": lrn,
    "MeanVarianceNormalization": mvn,
    "LpNormalization": lp_norm,
}
