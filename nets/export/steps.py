"""A net as a list of steps: which plain function makes which value of which others."""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from handbrew.layers import Branches, Buffer, Layer, Loss, Param, Residual, SpatialPyramidPool
from handbrew.layers.tree import join

from ..graph import Graph
from ..net import Net
from ..sequential import Sequential
from . import plain_shape as shaping
from .kinds import Call, call_of, does_nothing, pyramid_calls
from .kinds_losses import loss_call

LEARNABLE = ("W", "a", "b", "gamma", "beta", "slope")  # what arguments of plain functions are called that learn
INTEGERS = ("arg_max", "max_pool2d_indices")  # functions whose last output has no gradient
_TAKEN = {*keyword.kwlist, *dir(builtins), "P", "G", "v", "d", "np", "math", "dy", "target"}


class Step(NamedTuple):
    """``outputs = function(inputs, arrays, options)``, all by name; a comment above the first step of a container."""

    call: Call
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    arrays: dict[str, str]  # name among the weights, by the argument's
    shapes: tuple[Any, ...]
    comment: str = ""

    @property
    def results(self) -> list[str | None]:
        """What the backward function returns the gradients of: inputs, and learnable arguments (None: not there)."""
        learnable = [name for name in inspect.signature(self.call.function).parameters if name in LEARNABLE]
        return [*(f"d.{name}" for name in self.inputs), *(self._gradient_of(name) for name in learnable)]

    def _gradient_of(self, argument: str) -> str | None:
        return f"G[{self.arrays[argument]!r}]" if argument in self.arrays else None


class LossStep(NamedTuple):
    """One term of the loss."""

    call: Call
    scores: str
    target: str
    weight: float


@dataclass
class Traced:
    """A net taken apart."""

    inputs: dict[str, Any] = field(default_factory=dict)  # the shape of each
    steps: list[Step] = field(default_factory=list)
    outputs: tuple[str, ...] = ()
    scores: str = ""  # what the main loss reads
    losses: list[LossStep] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    weights: dict[str, Buffer] = field(default_factory=dict)
    integers: set[str] = field(default_factory=set)  # values without gradient
    unknown: list[str] = field(default_factory=list)

    def learned(self) -> list[str]:
        """The names of what has a gradient."""
        return [name for name, array in self.weights.items() if isinstance(array, Param)]


class Tracer:
    """Goes through a net and notes what it does."""

    def __init__(self, net: Net, reserved: Sequence[str], with_losses: bool) -> None:
        self.traced, self.taken, self.with_losses = Traced(), {*_TAKEN, *reserved}, with_losses
        both = {**net.params, **net.buffers}  # NotBuiltError says what to do
        self.name_of = {id(array): name for name, array in both.items()}
        self.comment = ""
        self.trace(net)

    def trace(self, net: Net) -> None:
        """Fill ``traced``."""
        t = self.traced
        data = net.data if isinstance(net, Graph) else ("x",)
        shapes = net.in_shape if len(data) > 1 else (net.in_shape,)
        names = [self.name(blob) for blob in data]
        t.inputs = dict(zip(names, shapes or (), strict=True))
        if isinstance(net, Graph):
            values = dict(zip(data, names, strict=True))
            t.outputs = self.graph(net, "", values)
            self.losses_of(net, values)
        else:
            t.outputs = self.run(net, "", tuple(names))
            t.scores = t.outputs[0]
            if net.loss is not None and self.with_losses:
                t.targets = [self.name("labels" if t.scores != "labels" else "target")]
                self.add_loss(net.loss, "the loss", t.scores, t.targets[0], 1.0, len(net.out_shape or ()) + 1)
        t.integers |= {
            step.inputs[0] for step in t.steps if step.call.function.__name__ == "embedding"
        }

    def name(self, wish: str) -> str:
        """A variable's name, like the wish, that nothing else bears."""
        word = re.sub(r"\W", "_", wish, flags=re.ASCII).strip("_") or "value"
        word = f"n{word}" if word[0].isdigit() else word
        name, number = word, 1
        while name in self.taken:
            number += 1
            name = f"{word}_{number}"
        self.taken.add(name)
        return name

    def run(self, layer: Any, path: str, inputs: tuple[str, ...], makes: Sequence[str] = ()) -> tuple[str, ...]:
        """The values that a layer makes of others."""
        if type(layer).forward is Sequential.forward:
            for name, child in layer.children.items():
                if isinstance(child, Loss):
                    break
                self.open(child, join(path, name))
                inputs = self.run(child, join(path, name), inputs)
            return inputs
        if type(layer).forward is Graph.forward:
            return self.graph(layer, path, dict(zip(layer.data, inputs, strict=True)))
        if type(layer) is Residual:
            body = self.run(layer.body, join(path, "body"), inputs)
            side = inputs if layer.shortcut is None else self.run(layer.shortcut, join(path, "shortcut"), inputs)
            return self.step(Call(shaping.add), (*body, *side), makes or (path,), (layer.out_shape,))
        if type(layer) is Branches:
            bodies = [self.run(body, join(path, f"bodies.{i}"), inputs)[0] for i, body in enumerate(layer.bodies)]
            return self.run(layer.merge, join(path, "merge"), tuple(bodies), makes or (path,))
        if type(layer) is SpatialPyramidPool:
            return self.pyramid(layer, path, inputs, makes)
        if does_nothing(layer):
            return inputs
        call = call_of(layer)
        if call is None:
            self.traced.unknown.append(f"{path} ({type(layer).__name__})")
            return tuple(self.name(blob) for blob in makes or (path,))
        shape = layer.out_shape
        shapes = shape if len(makes) > 1 and isinstance(shape[0], tuple) else (shape,)
        return self.step(call, inputs[: call.inputs], makes or (path,), shapes)

    def open(self, layer: Layer, path: str) -> None:
        """Note that a container begins."""
        if layer.children:
            self.comment = f"{path}: {type(layer).__name__}"

    def step(self, call: Call, inputs: tuple[str, ...], makes: Sequence[str], shapes: tuple[Any, ...]) -> tuple[str, ...]:
        """Note one step; return the names of what it makes."""
        arrays = {}
        for argument, array in call.arrays.items():
            arrays[argument] = name = self.name_of[id(array)]
            self.traced.weights[name] = array
        outputs = tuple(self.name(blob) for blob in makes)
        self.traced.steps.append(Step(call, inputs, outputs, arrays, shapes, self.comment))
        self.comment = ""
        if call.function.__name__ in INTEGERS:
            self.traced.integers.add(outputs[-1])
        return outputs

    def pyramid(self, layer: Any, path: str, inputs: tuple[str, ...], makes: Sequence[str]) -> tuple[str, ...]:
        """Level by level."""
        parts: list[str] = []
        for level, (pool, flatten) in enumerate(pyramid_calls(layer)):
            bins = (layer.in_shape[0], 2**level, 2**level)
            pooled = self.step(pool, inputs, (f"{path}_{2**level}x{2**level}",), (bins,))
            parts += self.step(flatten, pooled, (f"{path}_flat_{2**level}",), (flatten.options["shape"],))
        if len(parts) == 1:
            return tuple(parts)
        return self.step(Call(shaping.concat), tuple(parts), makes or (path,), (layer.out_shape,))

    def graph(self, net: Graph, path: str, values: dict[str, str]) -> tuple[str, ...]:
        """A graph's nodes in their order; ``values`` has the name of each blob, and takes up those that are made."""
        way = net._pass(tuple(values))
        for node in way.steps:
            reads = tuple(values[blob] for blob in node.inputs)
            self.open(node.layer, join(path, node.name))
            makes = [join(path, blob) for blob in node.outputs]
            values.update(zip(node.outputs, self.run(node.layer, join(path, node.name), reads, makes), strict=True))
        return tuple(values[blob] for blob in way.outputs)

    def losses_of(self, net: Graph, values: dict[str, str]) -> None:
        """The terms of a graph's loss."""
        t, head = self.traced, net._head
        t.scores = values[head.inputs[0]] if head is not None and head.inputs[0] in values else t.outputs[0]
        if not self.with_losses:
            return
        targets: dict[str, str] = {}
        for node in net.nodes:
            weight = net.loss_weights.get(node.outputs[0], 0.0) if node.outputs else 0.0
            if not weight:
                continue
            if not isinstance(node.layer, Loss) or node.inputs[1:] != (*{*node.inputs[1:]} & {*net.targets},)[:1]:
                t.unknown.append(f"{node.name} ({type(node.layer).__name__}) as a part of the loss")
                continue
            target = targets.setdefault(node.inputs[1], "") or self.name(node.inputs[1])
            targets[node.inputs[1]] = target
            shape = next((s.shapes[s.outputs.index(values[node.inputs[0]])] for s in t.steps
                          if values[node.inputs[0]] in s.outputs), (0,))
            self.add_loss(node.layer, node.name, values[node.inputs[0]], target, weight, 1 + len(shape))
        t.targets = [*targets.values()]

    def add_loss(self, loss: Loss, name: str, scores: str, target: str, weight: float, ndim: int) -> None:
        """Note one term."""
        call = loss_call(loss, ndim)
        if call is None:
            self.traced.unknown.append(f"{name} ({type(loss).__name__}) as a loss")
        else:
            self.traced.losses.append(LossStep(call, scores, target, weight))
