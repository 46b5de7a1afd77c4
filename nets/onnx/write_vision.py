"""Products, convolution, pooling and normalisation as operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import (
    LRN,
    MVN,
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Embedding,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool2D,
    MaxUnpool2D,
    RMSNorm,
    SpatialPyramidPool,
    StochasticPool2D,
)

from .writer import Emitter, Values, Writer


def affine(w: Writer, layer: Affine, x: Values) -> str:
    """Gemm, for matrices; else a product, and a sum."""
    W = w.weight("W", layer.W.data, layer.W)
    b = (w.weight("b", layer.b.data, layer.b),) if layer.bias else ()
    if len(layer.in_shape or ()) == 1:
        return w.op("Gemm", (*x, W, *b))
    y = w.op("MatMul", (*x, W))
    return w.op("Add", (y, *b)) if b else y


def embedding(w: Writer, layer: Embedding, x: Values) -> str:
    """Rows picked out of a table."""
    w.integer_inputs.add(x[0])
    y = w.op("Gather", (w.weight("W", layer.W.data, layer.W), *x), axis=0)
    return w.op("Add", (y, w.weight("b", layer.b.data, layer.b))) if layer.bias else y


def conv(w: Writer, layer: Conv2D | ConvTranspose2D, x: Values) -> str:
    """A kernel over images or sequences, or its transpose."""
    window, n = layer.window, layer.ndim - 2
    weights = [w.weight(name, p.data, p) for name, p in (("W", layer.W), *([("b", layer.b)] if layer.bias else []))]
    transposed = isinstance(layer, ConvTranspose2D)
    return w.op(
        "ConvTranspose" if transposed else "Conv",
        (*x, *weights),
        kernel_shape=window.kernel[-n:],
        strides=window.stride[-n:],
        dilations=window.dilation[-n:],
        pads=(*window.start[-n:], *window.end[-n:]),
        group=layer.groups,
        output_padding=layer._output_padding() if isinstance(layer, ConvTranspose2D) else None,
    )


def max_pool(w: Writer, layer: MaxPool2D, x: Values) -> str | Values:
    """Maxima; indices count through each image, where ONNX's count through the whole batch."""
    attributes, _ = _windows(layer, layer.in_shape)
    if not layer.return_indices:
        return w.op("MaxPool", x, **attributes)
    y, places = w.ops("MaxPool", x, 2, **attributes)
    size: Any = layer.in_shape
    return y, w.op("Mod", (places, w.weight("constant", np.array(size[1] * size[2]))))


def avg_pool(w: Writer, layer: AvgPool2D, x: Values) -> str:
    """Averages; what hangs over the padded image never counts."""
    attributes, over = _windows(layer, layer.in_shape)
    pads, shape = layer.geometry()[2], x
    include = layer.count_include_pad and pads != (0, 0)
    if include and over:  # the padding that counts becomes part of the image
        shape = (w.op("Pad", (*x, w.integers(0, 0, *pads, 0, 0, *pads))),)
        attributes, include = attributes | {"pads": (0, 0, *over)}, False
        attributes.pop("ceil_mode", None)
    return w.op("AveragePool", shape, count_include_pad=int(include), **attributes)


def _windows(layer: Any, in_shape: Any) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The attributes of windows as ``layer`` has them over such images, and what hangs over the padded image."""
    kernel, stride, pad = layer.geometry()
    lines = layer.lines((1, *in_shape))
    over = tuple(max(0, (n.out - 1) * n.stride + n.kernel - n.size - 2 * n.pad) for n in lines)
    attributes = {"kernel_shape": kernel, "strides": stride, "pads": (*pad, *pad)}
    if any(over):
        steps = (-(-(n.size + 2 * n.pad - n.kernel) // n.stride) + 1 for n in lines)
        if all(n.out == out for n, out in zip(lines, steps, strict=True)):
            attributes["ceil_mode"] = 1
        else:  # a window is left out that not every reader leaves out
            attributes["pads"] = (*pad, *(p + o for p, o in zip(pad, over, strict=True)))
    return attributes, over


def stochastic_pool(w: Writer, layer: StochasticPool2D, x: Values) -> str:
    """Σ x² / Σ x, or 0 where that is 0 / 0: quotients of averages, whose counts cancel."""
    attributes, _ = _windows(layer, layer.in_shape)
    squares = w.op("AveragePool", (w.op("Mul", (*x, *x)),), count_include_pad=0, **attributes)
    sums = w.op("AveragePool", x, count_include_pad=0, **attributes)
    tiny = w.constant(np.finfo(w.dtype).tiny)
    return w.op("Div", (squares, w.op("Max", (sums, tiny))))


def global_pool(w: Writer, layer: GlobalAvgPool2D | GlobalMaxPool2D, x: Values) -> str:
    """One number for each channel."""
    y = w.op("GlobalAveragePool" if isinstance(layer, GlobalAvgPool2D) else "GlobalMaxPool", x)
    return y if layer.keepdims else w.op("Flatten", (y,), axis=1)


def pyramid(w: Writer, layer: SpatialPyramidPool, x: Values) -> str:
    """A pooling for each level, side by side."""
    size: Any = layer.in_shape
    parts = []
    for lines in layer._grids(size[1:]):
        ends = ((n.out - 1) * n.stride + n.kernel - n.size - n.pad for n in lines)
        attributes = {
            "kernel_shape": [n.kernel for n in lines],
            "strides": [n.stride for n in lines],
            "pads": [*(n.pad for n in lines), *(max(0, end) for end in ends)],
        }
        kind, count = ("AveragePool", 1) if layer.average else ("MaxPool", None)
        y = w.op(kind, x, count_include_pad=count, **attributes)
        parts.append(w.op("Flatten", (y,), axis=1))
    return parts[0] if len(parts) == 1 else w.op("Concat", tuple(parts), axis=1)


def max_unpool(w: Writer, layer: MaxUnpool2D, x: Values) -> str:
    """Numbers written to their places in images of zeros, each in one line."""
    channels, h, wide = layer.out_shape  # type: ignore[misc]
    n = w.op("Shape", x[:1], start=0, end=1)
    shape = w.op("Concat", (n, w.integers(channels, h * wide)), axis=0)
    zeros = w.op("ConstantOfShape", (shape,), value=w.tensor(np.zeros(1, w.dtype)))
    w.integer_inputs.add(x[1])
    rows = [w.op("Reshape", (v, w.integers(0, 0, -1))) for v in x]
    filled = w.op("ScatterElements", (zeros, rows[1], rows[0]), axis=2)
    return w.op("Reshape", (filled, w.integers(0, channels, h, wide)))


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
    Affine: affine,
    AvgPool2D: avg_pool,
    BatchNorm: batch_norm,
    Conv1D: conv,
    Conv2D: conv,
    ConvTranspose2D: conv,
    Embedding: embedding,
    GlobalAvgPool2D: global_pool,
    GlobalMaxPool2D: global_pool,
    GroupNorm: group_norm,
    InstanceNorm: group_norm,
    LRN: lrn,
    LayerNorm: layer_norm,
    MVN: mvn,
    MaxPool2D: max_pool,
    MaxUnpool2D: max_unpool,
    RMSNorm: layer_norm,
    SpatialPyramidPool: pyramid,
    StochasticPool2D: stochastic_pool,
}
