"""Which layers do what ONNX's constants and reductions do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .attributes import Operator, UnsupportedError
from .constants import OnnxConstant, OnnxFill, OnnxRange
from .reductions import OPERATIONS, OnnxArgExtreme, OnnxReduce
from .rules import Made, Rule
from .telling import OnnxShape


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


RULES: Mapping[str, Rule] = {
    "Shape": shape,
    "Size": shape,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "ArgMax": arg_extreme,
    "ArgMin": arg_extreme,
    **{f"Reduce{operation}": reduce_ for operation in OPERATIONS},
}
