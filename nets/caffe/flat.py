"""A net of any kind as a list of simple layers with the blobs they read and make, for ``save_caffe``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import (
    Add,
    Affine,
    BatchNorm,
    Branches,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    Layer,
    Residual,
    Scale,
    Slice,
    SpatialPyramidPool,
    Split,
)

from ..graph import Graph
from ..sequential import Sequential
from .batch_norm import CaffeBatchNorm
from .passing import CaffeSplit, StopGradient
from .sources import Silence

Names = tuple[str, ...]


class Step(NamedTuple):
    """A layer in its place."""

    name: str
    layer: Layer
    reads: Names
    makes: Names
    stopped: frozenset[int] = frozenset()  # of what it reads, that to which no gradient goes


def flatten(net: Layer, reads: Names, makes: Names) -> list[Step]:
    """Return what the net does, containers taken apart; ``makes`` are the names of what it makes, if it is not a Graph.

    BatchNorm becomes CaffeBatchNorm and Scale, and so on, with arrays that are equal; tied layers stay tied.
    """
    flat = _Flat()
    if isinstance(net, Graph):
        for node in net.nodes:
            flat.add(node.layer, node.name, node.inputs, node.outputs)
    else:
        flat.add(net, "", reads, makes)
    return _without_flatten(flat.steps)


class _Flat:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._stopped: dict[str, str] = {}  # what a StopGradient reads, by what it makes
        self._lowered: dict[int, tuple[Layer, ...]] = {}  # by what twins share

    def add(self, layer: Layer, name: str, reads: Names, makes: Names) -> None:
        """Add a layer, or what it is made of."""
        kind = type(layer)
        if isinstance(layer, Sequential):
            self._chain(layer.children, name, reads, makes)
        elif kind is Residual:
            self._residual(layer, name, reads, makes)
        elif kind is Branches:
            self._branches(layer, name, reads, makes)
        elif isinstance(layer, Graph):
            self._graph(layer, name, reads, makes)
        elif kind is StopGradient:
            self._stopped[makes[0]] = self._stopped.get(reads[0], reads[0])
        elif kind is Slice:
            self._slice(layer, name, reads, makes)
        elif parts := self._lower(layer):
            between, last = ("normalized", "scale") if kind is BatchNorm else ("pooled", "flatten")
            ends = (makes,) if len(parts) == 1 else ((f"{name}/{between}",), makes)
            for part, part_name, made in zip(parts, (name, f"{name}/{last}"), ends, strict=False):
                self.add(part, part_name, reads, made)
                reads = made
        else:
            stopped = frozenset(i for i, blob in enumerate(reads) if blob in self._stopped)
            reads = tuple(self._stopped.get(blob, blob) for blob in reads)
            self.steps.append(Step(name, layer, reads, makes, stopped))

    def _chain(self, layers: dict[str, Layer], prefix: str, reads: Names, makes: Names) -> None:
        last = list(layers)[-1]
        for child, layer in layers.items():
            name = _join(prefix, child)
            ends = layer.takes_target
            made = makes if child == last and makes else (name,)
            self.add(layer, name, reads if ends else reads[:1], made)
            reads = (*made[:1], *reads[1:])

    def _residual(self, layer: Any, name: str, reads: Names, makes: Names) -> None:
        ends = [_join(name, "body")]
        self.add(layer.body, ends[0], reads, (ends[0],))
        if layer.shortcut is None:
            ends.append(reads[0])
        else:
            ends.append(_join(name, "shortcut"))
            self.add(layer.shortcut, ends[1], reads, (ends[1],))
        self.steps.append(Step(name or "sum", Add(), tuple(ends), makes))

    def _branches(self, layer: Any, name: str, reads: Names, makes: Names) -> None:
        ends = tuple(_join(name, f"bodies/{i}") for i in range(len(layer.bodies)))
        for body, end in zip(layer.bodies, ends, strict=True):
            self.add(body, end, reads, (end,))
        self.add(layer.merge, name or "merge", ends, makes)

    def _graph(self, net: Graph, name: str, reads: Names, makes: Names) -> None:
        known = dict(zip(net.inputs, reads, strict=False)) | dict(zip(net.outputs, makes, strict=False))
        for node in net.nodes:
            inner = (
                tuple(known.get(blob, _join(name, blob)) for blob in blobs) for blobs in (node.inputs, node.outputs)
            )
            self.add(node.layer, _join(name, node.name), *inner)

    def _slice(self, layer: Any, name: str, reads: Names, makes: Names) -> None:
        """One part of all is kept, and Silence takes the others."""
        size = layer.in_shape[layer.axis - 1 if layer.axis > 0 else layer.axis]
        cuts = [0, *(slice(layer.start, layer.stop).indices(size)[:2]), size]
        points = sorted({cut for cut in cuts if 0 < cut < size})
        if not points:
            self.steps.append(Step(name, CaffeSplit(1), reads, makes))  # all of it
            return
        tops = [f"{name}/{i}" for i in range(len(points) + 1)]
        tops[int(cuts[1] > 0)] = makes[0]
        self.steps.append(Step(name, Split(points=points, axis=layer.axis), reads, tuple(tops)))
        others = tuple(top for top in tops if top != makes[0])
        self.steps.append(Step(f"{name}/rest", Silence(), others, ()))

    def _lower(self, layer: Layer) -> tuple[Layer, ...]:
        """Simpler layers that do, one after the other, what this one does; none if there are none."""
        kind: Any = type(layer)
        if kind is BatchNorm:
            return self._twins(layer, _batch_norm(layer))
        if kind in (GlobalAvgPool2D, GlobalMaxPool2D) and not layer.keepdims:  # type: ignore[attr-defined]
            return kind(keepdims=True), Flatten()
        if kind is SpatialPyramidPool and layer.levels == 1:  # type: ignore[attr-defined]
            pool = GlobalAvgPool2D if layer.average else GlobalMaxPool2D  # type: ignore[attr-defined]
            return pool(keepdims=True), Flatten()
        return ()

    def _twins(self, layer: Layer, parts: tuple[Layer, ...]) -> tuple[Layer, ...]:
        first = self._lowered.setdefault(id(layer._shared), parts)
        for part, other in zip(parts, first, strict=True):
            vars(part)["_shared"] = other._shared
        return parts


def _batch_norm(layer: Any) -> tuple[Layer, ...]:
    """CaffeBatchNorm with sums that make it go on as the running statistics would, and Scale."""
    f = layer.momentum
    fixed = True if layer.frozen_statistics or f == 1 else None
    statistics = CaffeBatchNorm(f, layer.eps, fixed)
    statistics.build(layer.in_shape)
    weight = 1.0 if f == 1 else 1 / (1 - f)
    statistics.sum_mean.data = weight * layer.mean.data
    statistics.sum_var.data = weight * layer.var.data
    statistics.weight.data = np.array([weight])
    if not layer.affine:
        return (statistics,)
    scale = Scale(bias=True)
    scale.build(layer.in_shape)
    for mine, own in ((scale.W, layer.gamma), (scale.b, layer.beta)):
        mine.data, mine.lr_mult, mine.decay_mult, mine.trainable = own.data, own.lr_mult, own.decay_mult, own.trainable
    return statistics, scale


def _without_flatten(steps: Sequence[Step]) -> list[Step]:
    """Leave out each Flatten that only Affine layers read: InnerProduct flattens by itself."""
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for blob in step.reads:
            readers.setdefault(blob, []).append(step)
    plain = {
        step.makes[0]: step.reads[0]
        for step in steps
        if type(step.layer) is Flatten and step.layer.axis == 1 and step.layer.end_axis == -1
    }
    gone = {b: x for b, x in plain.items() if b in readers and all(type(s.layer) is Affine for s in readers[b])}
    return [
        step._replace(reads=tuple(gone.get(blob, blob) for blob in step.reads))
        for step in steps
        if not (step.makes and step.makes[0] in gone)
    ]


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
