"""What a graph is made of: its nodes, losses and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from handbrew.layers import Layer, Loss, ShapeError, refuse_reuse

from .errors import EmptyNetError, GraphError
from .graph_passes import Pass, plan_pass
from .net import Net, adapt
from .wiring import GraphNode, as_names, main_loss, targets_of, unread, weights_of_losses, wire

HEAD = ""  # under this name, which no blob bears: the scores within a net that ends the graph with its loss


class Wired(Net):
    """A net whose layers are wired by named blobs; ``Graph`` says what its parameters are, and runs it."""

    build_first = False

    def __init__(
        self,
        inputs: str | Sequence[str],
        *nodes: tuple[Layer, str | Sequence[str], str | Sequence[str]],
        outputs: str | Sequence[str] | None = None,
        loss_weights: Mapping[str, float] | None = None,
        seed: int | None = None,
    ) -> None:
        if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"Graph: expected a seed that is an integer from 0 on, got {seed!r}")
        if not nodes:
            raise EmptyNetError("Graph: a net needs at least one layer, like Graph('x', (Affine(10), 'x', 'y'))")
        self.seed = seed
        self.inputs = as_names(inputs, "inputs")
        self._given_outputs = None if outputs is None else as_names(outputs, "outputs")
        self._given_weights = dict(loss_weights or {})
        self._wire(wire(self.inputs, nodes))

    def _wire(self, nodes: Sequence[GraphNode]) -> None:
        self._layers = tuple(node.layer for node in nodes)
        self._wires = tuple((node.name, node.inputs, node.outputs) for node in nodes)
        self.targets = targets_of(self.inputs, nodes)
        self._weights = weights_of_losses(nodes, self._given_weights)
        self.outputs = unread(nodes) if self._given_outputs is None else self._given_outputs
        known = {*self.inputs, *(blob for node in nodes for blob in node.outputs)}
        if not known.issuperset(self.outputs):
            raise GraphError(f"Graph: outputs: expected blobs of the graph, {', '.join(known)}; got {self.outputs}")
        self._head, self._loss = main_loss(nodes, self._weights)
        self.takes_target = self._loss is not None
        self.several_inputs = self.data if len(self.data) > 1 else ()
        self.input_grad = not self.takes_target
        vars(self)["_passes"] = {}
        refuse_reuse(self)

    @property
    def nodes(self) -> tuple[GraphNode, ...]:
        """The layers with what they read and make, in the order of running."""
        return tuple(
            GraphNode(name, layer, reads, makes)
            for layer, (name, reads, makes) in zip(self._layers, self._wires, strict=True)
        )

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """What each blob counts for in the total loss; those that count nothing are left out."""
        return MappingProxyType(self._weights)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in the order of running; ``replace`` changes them."""
        return self._layers

    @property
    def children(self) -> dict[str, Layer]:  # type: ignore[override]
        """The layers by name."""
        return {wires[0]: layer for wires, layer in zip(self._wires, self._layers, strict=True)}

    @property
    def loss(self) -> Loss | None:
        """The loss that counts most, the last of several: what ``predict`` and ``evaluate`` ask."""
        return self._loss

    def _set_layers(self, layers: Sequence[Layer]) -> None:
        self._wire(
            [
                GraphNode(name, layer, reads, makes)
                for layer, (name, reads, makes) in zip(layers, self._wires, strict=True)
            ]
        )

    def config(self) -> dict[str, Any]:
        """Inputs, nodes as they are now, and the rest where it was given; a subclass's own constructor's arguments."""
        if type(self).__init__ is not Wired.__init__:
            return super().config()
        given = {"outputs": self._given_outputs, "loss_weights": self._given_weights or None, "seed": self.seed}
        nodes = [(node.layer, node.inputs, node.outputs) for node in self.nodes]
        return {"inputs": self.inputs, "nodes": nodes} | {k: v for k, v in given.items() if v is not None}

    def tied(self) -> Self:
        """Return a graph of the layers' twins."""
        twin = super().tied()
        twin._set_layers(twin._layers)
        return twin

    @property
    def head_inputs(self) -> tuple[str, ...]:
        """What the main loss reads besides targets."""
        return () if self._head is None else self._head.scored

    @property
    def data(self) -> tuple[str, ...]:
        """The inputs that are no targets."""
        return tuple(name for name in self.inputs if name not in self.targets)

    def build(self, in_shape: Any) -> Any:
        """Build every layer but losses, for the shape of each input that is no target; return the outputs' shapes."""
        return self._build(in_shape, lambda layer, shape: layer.build(shape))

    def _rebuild(self, shape: Any) -> None:
        self.out_shape = self._build(shape, adapt)

    def _build(self, in_shape: Any, build: Callable[[Layer, Any], Any]) -> Any:
        given = in_shape if in_shape and isinstance(in_shape[0], (tuple, list)) else (in_shape,) * bool(self.data)
        if len(given) != len(self.data):
            raise ShapeError(f"{self.where}: expected the shape of each of {self.data}, got {in_shape}")
        shapes: dict[str, Any] = dict(zip(self.data, given, strict=True))
        for node in self.nodes:
            name, layer, reads, makes = node
            if layer.takes_target:
                reads = node.scored
            if (layer.takes_target and not isinstance(layer, Net)) or not shapes.keys() >= {*reads}:
                continue
            try:
                made = build(layer, one_or_all([shapes[blob] for blob in reads]))
            except ShapeError as error:
                error.add_note(f"{name} reads " + ", ".join(f"{blob!r} of shape {shapes[blob]}" for blob in reads))
                raise
            if not layer.takes_target:
                shapes.update(zip(makes, made if len(makes) > 1 else (made,), strict=False))
            elif self._head is not None and layer is self._head.layer:
                shapes[HEAD] = made
        return self.shape_left(shapes)

    def shape_left(self, shapes: Mapping[str, Any]) -> Any:
        """The shape of what forward returns without targets: the outputs, or else what the main loss reads."""
        left = [blob for blob in self.plan(self.data).outputs if blob in shapes]
        if not left and self._head is not None:
            left = [HEAD if HEAD in shapes else self._head.inputs[0]]
        return one_or_all([shapes.get(blob, ()) for blob in left])

    def place_of(self, name: str) -> int:
        """Where in the order of running the layer of this name stands."""
        names = [wires[0] for wires in self._wires]
        if name not in names:
            raise GraphError(f"{self.where}: no layer is called {name!r}; there are {', '.join(names)}")
        return names.index(name)

    def plan(
        self, given: tuple[str, ...], start: str | None = None, end: str | None = None, goals: tuple[str, ...] = ()
    ) -> Pass:
        """The layers to run when these blobs are given; worked out once."""
        key = given, start, end, goals
        passes: dict[Any, Pass] = vars(self)["_passes"]
        if key not in passes:
            span = slice(
                None if start is None else self.place_of(start), None if end is None else self.place_of(end) + 1
            )
            passes[key] = plan_pass(self, self.nodes, given, span, goals)
        return passes[key]

    def flops(self) -> int:
        """The sum of the layers', losses' left out."""
        return sum(layer.flops() for layer in self._layers if not isinstance(layer, Loss))

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_passes": {}}


def one_or_all(found: Sequence[Any]) -> Any:
    """The one there is, or a tuple."""
    return found[0] if len(found) == 1 else tuple(found)
