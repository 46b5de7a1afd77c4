"""Shapes that a model works out when it runs: which of their elements are sizes of which axes."""

from __future__ import annotations

import numpy as np

from handbrew.layers import Layer

from .attributes import Operator
from .base import OnnxLayer
from .elementwise import OnnxClip, OnnxUnary
from .shapes import OnnxIdentity
from .telling import OnnxShape
from .tensors import MOST_AXES, Array

# Their outputs' elements are elements of their inputs.
MOVING = (
    "Gather",
    "Slice",
    "Squeeze",
    "Unsqueeze",
    "Concat",
    "Identity",
    "Cast",
)  # their outputs' elements are inputs'
FIRST = -(2**40)  # the code of the first size; what is a number in a shape is far above


class Traces:
    """Follows sizes from Shape through the operators that pick them and put them together, to a Reshape.

    Each size gets a code, an integer that is no size, and those operators are run on the codes.
    """

    def __init__(self) -> None:
        self.codes: dict[str, Array] = {}  # of values that hold sizes, and numbers known beforehand
        self._sizes: list[tuple[str, int]] = []  # value and axis, by code
        self._batches: dict[str, str] = {}  # the value, before layers that leave axis 0 alone, whose axis 0 it is

    def follow(self, op: Operator, layer: Layer, reads: tuple[str | Array, ...]) -> None:
        """Take note of an operator that became this layer, with what it reads."""
        first = reads[0] if reads and isinstance(reads[0], str) else ""
        if first and (not isinstance(layer, OnnxLayer) or isinstance(layer, (OnnxClip, OnnxIdentity, OnnxUnary))):
            self._batches.update({name: self._batch(first) for name in op.outputs})
        shape = op.shape(0)
        if isinstance(layer, OnnxShape) and not layer.size and shape is not None:
            last = FIRST - len(self._sizes)
            self._sizes += [(first, axis) for axis in range(len(shape))]
            self.codes[op.outputs[0]] = (last - np.arange(len(shape)))[layer.start : layer.end]
        elif op.kind in MOVING:
            self._move(op, layer, reads)

    def _move(self, op: Operator, layer: Layer, reads: tuple[str | Array, ...]) -> None:
        values, coded = [], [isinstance(read, str) and read in self.codes for read in reads]
        for read in reads:
            value = self.codes.get(read, op.constants.get(read)) if isinstance(read, str) else read
            if value is None or value.size > MOST_AXES:
                return
            values.append(value)
        if any(coded) and (op.kind == "Concat" or not any(coded[1:])):
            y = type(layer).forward(layer, *values)
            if y.dtype == np.int64 and y.size <= MOST_AXES:
                self.codes[op.outputs[0]] = y

    def shape_for(self, op: Operator) -> tuple[int, ...] | None:
        """What a Reshape's second input comes to, with 0 for sizes that the first one has in that place."""
        codes = self.codes.get(op.inputs[1])
        return None if codes is None else self._places(codes.reshape(-1).tolist(), op.inputs[0])

    def _places(self, codes: list[int], value: str) -> tuple[int, ...] | None:
        found = []
        for place, code in enumerate(codes):
            if code > FIRST:
                found.append(code)
                continue
            source, axis = self._sizes[FIRST - code]
            same = source == value or (axis == 0 and self._batch(source) == self._batch(value))
            if axis != place or not same:
                return None
            found.append(0)
        return tuple(found)

    def _batch(self, value: str) -> str:
        return self._batches.get(value, value)
