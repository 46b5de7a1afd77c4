"""The text of an exported file."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .kinds import Call
from .sources import back_of, source_of
from .steps import Step, Traced

HEAD = '''"""{title}

Written by handbrew; needs NumPy only. The weights lie beside it, in {weights}.

    from {module} import forward, predict
    y = forward(x)          # {shape}

``python {file}`` runs a stored input through, and compares.
"""

import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray
Pair = tuple
Shape = tuple
Borders = tuple
'''


class Writer:
    """Writes a traced net as Python."""

    def __init__(self, traced: Traced, dtype: str, backward: bool) -> None:
        self.traced, self.dtype, self.backward = traced, dtype, backward
        self.v = "v." if backward else ""  # where the values are: kept for backward, or local
        self.used: list[Any] = []

    def call(self, call: Call, inputs: Sequence[str], arrays: dict[str, str], before: Sequence[str] = ()) -> str:
        """``conv2d(x, P["conv1.W"], stride=(2, 2))``, or the backward one, if something comes before the inputs."""
        function = back_of(call.function) if before else call.function
        self.used.append(function)
        parameters = inspect.signature(call.function).parameters
        parts = [*before, *inputs]
        for name, parameter in parameters.items():
            if name in arrays:
                # By position as long as nothing is left out.
                text = f'P["{arrays[name]}"]'
                parts.append(text if self._in_turn(name, parameters, arrays, len(inputs)) else f"{name}={text}")
            elif name in call.options and not _same(call.options[name], parameter.default):
                parts.append(f"{name}={_literal(call.options[name])}")
        return f"{function.__name__}({', '.join(parts)})"

    def _in_turn(self, name: str, parameters: Any, arrays: dict[str, str], count: int) -> bool:
        before = [*parameters][count : [*parameters].index(name)]
        return all(other in arrays for other in before)

    def forward(self) -> list[str]:
        """The lines of ``forward``."""
        t, v = self.traced, self.v
        lines = [f"def forward({', '.join(t.inputs)}):"]
        made = ", ".join(_batch(shape) for shape in self.out_shapes())
        lines.append(f'    """{", ".join(map(_batch, t.inputs.values()))} -> {made}."""')
        for name, shape in t.inputs.items():
            dtype = "int" if name in t.integers else "DTYPE"
            if any(s.call.function.__name__ == "standardize" and name in s.inputs for s in t.steps):
                dtype = "np.float64"
            lines.append(f"    {v}{name} = check({name}, {shape}, {dtype})")
        for step in t.steps:
            if step.comment:
                lines.append(f"    # {step.comment}")
            text = self.call(step.call, [v + name for name in step.inputs], step.arrays)
            outputs = ", ".join(v + name for name in step.outputs)
            lines.append(f"    {outputs} = {text}  # {', '.join(map(_batch, step.shapes))}")
        lines.append(f"    return {', '.join(v + name for name in t.outputs)}")
        return lines

    def out_shapes(self) -> list[Any]:
        """Of the outputs."""
        t = self.traced
        known = dict(t.inputs)
        for step in t.steps:
            known.update(zip(step.outputs, step.shapes, strict=False))
        return [known.get(name) for name in t.outputs]

    def loss(self) -> list[str]:
        """The lines of ``loss``."""
        t = self.traced
        lines = [f"def loss({', '.join([*t.inputs, *t.targets])}):"]
        lines.append('    """The loss of a batch; ``backward()`` then starts from it."""')
        lines.append(f"    forward({', '.join(t.inputs)})")
        lines += [f"    v.{name} = np.asarray({name})" for name in t.targets]
        terms = []
        for term in t.losses:
            text = self.call(term.call, [f"v.{term.scores}", f"v.{term.target}"], {})
            terms.append(text if term.weight == 1 else f"{term.weight!r} * {text}")
        lines.append(f"    return {' + '.join(terms)}")
        return lines

    def back(self) -> list[str]:
        """The lines of ``backward``."""
        t = self.traced
        several = len(t.outputs) > 1
        lines = [f"def backward({'*dys' if several else 'dy=None' if t.losses else 'dy'}):"]
        start = " of the loss, or, given dy, of what forward returned" if t.losses else ""
        lines.append(f'    """dx, with each parameter\'s gradient in G: those{start or " of what forward returned"}."""')
        lines.append("    G.clear()")
        ends, seeds = [*t.outputs], list[str]()
        from_loss, others = list[str](), [*ends]
        seen = set[str]()
        for term in t.losses:
            text = self.call(term.call, [f"v.{term.scores}", f"v.{term.target}"], {}, (repr(term.weight),))
            from_loss.append(f"d.{term.scores} = " + (f"d.{term.scores} + {text}" if term.scores in seen else text))
            seen.add(term.scores)
        others = [name for name in ends if name not in seen]
        from_loss += [f"d.{name} = np.zeros_like(v.{name})" for name in others if name not in t.integers]
        if several:
            given = [f"d.{name} = np.asarray(dys[{i}], DTYPE)" for i, name in enumerate(ends) if name not in t.integers]
        else:
            given = [f"d.{ends[0]} = np.asarray(dy, DTYPE)"]
        given += [f"d.{name} = 0.0" for name in seen if name not in ends]
        if t.losses:
            lines += [f"    if {'not dys' if several else 'dy is None'}:", *(f"        {line}" for line in from_loss)]
            lines += ["    else:", *(f"        {line}" for line in given)]
        else:
            lines += [f"    {line}" for line in given]
        seeds = [*{*ends, *seen}]
        have = {f"d.{name}" for name in seeds if name not in t.integers}
        for step in reversed(t.steps):
            lines += self._back_step(step, have)
        inputs = [f"d.{name}" if f"d.{name}" in have else "None" for name in t.inputs]
        return [*lines, f"    return {', '.join(inputs)}"]

    def _back_step(self, step: Step, have: set[str]) -> list[str]:
        outputs = [f"d.{name}" for name in step.outputs]
        if not any(name in have for name in outputs):
            return []
        parts = [
            name if name in have else "None" if name[2:] in self.traced.integers else f"np.zeros_like(v.{name[2:]})"
            for name in outputs
        ]
        dy = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
        targets, more = [], []
        for result in step.results:
            if result is None or result[2:] in self.traced.integers:
                targets.append("_")
            elif result in have:
                targets.append(f"more_{len(more) + 1}")
                more.append(f"    {result} = {result} + more_{len(more) + 1}")
            else:
                targets.append(result)
                have.add(result)
        text = self.call(step.call, [f"v.{name}" for name in step.inputs], step.arrays, (dy,))
        made = ", ".join(targets)
        return [f"    {made.replace(chr(39), chr(34))} = {text}", *(line.replace("'", '"') for line in more)]


def _batch(shape: Any) -> str:
    return f"(N, {', '.join(map(str, shape))})" if shape else "(N,)" if shape is not None else "?"


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _literal(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_literal, value)) + ("," if len(value) == 1 else "") + ")"
    return value if value == "DTYPE" else repr(value).replace("'", '"')
