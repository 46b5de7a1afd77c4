"""Running through a graph: which layers a pass takes, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import Layer, Param

from .errors import GraphError, place_note
from .net import Net
from .wiring import GraphNode, unread

if TYPE_CHECKING:
    from .graph import Graph
    from .wired import Wired

Array = np.ndarray[Any, np.dtype[Any]]
FLOAT = np.dtype(np.float64)  # what Python's numbers are


class Needs(NamedTuple):
    """The layers that a backward pass runs, and the inputs whose gradient it needs of each; as long as they hold."""

    below: dict[str, frozenset[str]]  # by layer
    params: list[Param]
    trainable: list[bool]
    stamp: int  # of the tree

    def hold(self, stamp: int) -> bool:
        """Whether freezing, unfreezing and replacing have left them right; asked at every step."""
        return self.stamp == stamp and self.trainable == [p.trainable for p in self.params]


class Pass:
    """The layers that a forward pass runs, the blobs it returns, and what is of no use after each layer.

    ``total``: whether it returns the total loss.
    """

    def __init__(self, steps: tuple[GraphNode, ...], outputs: tuple[str, ...], total: bool, kept: set[str]) -> None:
        self.steps, self.outputs, self.total = steps, outputs, total
        self.spent = _spent(steps, {*outputs, *kept})
        self._needs: dict[Any, Needs] = {}

    def between(self, net: Graph, start: str | None, end: str | None) -> tuple[GraphNode, ...]:
        """The layers that backward runs when it is to go from ``start`` down to ``end``, first ones first."""
        if start is None and end is None:
            return self.steps
        names = [node.name for node in self.steps]
        for name in (start, end):
            if name is not None and name not in names:
                ran = ", ".join(names)
                raise GraphError(f"{net.where}: the last forward ran no layer called {name!r}; it ran {ran}")
        last = len(names) if start is None else names.index(start) + 1
        steps = self.steps[0 if end is None else names.index(end) : last]
        if not steps:
            raise GraphError(
                f"{net.where}: backward runs from a later layer to an earlier one; {start} runs before {end}"
            )
        return steps

    def needs(self, net: Graph, steps: Sequence[GraphNode], wanted: frozenset[str]) -> Needs:
        """What a backward pass through these of its layers needs, to end at the blobs ``wanted``."""
        key, stamp = (steps[0].name, steps[-1].name, wanted), net.tree.stamp if net.tree is not None else 0
        needs = self._needs.get(key)
        if needs is None or not needs.hold(stamp):
            needs = self._needs[key] = _needed(steps, wanted, stamp)
        return needs


def plan_pass(
    net: Wired, nodes: Sequence[GraphNode], given: tuple[str, ...], span: slice, goals: tuple[str, ...]
) -> Pass:
    """Work out what to run, of the nodes in ``span``, when these blobs are given; only what leads to ``goals``, if any.

    Raises
    ------
    GraphError
        If an input is missing that is no target, or nothing can be run.
    """
    there, steps = {*given}, list[GraphNode]()
    within = nodes[span]
    if goals:
        within, wanted = [], {*goals}
        for node in reversed(nodes):
            if wanted.intersection(node.outputs).difference(given):
                within.insert(0, node)
                wanted.update(node.inputs)
    for node in within:
        if not (node.outputs and there.issuperset(node.outputs)) and there.issuperset(node.inputs):
            steps.append(node)
            there.update(node.outputs)
    _refuse_gaps(net, within, there, steps)
    if span.stop is not None:
        outputs = nodes[span][-1].outputs
    elif goals:
        outputs = goals
    elif all(blob in there for blob in net.outputs):
        outputs = net.outputs
    else:
        outputs = unread(steps)
    total = span.stop is None and not goals and bool(net.loss_weights) and there.issuperset(net.loss_weights)
    return Pass(tuple(steps), outputs, total, {*net.loss_weights, *net.head_inputs})


def _refuse_gaps(net: Wired, nodes: Sequence[GraphNode], there: set[str], steps: Sequence[GraphNode]) -> None:
    """Refuse to leave out layers for any other reason than a missing target."""
    waiting, ran = {*net.targets}, {node.name for node in steps}  # waiting: targets, and what is made of them
    for node in nodes:
        if node.name in ran or (node.outputs and there.issuperset(node.outputs)):
            continue
        lacking = [blob for blob in node.inputs if blob not in there]
        if lacking and not waiting.intersection(lacking):
            raise GraphError(
                f"{net.where}: {node.name} needs the blob {lacking[0]!r}, which was not given; "
                f"forward takes {', '.join(net.inputs)}"
            )
        waiting.update(node.outputs)


def _spent(steps: Sequence[GraphNode], kept: set[str]) -> tuple[tuple[str, ...], ...]:
    """The blobs that nobody reads any more after each step."""
    found, later = list[tuple[str, ...]](), set(kept)
    for node in reversed(steps):
        found.append(tuple({*node.inputs, *node.outputs} - later))
        later.update(node.inputs)
    return tuple(reversed(found))


def forward_through(net: Graph, way: Pass, values: dict[str, Any], weight: Any, keep: bool) -> None:
    """Run the layers of a pass; ``values`` holds the blobs it begins with, and takes up those that are made."""
    for node, spent in zip(way.steps, way.spent, strict=True):
        _, layer, reads, makes = node
        try:
            if weight is not None and layer.takes_target:
                y = layer.forward(*[values[blob] for blob in reads], weight)
            elif len(reads) == 1:
                y = layer.forward(values[reads[0]])
            else:
                y = layer.forward(*[values[blob] for blob in reads])
        except Exception as error:
            place_note(error, layer, values[reads[0]] if reads else None)
            error.add_note(f"{node.name} reads " + ", ".join(f"{b!r} of shape {np.shape(values[b])}" for b in reads))
            raise
        if len(makes) == 1 and type(y) is not tuple:
            values[makes[0]] = y
        else:
            ys = y if isinstance(y, tuple) else (y,) if makes else ()
            if len(ys) != len(makes):
                raise GraphError(f"{layer.where}: returned {len(ys)} outputs; the graph has names for {makes}")
            values.update(zip(makes, ys, strict=True))
        if not keep:
            for blob in spent:
                del values[blob]


def backward_through(net: Graph, steps: Sequence[GraphNode], grads: dict[str, Any], needs: Needs) -> dict[str, Any]:
    """Run backward through the layers; ``grads`` holds the gradients it begins with. Return those of all blobs it met.

    A layer is run if a gradient has come to what it makes, and ``needs`` says so: it or one below is to learn.
    """
    own: set[str] = set()  # sums that are nobody else's, to add to in place
    for node in reversed(steps):
        name, layer, _, makes = node
        below = needs.below.get(name)
        if below is None or (makes[0] not in grads if len(makes) == 1 else grads.keys().isdisjoint(makes)):
            continue
        dy = grads[makes[0]] if len(makes) == 1 else _output_gradients(net, node, grads)
        try:
            if isinstance(layer, Net):
                dx = layer.backward(dy, bool(below))
            elif below:
                dx = layer.backward(dy)
            else:
                dx = _without_input_gradient(layer, dy)
        except Exception as error:
            place_note(error, layer, dy)
            raise
        if below:
            _add_up(net, node, dx, below, grads, own)
        if not net.keep_grads:
            for blob in makes:
                grads.pop(blob, None)
    return grads


def _without_input_gradient(layer: Layer, dy: Any) -> Any:
    members, before = vars(layer), layer.input_grad
    members["input_grad"] = False
    try:
        return layer.backward(dy)
    finally:
        members["input_grad"] = before


def _add_up(net: Graph, node: GraphNode, dx: Any, below: frozenset[str], grads: dict[str, Any], own: set[str]) -> None:
    """Add what a layer's backward returned to the gradients of the blobs that it read.

    Raises
    ------
    GraphError
        If a gradient is missing, or of another shape than its blob.
    """
    blobs = net.cache.blobs
    found = {node.inputs[0]: [dx]} if len(node.inputs) == 1 and type(dx) is not tuple else _by_input(net, node, dx)
    for blob in below:
        for d in found.get(blob, (None,)):
            value = blobs[blob]
            if d is None and getattr(value, "dtype", FLOAT).kind != "f":
                continue
            if getattr(d, "shape", None) != np.shape(value):
                came = "nothing" if d is None else f"shape {np.shape(d)}"
                raise GraphError(
                    f"{node.layer.where}: backward returned {came} as the gradient of its input {blob!r}, "
                    f"expected shape {np.shape(value)}"
                )
            if blob not in grads:
                grads[blob] = d
            elif blob in own:
                grads[blob] += d
            else:
                grads[blob] = grads[blob] + d
                own.add(blob)


def _needed(steps: Sequence[GraphNode], wanted: frozenset[str], stamp: int) -> Needs:
    found, params, live = dict[str, frozenset[str]](), list[Param](), set(wanted)
    for node in steps:
        own = [p for _, part in node.layer.walk() for p in part._shared.params.values()]
        below = frozenset(live.intersection(node.inputs))
        if below or any(p.trainable for p in own):
            live.update(node.outputs)
            found[node.name] = below
        params += own
    return Needs(found, params, [p.trainable for p in params], stamp)


def _output_gradients(net: Graph, node: GraphNode, grads: dict[str, Any]) -> tuple[Any, ...]:
    """The gradients of what a layer has made: zeros where nothing came back, ``None`` for integers."""
    blobs, dys = net.cache.blobs, []
    for blob in node.outputs:
        value = blobs[blob]
        if blob in grads:
            dys.append(grads[blob])
        elif isinstance(value, float):
            dys.append(0.0)
        else:
            dys.append(np.zeros_like(value) if value.dtype.kind == "f" else None)
    return tuple(dys)


def _by_input(net: Graph, node: GraphNode, dx: Any) -> dict[str, list[Any]]:
    """What a layer returned, by the blobs it belongs to: a loss has a gradient for each floating-point input."""
    reads, dxs = node.inputs, dx if isinstance(dx, tuple) else (dx,)
    if node.ends_in_loss and len(dxs) < len(reads):
        blobs = net.cache.blobs
        reads = tuple(blob for blob in reads if np.asarray(blobs[blob]).dtype.kind == "f")[: len(dxs)]
    if len(dxs) != len(reads):
        raise GraphError(f"{node.layer.where}: backward returned {len(dxs)} gradients for the inputs {node.inputs}")
    found: dict[str, list[Any]] = {}
    for blob, d in zip(reads, dxs, strict=True):
        found.setdefault(blob, []).append(d)
    return found
