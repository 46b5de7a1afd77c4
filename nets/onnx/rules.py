"""What a rule makes of an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import Layer

from .attributes import Operator, UnsupportedError
from .tensors import Array

MISSING = np.zeros(0, np.int64)  # stands for an input that is missing before one that is not


class Made(NamedTuple):
    """A layer, with what it reads, what its parameters and buffers hold, and how many outputs it has.

    ``sample`` is any shape of an input that the layer can be built for with these weights.
    """

    layer: Layer
    reads: tuple[str | Array, ...]
    weights: Mapping[str, Array] = {}
    sample: tuple[int, ...] = ()
    outputs: int = 1


Rule = Callable[[Operator], Made]


def filled(op: Operator, start: int, end: int, defaults: Mapping[int, Array] = {}) -> tuple[str | Array, ...]:
    """The inputs from ``start`` to ``end``, arrays standing for those that are missing."""
    return tuple(op.inputs[i] if op.has(i) else defaults.get(i, MISSING) for i in range(start, end))


def axis_from_front(op: Operator, axis: int, place: int = 0) -> int | None:
    """An axis counted from the front; ``None`` if it is negative and the input's axes are not known."""
    if axis >= 0:
        return axis
    shape = op.shape(place)
    return None if shape is None else axis + len(shape)


def alike(op: Operator) -> bool:
    """Whether all inputs are known to be batches of floats, of one shape, that the net computes."""
    shapes = [op.shape(i) for i in range(len(op.inputs))]
    return (
        len(shapes) > 1
        and all(shape is not None and shape == shapes[0] and len(shape) > 1 for shape in shapes)
        and all(op.holds(i, "f") and op.constant(i) is None for i in range(len(op.inputs)))
    )


def only(op: Operator, outputs: int = 1) -> None:
    """Refuse an operator of which outputs are wanted that are not made.

    Raises
    ------
    UnsupportedError
        If it has more outputs than that.
    """
    if any(op.wants(place) for place in range(outputs, len(op.outputs))):
        raise UnsupportedError(f"only its first {outputs} outputs are made, and {len(op.outputs)} are wanted")


def number(value: Any) -> float | None:
    """The only element of an array; ``None`` if it has none, or several."""
    return None if value is None or np.size(value) != 1 else np.asarray(value).reshape(-1)[0].item()
