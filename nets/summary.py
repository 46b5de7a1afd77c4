"""What a net is made of: shapes, parameters, operations, bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from handbrew.layers import Loss

from .table import table

if TYPE_CHECKING:
    from .net import Net


class SummaryRow(NamedTuple):
    """One layer: shapes without the batch axis, operations of one sample's forward pass; a graph's blobs."""

    name: str
    kind: str
    out_shape: tuple[int, ...]
    parameters: int
    trainable: int
    flops: int
    bytes: int
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class Summary(tuple[SummaryRow, ...]):
    """The rows, one a layer; printed, a table with its totals.

    Bytes are those of the parameters and of one sample's output in the net's dtype. Tied parameters
    count once, where they first stand. A loss's own operations are left out.
    """

    __slots__ = ()

    def __str__(self) -> str:
        numbers = [(r.parameters, r.trainable, r.flops, r.bytes) for r in self]
        total = [sum(column) for column in zip(*numbers, strict=True)]
        texts = [(r.name, r.kind, ", ".join(r.inputs), ", ".join(r.outputs), str(r.out_shape)) for r in self]
        rows = [
            (*row, f"{n:,}", f"{flops:,}", f"{size:,}")
            for row, (n, _, flops, size) in zip([*texts, ("total", *[""] * 4)], [*numbers, total], strict=True)
        ]
        lines = [("layer", "class", "reads", "makes", "output", "parameters", "flops", "bytes"), *rows]
        if not any(r.outputs for r in self):  # a chain, where each reads what the one before makes
            lines = [(*cells[:2], *cells[4:]) for cells in lines]
        text = table(lines[0], lines[1:], left=len(lines[0]) - 3)
        frozen = total[0] - total[1]
        return text + (f"\n{frozen:,} of the parameters are frozen" if frozen else "")


def summary(net: Net) -> Summary:
    """Return one row for each layer of a built net."""
    rows, seen = [], set[int]()
    net.params  # noqa: B018  raises NotBuiltError, which says what to do
    wires = {node.name: (node.inputs, node.outputs) for node in getattr(net, "nodes", ())}
    for name, layer in net.children.items():
        own = [p for p in layer.params.values() if id(p) not in seen]
        seen.update(map(id, own))
        sizes = [p.data.size for p in own]
        shape = layer.out_shape or ()
        rows.append(
            SummaryRow(
                name,
                type(layer).__name__,
                shape,
                sum(sizes),
                sum(p.data.size for p in own if p.trainable),
                0 if isinstance(layer, Loss) else layer.flops(),
                (sum(sizes) + _elements(shape)) * net.dtype.itemsize,
                *wires.get(name, ()),
            )
        )
    return Summary(rows)


def _elements(shape: Any) -> int:
    """The numbers in one sample's output, or in several."""
    return sum(map(_elements, shape)) if shape and isinstance(shape[0], tuple) else math.prod(shape)
