"""Which layers do what ONNX's operators on parts, copies and indices of arrays do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Concat, Embedding, Split

from .attributes import Operator, UnsupportedError
from .gathering import OnnxGather, OnnxScatter
from .joining import OnnxConcat, OnnxExpand, OnnxSplit, OnnxTile
from .padding import OnnxPad
from .rules import Made, Rule, axis_from_front, filled, number
from .slicing import OnnxSlice
from .unpooling import OnnxMaxUnpool


def concat(op: Operator) -> Made:
    """``Concat``, if it is of batches of floats, and not along axis 0."""
    op.expect(1, 10_000)
    axis = op.attributes.integer("axis", 1)
    at = axis_from_front(op, axis)
    floats = all(op.holds(i, "f") and op.constant(i) is None for i in range(len(op.inputs)))
    if at and floats and len(op.inputs) > 1 and len({(op.shape(i) or (0,))[0] for i in range(len(op.inputs))}) == 1:
        return Made(Concat(at), op.inputs)
    return Made(OnnxConcat(axis), op.inputs)


def split(op: Operator) -> Made:
    """``Split``, if the parts are known, and it is not along axis 0."""
    op.expect(1, 2)
    axis, count = op.attributes.integer("axis", 0), len(op.outputs)
    sizes = op.argument(1) if op.has(1) else op.attributes.integers("split")
    if op.has(1) and sizes is None:
        return Made(OnnxSplit(axis, count), op.inputs, outputs=count)
    if op.attributes.integer("num_outputs", count) != count:
        raise FileFormatError(f"{op.where}: its num_outputs is not the number of its outputs, {count}")
    at, shape = axis_from_front(op, axis), op.shape(0)
    if at and shape is not None and at < len(shape) and count > 1 and op.holds(0, "f"):
        if sizes is not None and len(sizes) == count and sum(sizes) == shape[at] and min(sizes) > 0:
            points = tuple(int(n) for n in np.cumsum(sizes)[:-1])
            return Made(Split(points=points, axis=at), op.inputs[:1], outputs=count)
        if sizes is None and shape[at] % count == 0 and shape[at]:
            return Made(Split(count, axis=at), op.inputs[:1], outputs=count)
    return Made(OnnxSplit(axis, count, sizes), op.inputs[:1], outputs=count)


def slice_(op: Operator) -> Made:
    """A part along some axes."""
    a = op.attributes
    if op.version < 10:
        op.expect(1, 1)
        return Made(OnnxSlice(a.integers("starts") or (), a.integers("ends") or (), a.integers("axes")), op.inputs)
    op.expect(3, 5)
    if op.known(range(1, 5)):
        return Made(OnnxSlice(*(op.argument(i) for i in range(1, 5))), op.inputs[:1])
    return Made(OnnxSlice(), filled(op, 0, 5))


def pad(op: Operator) -> Made:
    """A border."""
    a = op.attributes
    mode = a.text("mode", "constant")
    if op.version < 11:
        op.expect(1, 1)
        return Made(OnnxPad(a.integers("pads") or (), mode, a.number("value", 0.0)), op.inputs)
    op.expect(2, 4)
    if op.known((1, 2, 3)):
        value = number(op.constant(2))
        return Made(OnnxPad(op.argument(1), mode, value or 0.0, op.argument(3)), op.inputs[:1])
    return Made(OnnxPad(mode=mode), filled(op, 0, 4))


def tile(op: Operator) -> Made:
    """Copies side by side, or of axes of size 1."""
    op.expect(2, 2)
    layer: Any = OnnxTile if op.kind == "Tile" else OnnxExpand
    given = op.argument(1)
    return Made(layer(), op.inputs) if given is None else Made(layer(given), op.inputs[:1])


def gather(op: Operator) -> Made:
    """``Embedding``, for rows of a known table; else elements picked by their indices."""
    op.expect(2, 2)
    table = op.constant(0)
    rows = op.kind == "Gather" and op.attributes.integer("axis", 0) == 0 and op.constant(1) is None
    if rows and table is not None and table.ndim == 2 and table.dtype.kind == "f" and op.shape(1):
        return Made(Embedding(*table.shape), op.inputs[1:], {"W": table})
    return Made(OnnxGather(op.attributes.integer("axis", 0), op.kind == "GatherElements"), op.inputs)


def scatter(op: Operator) -> Made:
    """Elements put where their indices say."""
    op.expect(3, 3)
    if op.attributes.text("reduction", "none") != "none":
        raise UnsupportedError("elements that are combined with those that are there")
    return Made(OnnxScatter(op.attributes.integer("axis", 0)), op.inputs)


def max_unpool(op: Operator) -> Made:
    """Maxima put back where they were."""
    op.expect(2, 3)
    a = op.attributes
    kernel = a.integers("kernel_shape") or ()
    strides = a.integers("strides") or (1,) * len(kernel)
    return Made(OnnxMaxUnpool(kernel, strides, a.integers("pads") or (0,) * (2 * len(kernel))), op.inputs)


RULES: Mapping[str, Rule] = {
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "Tile": tile,
    "Expand": tile,
    "Gather": gather,
    "GatherElements": gather,
    "Scatter": scatter,
    "ScatterElements": scatter,
    "MaxUnpool": max_unpool,
}
