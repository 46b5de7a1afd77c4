"""What a net is made of: shapes, parameters, operations, bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from handbrew.layers import Loss

from .table import table

if TYPE_CHECKING:
    from .net import Net


class SummaryRow(NamedTuple):
    """One layer: shapes without the batch axis, operations of one sample's forward pass."""

    name: str
    kind: str
    out_shape: tuple[int, ...]
    parameters: int
    trainable: int
    flops: int
    bytes: int


class Summary(tuple[SummaryRow, ...]):
    """The rows, one a layer; printed, a table with its totals.

    Bytes are those of the parameters and of one sample's output in the net's dtype. Tied parameters
    count once, where they first stand. A loss's own operations are left out.
    """

    __slots__ = ()

    def __str__(self) -> str:
        rows = [(r.name, r.kind, str(r.out_shape), f"{r.parameters:,}", f"{r.flops:,}", f"{r.bytes:,}") for r in self]
        total = [
            sum(column) for column in zip(*[(r.parameters, r.trainable, r.flops, r.bytes) for r in self], strict=True)
        ]
        rows.append(("total", "", "", f"{total[0]:,}", f"{total[2]:,}", f"{total[3]:,}"))
        lines = table(("layer", "class", "output", "parameters", "flops", "bytes"), rows, left=3)
        frozen = total[0] - total[1]
        return lines + (f"\n{frozen:,} of the parameters are frozen" if frozen else "")


def summary(net: Net) -> Summary:
    """Return one row for each layer of a built net."""
    rows, seen = [], set[int]()
    net.params  # noqa: B018  raises NotBuiltError, which says what to do
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
                (sum(sizes) + math.prod(shape)) * net.dtype.itemsize,
            )
        )
    return Summary(rows)
