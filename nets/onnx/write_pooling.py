"""Pooling as operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import (
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    MaxPool2D,
    MaxUnpool2D,
    SpatialPyramidPool,
    StochasticPool2D,
)

from .writer import Emitter, Values, Writer


def max_pool(w: Writer, layer: MaxPool2D, x: Values) -> str | Values:
    """Maxima; indices count through each image, where ONNX's count through the whole batch."""
    attributes, _ = _windows(w, layer)
    if not layer.return_indices:
        return w.op("MaxPool", x, **attributes)
    y, places = w.ops("MaxPool", x, 2, **attributes)
    size: Any = layer.in_shape
    return y, w.op("Mod", (places, w.weight("constant", np.array(size[1] * size[2]))))


def avg_pool(w: Writer, layer: AvgPool2D, x: Values) -> str:
    """Averages; what hangs over the padded image never counts."""
    attributes, over = _windows(w, layer)
    pads, shape = layer.geometry()[2], x
    include = layer.count_include_pad and pads != (0, 0)
    if include and over:  # the padding that counts becomes part of the image
        shape = (w.op("Pad", (*x, w.integers(0, 0, *pads, 0, 0, *pads))),)
        attributes, include = attributes | {"pads": (0, 0, 0, 0) if w.any_size else (0, 0, *over)}, False
        if not w.any_size:
            attributes.pop("ceil_mode", None)
    return w.op("AveragePool", shape, count_include_pad=int(include), **attributes)


def _windows(w: Writer, layer: Any) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The attributes of windows as ``layer`` has them, and what hangs over the padded image."""
    kernel, stride, pad = layer.geometry()
    if w.any_size and layer.ceil_mode:
        return _windows_of_any_size(w, layer)
    lines = layer.lines((1, *layer.in_shape))
    over = tuple(max(0, (n.out - 1) * n.stride + n.kernel - n.size - 2 * n.pad) for n in lines)
    attributes = {"kernel_shape": kernel, "strides": stride, "pads": (*pad, *pad)}
    if any(over):
        steps = (-(-(n.size + 2 * n.pad - n.kernel) // n.stride) + 1 for n in lines)
        if all(n.out == out for n, out in zip(lines, steps, strict=True)):
            attributes["ceil_mode"] = 1
        else:  # a window is left out that not every reader leaves out
            attributes["pads"] = (*pad, *(p + o for p, o in zip(pad, over, strict=True)))
    return attributes, over


def _windows_of_any_size(w: Writer, layer: Any) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The same where it is not known what hangs over: as much as can."""
    kernel, stride, pad = layer.geometry()
    if any(p > k - s for k, s, p in zip(kernel, stride, pad, strict=True)):  # a window may be left out, or not
        w.problems.append(f"{w.path}: {layer!r}, for images of any size")
    return {"kernel_shape": kernel, "strides": stride, "pads": (*pad, *pad), "ceil_mode": 1}, stride


def stochastic_pool(w: Writer, layer: StochasticPool2D, x: Values) -> str:
    """Σ x² / Σ x, or 0 where that is 0 / 0: quotients of averages, whose counts cancel."""
    attributes, _ = _windows(w, layer)
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


TABLE: dict[type, Emitter] = {
    AvgPool2D: avg_pool,
    GlobalAvgPool2D: global_pool,
    GlobalMaxPool2D: global_pool,
    MaxPool2D: max_pool,
    MaxUnpool2D: max_unpool,
    SpatialPyramidPool: pyramid,
    StochasticPool2D: stochastic_pool,
}
