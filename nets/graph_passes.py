"""Running through a graph: which layers a pass takes, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import Param

from .errors import GraphError, place_note
from .net import Net
from .wiring import GraphNode, unread

if TYPE_CHECKING:
    from .graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


class Needs(NamedTuple):
    """Which layers a backward pass runs, and the inputs whose gradient it needs of each; as long as they hold."""

    runs: dict[str, tuple[bool, frozenset[str]]]  # by layer
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

    def __init__(self, steps: tuple[GraphNode, ...], outputs: tuple[str, ...], total: bool) -> None:
        self.steps, self.outputs, self.total = steps, outputs, total
        self.spent = _spent(steps, {*outputs})
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
        return self.steps[0 if end is None else names.index(end) : last]

    def needs(self, net: Graph, steps: Sequence[GraphNode], wanted: frozenset[str]) -> Needs:
        """What a backward pass through these of its layers needs, to end at the blobs ``wanted``."""
        key, stamp = (steps[0].name, steps[-1].name, wanted), net.tree.stamp if net.tree is not None else 0
        needs = self._needs.get(key)
        if needs is None or not needs.hold(stamp):
            needs = self._needs[key] = _needed(steps, wanted, stamp)
        return needs


def plan_pass(net: Graph, nodes: Sequence[GraphNode], given: tuple[str, ...], span: slice, goal: str | None) -> Pass:
    """Work out what to run, of the nodes in ``span``, when these blobs are given; only what leads to ``goal``, if any.

    Raises
    ------
    GraphError
        If an input is missing that is no target, or nothing can be run.
    """
    there, steps = {*given}, list[GraphNode]()
    for node in nodes[span]:
        if not (node.outputs and there.issuperset(node.outputs)) and there.issuperset(node.inputs):
            steps.append(node)
            there.update(node.outputs)
    if goal is not None:
        steps, wanted = [], {goal}
        for node in reversed(nodes):
            if wanted.intersection(node.outputs).difference(given):
                steps.insert(0, node)
                wanted.update(node.inputs)
    made = {blob for node in steps for blob in node.outputs}
    _refuse_gaps(net, nodes[span], there, steps, made)
    if span.stop is not None:
        outputs = nodes[span][-1].outputs
    elif goal is not None:
        outputs = (goal,)
    elif all(blob in there for blob in net.outputs):
        outputs = net.outputs
    else:
        outputs = unread(steps)
    total = span.stop is None and goal is None and bool(net.loss_weights) and there.issuperset(net.loss_weights)
    return Pass(tuple(steps), outputs, total)


def _refuse_gaps(
    net: Graph, nodes: Sequence[GraphNode], there: set[str], steps: Sequence[GraphNode], made: set[str]
) -> None:
    """Refuse to leave out layers for any other reason than a missing target."""
    waiting = {*net.targets}  # what cannot be there: targets, and what is made of them
    for node in nodes:
        if node in steps or (there.issuperset(node.outputs) and node.outputs):
            continue
        lacking = [blob for blob in node.inputs if blob not in there]
        if lacking and not waiting.intersection(lacking):
            raise GraphError(
                f"{net.where}: {node.name} needs the blob {lacking[0]!r}, which was not given; "
                f"forward takes {', '.join(net.inputs)}"
            )
        waiting.update(node.outputs)
    if not steps:
        raise GraphError(
            f"{net.where}: expected the inputs {', '.join(net.inputs)}, got none that a layer could run on"
        )


def _spent(steps: Sequence[GraphNode], kept: set[str]) -> tuple[tuple[str, ...], ...]:
    """The blobs that nobody reads any more after each step."""
    found, later = list[tuple[str, ...]](), set(kept)
    for node in reversed(steps):
        found.append(tuple({*node.inputs, *node.outputs} - later))
        later.update(node.inputs)
    return tuple(reversed(found))


def forward_through(net: Graph, way: Pass, values: dict[str, Any], weight: Any, keep: bool = True) -> None:
    """Run the layers of a pass; ``values`` holds the blobs it begins with, and takes up those that are made."""
    for node, spent in zip(way.steps, way.spent, strict=True):
        layer, reads, makes = node.layer, node.inputs, node.outputs
        try:
            if weight is not None and node.ends_in_loss and any(blob in net.targets for blob in reads):
                y = layer.forward(*[values[blob] for blob in reads], weight)
            else:
                y = layer.forward(*[values[blob] for blob in reads])
        except Exception as error:
            place_note(error, layer, values[reads[0]] if reads else None)
            error.add_note(f"{node.name} reads " + ", ".join(f"{b!r} of shape {np.shape(values[b])}" for b in reads))
            raise
        if len(makes) == 1:
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
        runs, below = needs.runs[node.name]
        if not runs or not any(blob in grads for blob in node.outputs):
            continue
        layer, dy = node.layer, _output_gradient(net, node, grads)
        members, before = vars(layer), layer.input_grad
        try:
            if not below and before:
                members["input_grad"] = False
            dx = layer.backward(dy, bool(below)) if isinstance(layer, Net) else layer.backward(dy)
        except Exception as error:
            place_note(error, layer, dy)
            raise
        finally:
            if not below and before:
                members["input_grad"] = before
        if below:
            for blob, d in _by_input(net, node, dx):
                if d is None or blob not in below:
                    continue
                if blob not in grads:
                    grads[blob] = d
                elif blob in own:
                    grads[blob] += d
                else:
                    grads[blob] = grads[blob] + d
                    own.add(blob)
    return grads


def _needed(steps: Sequence[GraphNode], wanted: frozenset[str], stamp: int) -> Needs:
    runs, params, live = dict[str, tuple[bool, frozenset[str]]](), list[Param](), set(wanted)
    for node in steps:
        own = [p for _, part in node.layer.walk() for p in part._shared.params.values()]
        below = frozenset(live.intersection(node.inputs))
        run = bool(below) or any(p.trainable for p in own)
        if run:
            live.update(node.outputs)
        runs[node.name] = run, below
        params += own
    return Needs(runs, params, [p.trainable for p in params], stamp)


def _output_gradient(net: Graph, node: GraphNode, grads: dict[str, Any]) -> Any:
    """The gradient of what a layer has made; zeros for an output that nothing came back to, ``None`` for integers."""
    if len(node.outputs) == 1:
        return grads[node.outputs[0]]
    blobs, dys = net.cache.blobs, []
    for blob in node.outputs:
        value = blobs[blob]
        if blob in grads:
            dys.append(grads[blob])
        elif np.ndim(value) == 0 and not isinstance(value, np.ndarray):
            dys.append(0.0)
        else:
            dys.append(np.zeros_like(value) if value.dtype.kind == "f" else None)
    return tuple(dys)


def _by_input(net: Graph, node: GraphNode, dx: Any) -> list[tuple[str, Any]]:
    """The gradients that a layer returned, with the blobs they belong to: a loss has one for each floating input."""
    if not isinstance(dx, tuple):
        return [(node.inputs[0], dx)]
    blobs = net.cache.blobs
    reads = node.inputs
    if len(dx) < len(reads):
        reads = tuple(blob for blob in reads if np.asarray(blobs[blob]).dtype.kind == "f")
    if len(dx) != len(reads):
        raise GraphError(f"{node.layer.where}: backward returned {len(dx)} gradients for the inputs {node.inputs}")
    return list(zip(reads, dx, strict=True))
