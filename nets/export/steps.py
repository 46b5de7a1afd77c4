"""A net as a list of steps: which plain function makes which value of which others."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from handbrew.layers import Buffer, Loss

from .call import Call

LEARNABLE = ("W", "a", "b", "gamma", "beta", "slope")  # what arguments of plain functions are called that learn
DTYPE = object()  # an option that is the file's own precision


def quoted(text: str) -> str:
    """A text as Python writes it, whatever is in it: names come from files of others too."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


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
        arguments = [*inspect.signature(self.call.function).parameters]
        learnable = [
            name for name in arguments[len(self.inputs) if "xs" not in arguments else 1 :] if name in LEARNABLE
        ]
        return [*(f"d.{name}" for name in self.inputs), *(self._gradient_of(name) for name in learnable)]

    def _gradient_of(self, argument: str) -> str | None:
        return f"G[{quoted(self.arrays[argument])}]" if argument in self.arrays else None


class LossStep(NamedTuple):
    """One term of the loss."""

    call: Call
    loss: Loss
    scores: str
    target: str
    blobs: tuple[str, str]  # what a graph calls the two
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
    scaled: bool = False  # whether samples come in their own units
    blobs: tuple[str, ...] = ()  # what a graph calls its inputs
    integers: set[str] = field(default_factory=set)  # values without gradient
    rows: dict[str, int] = field(default_factory=dict)  # how many integers there may be in an input
    unknown: list[str] = field(default_factory=list)

    def shape_of(self, value: str) -> Any:
        """Without the batch axis; nothing of a value that no step makes."""
        shapes = dict(self.inputs)
        for step in self.steps:
            shapes.update(zip(step.outputs, step.shapes, strict=False))
        return shapes.get(value) or ()

    def may_be_negative(self, value: str) -> bool:
        """Whether nothing that reads an input is defined from 0 on only."""
        picky = ("stochastic_pool2d", "power", "logarithm")
        return not any(value in step.inputs and step.call.function.__name__ in picky for step in self.steps)
