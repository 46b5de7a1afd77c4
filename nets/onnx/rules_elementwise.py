"""Which layers do what ONNX's elementwise operators do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from handbrew.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Clip,
    Exp,
    Layer,
    Log,
    Maximum,
    Multiply,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)

from .attributes import Operator, UnsupportedError
from .elementwise import OnnxBinary, OnnxClip, OnnxUnary, OnnxVariadic, OnnxWhere
from .functions import BINARY, UNARY
from .rules import Made, Rule, alike, number
from .telling import OnnxCast
from .tensors import CODES, FLOATS

PLAIN: Mapping[str, Callable[[Operator], Layer]] = {
    "Abs": lambda op: Abs(),
    "Elu": lambda op: ELU(op.attributes.number("alpha", 1.0)),
    "Exp": lambda op: Exp(),
    "Gelu": lambda op: GELU(op.attributes.text("approximate", "none")),
    "LeakyRelu": lambda op: ReLU(op.attributes.number("alpha", 0.01)),
    "Log": lambda op: Log(),
    "Relu": lambda op: ReLU(),
    "Sigmoid": lambda op: Sigmoid(),
    "Softplus": lambda op: Softplus(),
    "Swish": lambda op: SiLU(op.attributes.number("alpha", 1.0)),
    "Tanh": lambda op: Tanh(),
}
EQUAL_SHAPES: Mapping[str, Callable[[], Layer]] = {"Add": Add, "Sum": Add, "Mul": Multiply, "Max": Maximum}


def plain(op: Operator) -> Made:
    """An activation that handbrew has."""
    op.expect(1, 1)
    return Made(PLAIN[op.kind](op), op.inputs)


def unary(op: Operator) -> Made:
    """Another function of each element."""
    op.expect(1, 1)
    options = {name: op.attributes.number(name, default) for name, default in UNARY[op.kind].defaults.items()}
    if op.kind == "Selu" and options == UNARY["Selu"].defaults:
        return Made(SELU(), op.inputs)
    return Made(OnnxUnary(op.kind, **options), op.inputs)


def binary(op: Operator) -> Made:
    """A function of two elements."""
    op.expect(2, 2)
    if op.version < 7 and "broadcast" in op.attributes:
        raise UnsupportedError("broadcasting as before version 7 of the operator set")
    if op.kind in EQUAL_SHAPES and alike(op):
        return Made(EQUAL_SHAPES[op.kind](), op.inputs)
    exponent = op.constant(1)
    if op.kind == "Pow" and exponent is not None and exponent.size == 1:  # is no weight
        return Made(OnnxBinary("Pow"), (op.inputs[0], exponent))
    kind = "FMod" if op.kind == "Mod" and op.attributes.integer("fmod", 0) else op.kind
    return Made(OnnxBinary(kind), op.inputs)


def variadic(op: Operator) -> Made:
    """A function of any number of elements."""
    op.expect(1, 10_000)
    if op.kind in EQUAL_SHAPES and alike(op):
        return Made(EQUAL_SHAPES[op.kind](), op.inputs)
    return Made(OnnxVariadic(op.kind), op.inputs)


def prelu(op: Operator) -> Made:
    """``PReLU``, if the slopes are known and lie along the channels."""
    op.expect(2, 2)
    slope, shape = op.constant(1), op.shape(0)
    if slope is not None and slope.dtype.kind == "f" and shape is not None and len(shape) > 1:
        if slope.size == 1:
            return Made(PReLU(shared=True), op.inputs[:1], {"slope": slope.reshape(1)}, shape[1:])
        if slope.shape == (shape[1], *(1,) * (len(shape) - 2)):
            return Made(PReLU(), op.inputs[:1], {"slope": slope.reshape(-1)}, shape[1:])
    return Made(OnnxBinary("PRelu"), op.inputs)


def clip(op: Operator) -> Made:
    """``Clip``, if the bounds are known."""
    op.expect(1, 3)
    a = op.attributes
    if op.version < 11:
        return Made(Clip(a.number("min", -math.inf), a.number("max", math.inf)), op.inputs[:1])
    if not op.known((1, 2)):
        empty = np.zeros(0, np.float32)
        return Made(OnnxClip(), tuple(op.inputs[i] if op.has(i) else empty for i in range(3)))
    low, high = number(op.constant(1)), number(op.constant(2))
    if op.holds(0, "f") and (low is None or high is None or low <= high):
        return Made(Clip(-math.inf if low is None else low, math.inf if high is None else high), op.inputs[:1])
    return Made(OnnxClip(low, high), op.inputs[:1])


def where(op: Operator) -> Made:
    """A choice between two elements."""
    op.expect(3, 3)
    return Made(OnnxWhere(), op.inputs)


def cast(op: Operator) -> Made:
    """Numbers of another kind: given, or that of a second input."""
    if op.kind == "CastLike":
        op.expect(2, 2)
        kind = next((k for k in "fiub" if op.holds(1, k)), None)
        if kind is None:
            raise UnsupportedError("the kind of numbers that its second input has is not known")
        like = op.constants.get(op.inputs[1], op.sketches.get(op.inputs[1]))
        return Made(OnnxCast("float" if kind == "f" or like is None else like.dtype.name), op.inputs[:1])
    op.expect(1, 1)
    code = op.attributes.integer("to", 0)
    name = "float" if code in FLOATS else next((name for name, c in CODES.items() if c == code), None)
    if name is None:
        raise UnsupportedError(f"a cast to the data type {code}")
    return Made(OnnxCast(name), op.inputs)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys((name for name in BINARY if name not in ("FMod", "PRelu")), binary),
    **dict.fromkeys(PLAIN, plain),
    **dict.fromkeys(("Sum", "Mean", "Max", "Min"), variadic),
    "PRelu": prelu,
    "Clip": clip,
    "Where": where,
    "Cast": cast,
    "CastLike": cast,
}
