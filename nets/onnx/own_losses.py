"""Losses that handbrew wrote as several operators, found again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handbrew.layers import EuclideanLoss, Loss, MeanAbsoluteError, MeanSquaredError

HALF = ("Sub", "ReduceSumSquare", "Constant", "Mul")
PATTERNS: Mapping[tuple[str, ...], Callable[[], Loss]] = {
    ("Sub", "Mul", "ReduceMean"): MeanSquaredError,
    ("Sub", "Mul", "ReduceSum"): lambda: MeanSquaredError(reduction="sum"),
    ("Sub", "Abs", "ReduceMean"): MeanAbsoluteError,
    ("Sub", "Abs", "ReduceSum"): lambda: MeanAbsoluteError(reduction="sum"),
    (*HALF, "Shape", "Squeeze", "CastLike", "Div"): EuclideanLoss,
    HALF: lambda: EuclideanLoss(reduction="sum"),
}


class OwnLoss(NamedTuple):
    """A loss, with the number of its first operator, what it reads, and its name."""

    layer: Loss
    start: int
    reads: tuple[str, ...]
    name: str


def own_loss(proto: Any) -> OwnLoss | None:
    """The loss at the end of a graph that ``save_onnx`` wrote; ``None`` if its last operators are none."""
    nodes, given = list(proto.node), {value.name for value in proto.input}
    name = nodes[-1].name.rpartition(".")[0] if nodes else ""
    start = len(nodes)
    while name and start and nodes[start - 1].name.rpartition(".")[0] == name:
        start -= 1
    make = PATTERNS.get(tuple(node.op_type for node in nodes[start:]))
    if make is None or [value.name for value in proto.output] != list(nodes[-1].output):
        return None
    reads = tuple(nodes[start].input)
    whole = len(reads) == 2 and reads[1] in given and reads[0] not in given
    return OwnLoss(make(), start, reads, name) if whole else None
