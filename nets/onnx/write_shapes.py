"""Layers that change shapes as operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import (
    ArgMax,
    Crop,
    Flatten,
    Pad2D,
    Reduce,
    Reshape,
    Slice,
    Split,
    Tile,
    Transpose,
    Upsample2D,
)

from .writer import Emitter, Values, Writer

END = 2**63 - 1  # as a stop: the axis's end, however long it is


def _at(axis: int, shape: Any) -> int:
    """An axis counted from the front."""
    return axis + 1 + len(shape) if axis < 0 else axis


def reshape(w: Writer, layer: Flatten | Reshape, x: Values) -> str:
    """Flatten, if all of a sample is made one axis; else Reshape, with axis 0 as it is."""
    shape: Any = layer.out_shape
    if len(shape) == 1:
        return w.op("Flatten", x, axis=1)
    sizes = layer.shape if w.any_size and isinstance(layer, Reshape) else shape
    return w.op("Reshape", (*x, w.integers(0, *sizes)))


def slice_(w: Writer, layer: Slice, x: Values) -> str:
    """A stretch of one axis."""
    stop = END if layer.stop is None else int(layer.stop)
    return w.op("Slice", (*x, w.integers(int(layer.start)), w.integers(stop), w.integers(layer.axis)))


def split(w: Writer, layer: Split, x: Values) -> Values:
    """All stretches of one axis."""
    at = _at(layer.axis, layer.in_shape)
    sizes = [shape[at - 1] for shape in layer.out_shape or ()]
    return w.ops("Split", (*x, w.integers(*sizes)), len(sizes), axis=at)


def crop(w: Writer, layer: Crop, x: Values) -> str:
    """A box; of a reference only the shape is used, which is known."""
    size: Any = layer.in_shape
    two = len(x) > 1
    box = layer._box(*size) if two else layer._box(size)
    last = 1 + len(size[0] if two else size)
    starts, stops = zip(*((part.start, part.stop) for part in box), strict=True)
    return w.op("Slice", (x[0], w.integers(*starts), w.integers(*stops), w.integers(*range(last - len(box), last))))


def pad(w: Writer, layer: Pad2D, x: Values) -> str:
    """A border around images."""
    width: Any = layer.padding
    each = [int(n) for n in (width if isinstance(width, (list, tuple, np.ndarray)) else [width])]
    top, bottom, left, right = each if len(each) == 4 else (each[0], each[0], each[-1], each[-1])
    value = (w.constant(layer.value),) if layer.value and layer.mode == "constant" else ()
    mode = {"replicate": "edge"}.get(layer.mode, layer.mode)
    return w.op("Pad", (*x, w.integers(0, 0, top, left, 0, 0, bottom, right), *value), mode=mode)


def tile(w: Writer, layer: Tile, x: Values) -> str:
    """Copies along one axis."""
    shape: Any = layer.in_shape
    repeats = [1] * (1 + len(shape))
    repeats[_at(layer.axis, shape)] = int(layer.tiles)
    return w.op("Tile", (*x, w.integers(*repeats)))


def upsample(w: Writer, layer: Upsample2D, x: Values) -> str:
    """Images enlarged."""
    scales = w.scales([1, 1, *layer.scales])
    if layer.mode == "nearest":
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        corners = "align_corners" if layer.align_corners else "half_pixel"
        how = {"mode": "linear", "coordinate_transformation_mode": corners}
    return w.op("Resize", (*x, "", scales), **how)


def reduce_(w: Writer, layer: Reduce, x: Values) -> str:
    """A sum over an axis and all later ones."""
    kinds = {"sum": "Sum", "mean": "Mean", "abs_sum": "L1", "square_sum": "SumSquare"}
    at, ndim = _at(layer.axis, layer.in_shape), 1 + len(layer.in_shape or ())
    y = w.op(f"Reduce{kinds[layer.operation]}", (*x, w.integers(*range(at, ndim))), keepdims=0)
    return w.scaled(y, layer.scale)


TABLE: dict[type, Emitter] = {
    ArgMax: lambda w, layer, x: w.op("ArgMax", x, axis=layer.axis, keepdims=int(layer.keepdims)),
    Crop: crop,
    Flatten: reshape,
    Pad2D: pad,
    Reduce: reduce_,
    Reshape: reshape,
    Slice: slice_,
    Split: split,
    Tile: tile,
    Transpose: lambda w, layer, x: w.op("Transpose", x, perm=(0, *layer.axes)),
    Upsample2D: upsample,
}
