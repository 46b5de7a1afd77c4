"""Taking a net apart into steps."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Sequence
from typing import Any

from handbrew.layers import Branches, Layer, Loss, Residual, SpatialPyramidPool
from handbrew.layers.tree import join

from ..graph import Graph
from ..net import Net
from ..sequential import Sequential
from . import plain_normalization as normalization
from . import plain_shape as shaping
from .call import Call
from .kinds import call_of, does_nothing, makes_nothing
from .kinds_images import pyramid_calls
from .kinds_losses import loss_call
from .steps import DTYPE, LossStep, Step, Traced

INTEGERS = ("arg_max", "max_pool2d_indices")  # functions whose last output has no gradient
_NAMES = (
    "P G v d np math sys Path SimpleNamespace Any Array Shape Pair Borders DTYPE TEST CLASSES file dy dys more_1 more_2"
)
_FUNCTIONS = "forward predict classify loss backward self_test"
_TAKEN = {*keyword.kwlist, *dir(builtins), *_NAMES.split(), *_FUNCTIONS.split()}


class Tracer:
    """Goes through a net and notes what it does."""

    def __init__(self, net: Net, reserved: Sequence[str], with_losses: bool, scaled: bool) -> None:
        self.traced, self.taken, self.with_losses = Traced(), {*_TAKEN, *reserved}, with_losses
        both = {**net.params, **net.buffers}  # NotBuiltError says what to do
        self.name_of = {id(array): name for name, array in both.items()}
        self.comment, self.traced.scaled = "", scaled
        self.trace(net)

    def trace(self, net: Any) -> None:
        """Fill ``traced``."""
        t, is_graph = self.traced, type(net).forward is Graph.forward
        t.blobs = net.data if is_graph else ()
        names = [self.name(blob) for blob in t.blobs or ("x",)]
        t.inputs = dict(zip(names, net.in_shape if len(names) > 1 else (net.in_shape,), strict=True))
        starts = self.standardized(names[0]) if t.scaled else tuple(names)
        if is_graph:
            values = dict(zip(t.blobs, starts, strict=True))
            t.outputs = self.graph(net, "", values)
            self.losses_of(net, values)
        else:
            t.outputs = self.run(net, "", starts)
            t.scores = t.outputs[0]
            if net.loss is not None and self.with_losses:
                t.targets = [self.name("target")]
                self.add_loss(net.loss, "the loss", (t.scores, t.targets[0]), ("", "target"), 1.0)
        for step in t.steps:
            if step.call.function.__name__ == "embedding":
                t.integers.add(step.inputs[0])
                t.rows[step.inputs[0]] = len(t.weights[step.arrays["W"]].data)

    def standardized(self, x: str) -> tuple[str, ...]:
        """The first step, where samples come in their own units."""
        t = self.traced
        arrays = {"mean": "input mean", "deviation": "input deviation"}
        name = self.name("scaled")
        call = Call(normalization.standardize, {}, {"dtype": DTYPE})
        t.steps.append(Step(call, (x,), (name,), arrays, (t.inputs[x],)))
        return (name,)

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
            return inputs * max(1, len(makes))
        if makes_nothing(layer):
            return ()
        call = call_of(layer)
        if call is None:
            self.traced.unknown.append(f"{path or 'the net'} ({type(layer).__name__})")
            return tuple(self.name(blob) for blob in makes or (path,))
        shape = layer.out_shape
        shapes = shape if len(makes) > 1 and isinstance(shape[0], tuple) else (shape,)
        return self.step(call, inputs[: call.inputs], makes or (path,), shapes)

    def open(self, layer: Layer, path: str) -> None:
        """Note that a container begins."""
        if layer.children:
            self.comment = f"{path}: {type(layer).__name__}"

    def step(
        self, call: Call, inputs: tuple[str, ...], makes: Sequence[str], shapes: tuple[Any, ...]
    ) -> tuple[str, ...]:
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
        way = net.plan(tuple(values))
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
            if not isinstance(node.layer, Loss) or len(node.inputs) != 2 or node.inputs[1] not in net.targets:
                t.unknown.append(f"{node.name} ({type(node.layer).__name__}) as a part of the loss")
                continue
            scores, target = node.inputs
            if target not in targets:
                targets[target] = self.name(target)
            names = values[scores], targets[target]
            self.add_loss(node.layer, f"{node.name} ({type(node.layer).__name__})", names, (scores, target), weight)
        t.targets = [*targets.values()]

    def add_loss(self, loss: Loss, what: str, names: tuple[str, str], blobs: tuple[str, str], weight: float) -> None:
        """Note one term."""
        call = loss_call(loss, 1 + len(self.traced.shape_of(names[0])))
        if call is None:
            self.traced.unknown.append(f"{what}, {loss!r}, with backward")
        else:
            self.traced.losses.append(LossStep(call, loss, *names, blobs, weight))
