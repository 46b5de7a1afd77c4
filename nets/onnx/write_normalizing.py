"""Normalisation as operators."""

from __future__ import annotations

import numpy as np

from handbrew.layers import (
    LRN,
    MVN,
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RMSNorm,
)

from .writer import Emitter, Values, Writer


def batch_norm(w: Writer, layer: BatchNorm, x: Values) -> str:
    """With the running statistics."""
    channels = layer.mean.shape
    learned = (
        [w.weight(p.name, p.data, p) for p in (layer.gamma, layer.beta)]
        if layer.affine
        else [w.constant(np.ones(channels)), w.constant(np.zeros(channels))]
    )
    kept = [w.weight(b.name, b.data, b) for b in (layer.mean, layer.var)]
    return w.op("BatchNormalization", (*x, *learned, *kept), epsilon=layer.eps, momentum=layer.momentum)


def layer_norm(w: Writer, layer: LayerNorm, x: Values) -> str:
    """Along the last axis."""
    features = layer.in_shape[-1]  # type: ignore[index]
    if isinstance(layer, RMSNorm):
        size = w.op("ReduceMean", (w.op("Mul", (*x, *x)), w.integers(-1)), keepdims=1)
        y = w.op("Div", (*x, w.op("Sqrt", (w.scaled(size, shift=layer.eps),))))
        return w.op("Mul", (y, w.weight("gamma", layer.gamma.data, layer.gamma))) if layer.affine else y
    learned = (
        [w.weight(p.name, p.data, p) for p in (layer.gamma, layer.beta)]
        if layer.affine
        else [w.constant(np.ones(features)), w.constant(np.zeros(features))]
    )
    return w.op("LayerNormalization", (*x, *learned), axis=-1, epsilon=layer.eps)


def group_norm(w: Writer, layer: GroupNorm, x: Values) -> str:
    """In groups of channels, or each channel by itself."""
    channels: int = layer.in_shape[0]  # type: ignore[index]
    learned = (
        [w.weight(p.name, p.data, p) for p in (layer.gamma, layer.beta)]
        if layer.affine
        else [w.constant(np.ones(channels)), w.constant(np.zeros(channels))]
    )
    if isinstance(layer, InstanceNorm):
        return w.op("InstanceNormalization", (*x, *learned), epsilon=layer.eps)
    return w.op("GroupNormalization", (*x, *learned), epsilon=layer.eps, num_groups=layer.groups)


def mvn(w: Writer, layer: MVN, x: Values) -> str:
    """Mean and standard deviation, step by step."""
    ndim = 1 + len(layer.in_shape or ())
    axes = w.integers(*range(1 if layer.across_channels else 2, ndim))
    d = w.op("Sub", (*x, w.op("ReduceMean", (*x, axes), keepdims=1)))
    if not layer.normalize_variance:
        return d
    v = w.op("ReduceMean", (w.op("Mul", (d, d)), axes), keepdims=1)
    inside, outside = (layer.eps, 0.0) if layer.eps_inside else (0.0, layer.eps)
    return w.op("Div", (d, w.scaled(w.op("Sqrt", (w.scaled(v, shift=inside),)), shift=outside)))


def lrn(w: Writer, layer: LRN, x: Values) -> str:
    """LRN, for odd windows over the channels of images; else its formula."""
    n = layer.size
    if not layer.within_channel and n % 2 and len(layer.in_shape or ()) == 3:
        alpha = layer.alpha if layer.average else layer.alpha * n
        return w.op("LRN", x, size=n, alpha=alpha, beta=layer.beta, bias=layer.k)
    squares, before, after = w.op("Mul", (*x, *x)), n // 2, (n - 1) // 2
    if layer.within_channel:
        kernel, pads, count = (n, n), (before, before, after, after), n * n
    else:  # the channels become rows of an image
        squares = w.op("Reshape", (squares, w.integers(0, 1, layer.in_shape[0], -1)))  # type: ignore[index]
        kernel, pads, count = (n, 1), (before, 0, after, 0), n
    mean = w.op("AveragePool", (squares,), kernel_shape=kernel, pads=pads, count_include_pad=1)
    if not layer.within_channel:
        mean = w.op("Reshape", (mean, w.integers(0, *(layer.in_shape or ()))))
    s = w.scaled(mean, layer.alpha if layer.average else layer.alpha * count, layer.k)
    return w.op("Mul", (*x, w.op("Pow", (s, w.constant(-layer.beta)))))


TABLE: dict[type, Emitter] = {
    BatchNorm: batch_norm,
    GroupNorm: group_norm,
    InstanceNorm: group_norm,
    LRN: lrn,
    LayerNorm: layer_norm,
    MVN: mvn,
    RMSNorm: layer_norm,
}
