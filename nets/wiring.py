"""How a graph's layers hang together: which blobs each reads and makes, and the order to run them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import Layer, Loss

from .errors import GraphError
from .naming import check_member, names_of
from .net import Net

Names = tuple[str, ...]


class GraphNode(NamedTuple):
    """A layer in a graph, with the names of the blobs that it reads and of those that it makes."""

    name: str
    layer: Layer
    inputs: Names
    outputs: Names

    @property
    def ends_in_loss(self) -> bool:
        """Whether the layer is a loss, or a net that ends in one."""
        return self.layer.takes_target

    @property
    def scored(self) -> Names:
        """Of a loss, or a net that ends in one: the blobs that it reads besides targets."""
        layer: Any = self.layer
        if not hasattr(layer, "targets"):
            return self.inputs[:1]
        return tuple(blob for name, blob in zip(layer.inputs, self.inputs, strict=False) if name not in layer.targets)

    @property
    def is_loss(self) -> bool:
        """Whether its first output is one number to be made small."""
        return bool(self.ends_in_loss and self.inputs and self.outputs)


def as_names(value: Any, what: str) -> Names:
    """One name or several, as a tuple.

    Raises
    ------
    GraphError
        If they are no words without dots.
    """
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or "." in name or name.split() != [name]:
            raise GraphError(f"Graph: {what}: expected names of blobs, words without dots; got {name!r:.60}")
    return names


def wire(inputs: Names, nodes: Sequence[Any]) -> tuple[GraphNode, ...]:
    """Check what the graph is made of; return its nodes in the order of running.

    Raises
    ------
    GraphError
        If a blob is unknown or has two producers, or the blobs run in a circle.
    """
    if len(set(inputs)) < len(inputs):
        raise GraphError(f"Graph: an input is named twice: {', '.join(inputs)}")
    for i, node in enumerate(nodes):
        if not isinstance(node, (tuple, list)) or len(node) != 3:
            raise GraphError(
                f"Graph: expected nodes (layer, its input, its output), like (ReLU(), 'conv1', 'relu1'), "
                f"got {node!r:.80} in place {i}"
            )
        check_member(node[0], i, "Graph")
    names = names_of([node[0] for node in nodes], "Graph")
    wired = [
        GraphNode(name, layer, as_names(reads, f"what {name} reads"), as_names(makes, f"what {name} makes"))
        for name, (layer, reads, makes) in zip(names, nodes, strict=True)
    ]
    _check_blobs(inputs, wired)
    return tuple(_in_order(inputs, wired))


def _check_blobs(inputs: Names, nodes: Sequence[GraphNode]) -> None:
    makers: dict[str, str] = dict.fromkeys(inputs, "an input of the graph")
    for node in nodes:
        for blob in node.outputs:
            if blob in makers:
                raise GraphError(
                    f"Graph: the blob {blob!r} has two producers, {makers[blob]} and {node.name}; "
                    f"give one of them an output of another name"
                )
            makers[blob] = node.name
    for node in nodes:
        for blob in node.inputs:
            if blob not in makers:
                close = get_close_matches(blob, makers, 1)
                fix = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, makers))}"
                raise GraphError(
                    f"Graph: {node.name} ({type(node.layer).__name__}) reads the blob {blob!r}, "
                    f"which is no input of the graph and no layer makes; {fix}"
                )


def _in_order(inputs: Names, nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """The nodes, each after those that make what it reads; as they were given, where that leaves a choice."""
    readers: dict[str, list[int]] = {}
    missing = [len(set(node.inputs) - set(inputs)) for node in nodes]
    for i, node in enumerate(nodes):
        for blob in set(node.inputs):
            readers.setdefault(blob, []).append(i)
    ready = [i for i, count in enumerate(missing) if not count]
    order: list[GraphNode] = []
    while ready:
        order.append(node := nodes[heappop(ready)])
        for i in (i for blob in node.outputs for i in readers.get(blob, ())):
            missing[i] -= 1
            if not missing[i]:
                heappush(ready, i)
    if len(order) < len(nodes):
        raise GraphError(
            f"Graph: its blobs run in a circle: {_circle([n for n, m in zip(nodes, missing, strict=True) if m])}"
        )
    return order


def _circle(nodes: Sequence[GraphNode]) -> str:
    """A circle among nodes of which each reads what another one makes."""
    maker = {blob: node for node in nodes for blob in node.outputs}
    node, path = nodes[0], dict[str, str]()  # what each node reads of the next
    while node.name not in path:
        path[node.name] = next(blob for blob in node.inputs if blob in maker)
        node = maker[path[node.name]]
    names = [*path][[*path].index(node.name) :]
    return node.name + "".join(f" -> {path[name]!r} -> {name}" for name in (*reversed(names[1:]), node.name))


def targets_of(inputs: Names, nodes: Sequence[GraphNode]) -> Names:
    """The inputs that losses read as targets, and nobody else reads but layers that only measure."""
    found = []
    for blob in inputs:
        readers = [node for node in nodes if blob in node.inputs]
        judges = [node for node in readers if _is_target(blob, node)]
        if judges and len(judges) == len(readers) and any(node.ends_in_loss for node in judges):
            found.append(blob)
    return tuple(found)


def _is_target(blob: str, node: GraphNode) -> bool:
    """Whether a blob is for this layer what its scores are compared with."""
    places = [i for i, name in enumerate(node.inputs) if name == blob]
    layer: Any = node.layer
    if hasattr(layer, "targets"):  # a graph knows its own
        return all(i < len(layer.inputs) and layer.inputs[i] in layer.targets for i in places)
    return 0 not in places and (node.ends_in_loss or node.layer.measures)


def unread(nodes: Sequence[GraphNode], among: Sequence[GraphNode] | None = None) -> Names:
    """The blobs that ``nodes`` make and none of them (or none ``among`` others) reads, in order."""
    read = {blob for node in (nodes if among is None else among) for blob in node.inputs}
    return tuple(blob for node in nodes for blob in node.outputs if blob not in read)


def weights_of_losses(nodes: Sequence[GraphNode], given: Mapping[str, float] | None) -> dict[str, float]:
    """What each blob counts for in the total loss: 1 for a loss's own, unless it is said otherwise.

    Raises
    ------
    GraphError
        If a blob is unknown, or a weight is no finite number.
    """
    weights = {node.outputs[0]: 1.0 for node in nodes if node.is_loss}
    made = [blob for node in nodes for blob in node.outputs]
    for blob, weight in (given or {}).items():
        if blob not in made:
            raise GraphError(f"Graph: loss_weights: no layer makes the blob {blob!r}; there are {', '.join(made)}")
        if not isinstance(weight, (int, float, np.number)) or not np.isfinite(weight):
            raise GraphError(f"Graph: loss_weights: expected a number for {blob!r}, got {weight!r:.40}")
        weights[blob] = float(weight)
    return {blob: weight for blob, weight in weights.items() if weight}


def main_loss(nodes: Sequence[GraphNode], weights: Mapping[str, float]) -> tuple[GraphNode | None, Loss | None]:
    """The node of the loss that counts most, the last of several; and the loss that it is or ends in."""
    best: GraphNode | None = None
    for node in nodes:
        weight = weights.get(node.outputs[0]) if node.is_loss else None
        if weight is not None and (best is None or abs(weight) >= abs(weights[best.outputs[0]])):
            best = node
    if best is None:
        return None, None
    layer: Any = best.layer
    return best, layer.loss if isinstance(layer, Net) else layer
