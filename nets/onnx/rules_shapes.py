"""Which layers do what ONNX's operators on shapes, axes and indices do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Concat, Embedding, Flatten, Reshape, Split, Transpose

from .attributes import Operator, UnsupportedError
from .constants import OnnxConstant, OnnxFill, OnnxRange
from .indexing import OnnxGather, OnnxMaxUnpool, OnnxPad, OnnxScatter, OnnxSlice
from .joining import OnnxConcat, OnnxExpand, OnnxSplit, OnnxTile
from .reductions import OPERATIONS, OnnxArgExtreme, OnnxReduce
from .rules import Made, Rule, axis_from_front, filled, number
from .shapes import (
    OnnxDepthToSpace,
    OnnxFlatten,
    OnnxIdentity,
    OnnxReshape,
    OnnxShape,
    OnnxSqueeze,
    OnnxTranspose,
    OnnxUnsqueeze,
)


def identity(op: Operator) -> Made:
    """The input."""
    op.expect(1, 1)
    return Made(OnnxIdentity(), op.inputs)


def reshape(op: Operator) -> Made:
    """``Reshape`` or ``Flatten``, if the shape is known and leaves axis 0 alone."""
    zero = bool(op.attributes.integer("allowzero", 0))
    if op.version < 5:
        op.expect(1, 1)
        shape = op.attributes.integers("shape") or ()
    else:
        op.expect(2, 2)
        found = op.argument(1)
        if found is None:
            return Made(OnnxReshape(allowzero=zero), op.inputs)
        shape = found
    before = op.shape(0)
    kept = bool(shape) and shape[0] == 0 and not zero
    if shape and shape[0] == -1 and before and 0 not in shape and not (zero and 0 in before):
        kept = math.prod(before[1:]) == math.prod(shape[1:])
    if kept and before and len(before) > 1 and op.holds(0, "f"):
        flat = shape[1:] in ((-1,), (math.prod(before[1:]),))
        return Made(Flatten() if flat else Reshape(*shape[1:]), op.inputs[:1])
    return Made(OnnxReshape(shape, zero), op.inputs[:1])


def flatten(op: Operator) -> Made:
    """``Flatten``, if axis 0 is left alone."""
    op.expect(1, 1)
    axis, shape = op.attributes.integer("axis", 1), op.shape(0)
    if shape is not None and len(shape) > 1 and op.holds(0, "f") and axis in (1, 1 - len(shape)):
        return Made(Flatten(), op.inputs)
    return Made(OnnxFlatten(axis), op.inputs)


def squeeze(op: Operator) -> Made:
    """Axes of size 1 taken off, or put in."""
    layer: Any = OnnxSqueeze if op.kind == "Squeeze" else OnnxUnsqueeze
    op.expect(1, 2)
    axes = op.argument(1) if op.has(1) else op.attributes.integers("axes")
    if op.has(1) and axes is None:
        return Made(layer(), op.inputs)
    return Made(layer(axes), op.inputs[:1])


def transpose(op: Operator) -> Made:
    """``Transpose``, if axis 0 stays first."""
    op.expect(1, 1)
    perm = op.attributes.integers("perm")
    stays = perm is not None and len(perm) > 1 and perm[0] == 0 and sorted(perm) == list(range(len(perm)))
    if perm is not None and stays and op.holds(0, "f"):
        return Made(Transpose(*perm[1:]), op.inputs)
    return Made(OnnxTranspose(perm), op.inputs)


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


def shape(op: Operator) -> Made:
    """The shape, or the number of elements."""
    op.expect(1, 1)
    a = op.attributes
    end = a.integer("end", 0) if "end" in a else None
    return Made(OnnxShape(a.integer("start", 0), end, op.kind == "Size"), op.inputs)


def constant(op: Operator) -> Made:
    """A fixed array."""
    op.expect(0, 0)
    a = op.attributes
    numbers = a.numbers("value_floats") if "value_floats" in a else None
    value: Any
    if "value" in a:
        value = a.tensor("value")
    elif numbers is not None:
        value = np.array(numbers, np.float32)
    elif "value_float" in a:
        value = np.array(a.number("value_float", 0.0), np.float32)
    elif "value_int" in a:
        value = np.array(a.integer("value_int", 0), np.int64)
    elif "value_ints" in a:
        value = np.array(a.integers("value_ints"), np.int64)
    else:
        raise UnsupportedError("a constant that is no array of numbers")
    return Made(OnnxConstant(value), ())


def constant_of_shape(op: Operator) -> Made:
    """One value everywhere."""
    op.expect(1, 1)
    value = op.attributes.tensor("value")
    return Made(OnnxFill(0.0 if value is None else value.reshape(-1)[:1]), op.inputs)


def range_(op: Operator) -> Made:
    """Numbers at equal distances."""
    op.expect(3, 3)
    return Made(OnnxRange(), op.inputs)


def depth_to_space(op: Operator) -> Made:
    """Channels as pixels, or pixels as channels."""
    op.expect(1, 1)
    a = op.attributes
    return Made(
        OnnxDepthToSpace(a.integer("blocksize", 0), a.text("mode", "DCR"), op.kind == "SpaceToDepth"), op.inputs
    )


def reduce_(op: Operator) -> Made:
    """A sum, or the like, along some axes."""
    op.expect(1, 2)
    a = op.attributes
    kind, keepdims = op.kind.removeprefix("Reduce"), bool(a.integer("keepdims", 1))
    keep_all = bool(a.integer("noop_with_empty_axes", 0))
    if op.has(1) and op.argument(1) is None:
        return Made(OnnxReduce(kind, None, keepdims, keep_all), op.inputs)
    axes = op.argument(1) if op.has(1) else a.integers("axes")
    return Made(OnnxReduce(kind, axes, keepdims, keep_all), op.inputs[:1])


def arg_extreme(op: Operator) -> Made:
    """Where the maximum is, or the minimum."""
    op.expect(1, 1)
    a = op.attributes
    last, keepdims = bool(a.integer("select_last_index", 0)), bool(a.integer("keepdims", 1))
    return Made(OnnxArgExtreme(a.integer("axis", 0), keepdims, last, op.kind == "ArgMax"), op.inputs)


def max_unpool(op: Operator) -> Made:
    """Maxima put back where they were."""
    op.expect(2, 3)
    a = op.attributes
    kernel = a.integers("kernel_shape") or ()
    strides = a.integers("strides") or (1,) * len(kernel)
    return Made(OnnxMaxUnpool(kernel, strides, a.integers("pads") or (0,) * (2 * len(kernel))), op.inputs)


RULES: Mapping[str, Rule] = {
    "Identity": identity,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": squeeze,
    "Transpose": transpose,
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
    "Shape": shape,
    "Size": shape,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": depth_to_space,
    "ArgMax": arg_extreme,
    "ArgMin": arg_extreme,
    "MaxUnpool": max_unpool,
    **{f"Reduce{operation}": reduce_ for operation in OPERATIONS},
}
