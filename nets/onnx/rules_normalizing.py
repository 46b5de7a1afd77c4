"""Which layers do what ONNX's operators that normalise do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import (
    LRN,
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
)

from .attributes import Operator, UnsupportedError
from .batch_normalizing import OnnxBatchNorm, OnnxLpNorm, OnnxMVN
from .normalizing import OnnxGroupNorm, OnnxInstanceNorm, OnnxLayerNorm
from .rules import Made, Rule, axis_from_front, only
from .rules_products import weights_of


def batch_norm(op: Operator) -> Made:
    """``BatchNorm``, if the four vectors are known."""
    op.expect(5, 5)
    a = op.attributes
    eps, momentum = a.number("epsilon", 1e-5), a.number("momentum", 0.9)
    batch = bool(a.integer("training_mode", 0))
    only(op, 3 if batch else 1)
    weights = weights_of(op, 1, 2, 3, 4)
    if weights and not batch:
        named = dict(zip(("gamma", "beta", "mean", "var"), weights, strict=True))
        return Made(BatchNorm(momentum, eps), op.inputs[:1], named, weights[0].shape)
    return Made(OnnxBatchNorm(eps, momentum, batch), op.inputs, outputs=3 if batch else 1)


def layer_norm(op: Operator) -> Made:
    """``LayerNorm`` or ``RMSNorm``, if gamma is known, and it is along the last axis."""
    op.expect(2, 3)
    a, centred = op.attributes, op.kind == "LayerNormalization"
    axis, eps = a.integer("axis", -1), a.number("epsilon", 1e-5)
    weights, shape = weights_of(op, 1, 2), op.shape(0)
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
    weights, shape = weights_of(op, 1, 2), op.shape(0)
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
    eps, weights = op.attributes.number("epsilon", 1e-5), weights_of(op, 1, 2)
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
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "LRN": lrn,
    "MeanVarianceNormalization": mvn,
    "LpNormalization": lp_norm,
}
