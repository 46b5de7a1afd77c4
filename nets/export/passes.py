"""The lines of ``forward``, ``loss`` and ``backward``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .call import Call
from .plain_entry import as_target, check, pixels
from .sources import back_of
from .steps import DTYPE, Step, Traced, quoted


class Passes:
    """Writes the passes of a traced net; ``used`` collects the functions that they call."""

    def __init__(self, traced: Traced, backward: bool, bytes_too: bool = False) -> None:
        self.traced = traced
        self.bytes_too = bytes_too  # whether samples are pixels, which may come as bytes
        self.v = "v." if backward else ""  # where the values are: kept for backward, or local
        self.used: list[Any] = [check, *([as_target] if traced.losses else []), *([pixels] if bytes_too else [])]
        self.reached: list[str] = []  # parameters that backward gives a gradient

    def call(self, call: Call, inputs: Sequence[str], arrays: dict[str, str], dy: str | None = None) -> str:
        """``conv2d(x, P["conv1.W"], stride=(2, 2))``; with a dy, the call of the backward function."""
        function = call.function if dy is None else back_of(call.function)
        self.used.append(function)
        parameters = inspect.signature(call.function).parameters
        parts, in_turn = [*([] if dy is None else [dy]), *inputs], True
        for name in [*parameters][len(inputs) if "xs" not in parameters else 1 :]:
            if name in arrays:
                array = f"P[{quoted(arrays[name])}]"
                parts.append(array if in_turn else f"{name}={array}")
            elif name in call.options and not _same(call.options[name], parameters[name].default):
                parts.append(f"{name}={_literal(call.options[name])}")
            in_turn &= name in arrays
        return f"{function.__name__}({', '.join(parts)})"

    def forward(self) -> list[str]:
        """Of ``forward``."""
        t, v = self.traced, self.v
        taken, made = (", ".join(batch(t.shape_of(name)) for name in names) for names in (t.inputs, t.outputs))
        said = " Pixels are from 0 to 1; bytes (uint8) are divided by 255." if self.bytes_too else ""
        lines = [f"def forward({', '.join(t.inputs)}):", f'    """{taken} -> {made}.{said}"""']
        if t.losses:
            lines.append("    vars(v).clear()  # and with it the target of an earlier loss")
        for name, shape in t.inputs.items():
            dtype = "int" if name in t.integers else "np.float64" if t.scaled else "DTYPE"
            given = f"pixels({name})" if self.bytes_too and name not in t.integers else name
            lines.append(f"    {v}{name} = check({given}, {_literal(shape)}, {dtype})")
        for step in t.steps:
            if step.comment:
                lines.append(f"    # {step.comment}")
            text = self.call(step.call, [v + name for name in step.inputs], step.arrays)
            outputs = ", ".join(v + name for name in step.outputs)
            lines.append(f"    {outputs} = {text}  # {', '.join(map(batch, step.shapes))}")
        return [*lines, f"    return {', '.join(v + name for name in t.outputs)}"]

    def loss(self, scaled: bool, named: bool) -> list[str]:
        """Of ``loss``; ``scaled``: targets come in their own units; ``named``: or by the names of classes."""
        t = self.traced
        lines = [f"def loss({', '.join([*t.inputs, *t.targets])}):"]
        lines += [
            '    """The loss of a batch; ``backward()`` then starts from it."""',
            f"    forward({', '.join(t.inputs)})",
        ]
        for name in t.targets:
            own = f'(np.asarray({name}) - P["target mean"]) / P["target deviation"]' if scaled else name
            lines.append(f"    v.{name} = as_target({own}, DTYPE{', CLASSES' if named else ''})")
        terms = []
        for term in t.losses:
            text = self.call(term.call, [f"v.{term.scores}", f"v.{term.target}"], {})
            terms.append(text if term.weight == 1 else f"{term.weight!r} * {text}")
        return [*lines, f"    return {' + '.join(terms)}"]

    def backward(self) -> list[str]:
        """Of ``backward``."""
        t, several = self.traced, len(self.traced.outputs) > 1
        what = "what forward returned" + (", or, without dy, of the loss" if t.losses else "")
        arguments = "*dys" if several else "dy=None" if t.losses else "dy"
        lines = [f"def backward({arguments}):"]
        lines.append(f'    """dx, with each parameter\'s gradient in G, from the gradient of {what}."""')
        lines += self._refuse_too_early(several)
        lines.append("    G.clear()")
        ends = [name for name in t.outputs if name not in t.integers]
        given = list[str]()
        for place, name in enumerate(t.outputs):
            if name in ends:
                before = f"d.{name} + " if name in t.outputs[:place] else ""  # one value, returned twice
                given.append(f"d.{name} = {before}np.asarray({f'dys[{place}]' if several else 'dy'}, DTYPE)")
        have = dict.fromkeys(f"d.{name}" for name in ends)
        if t.losses:
            of_loss, seen = list[str](), set[str]()
            for term in t.losses:
                text = self.call(term.call, [f"v.{term.scores}", f"v.{term.target}"], {}, repr(term.weight))
                of_loss.append(f"d.{term.scores} = {f'd.{term.scores} + ' if term.scores in seen else ''}{text}")
                seen.add(term.scores)
            of_loss += [f"d.{name} = np.zeros_like(v.{name})" for name in ends if name not in seen]
            given += [f"d.{name} = 0.0" for name in sorted(seen.difference(ends))]
            have |= dict.fromkeys(f"d.{name}" for name in sorted(seen))
            lines += [f"    if {'not dys' if several else 'dy is None'}:", *(f"        {line}" for line in of_loss)]
            lines += ["    else:", *(f"        {line}" for line in given)]
        else:
            lines += [f"    {line}" for line in given]
        for step in reversed(t.steps):
            lines += self._back_through(step, have)
        self.reached = [name for name in t.weights if f"G[{quoted(name)}]" in have]
        return [*lines, f"    return {', '.join(f'd.{name}' if f'd.{name}' in have else 'None' for name in t.inputs)}"]

    def _refuse_too_early(self, several: bool) -> list[str]:
        """What says that there is nothing to go back from yet."""
        t = self.traced
        given, first = ", ".join(t.inputs), next(iter(t.inputs))
        lines = [f'    if not hasattr(v, "{first}"):', f'        raise ValueError("call forward({given}) first")']
        if t.losses:
            missing = f'not hasattr(v, "{t.targets[-1]}")'
            both = ", ".join([*t.inputs, *t.targets])
            start = f"    if {'not dys' if several else 'dy is None'} and {missing}:"
            lines = [start, f'        raise ValueError("call loss({both}) first")', *lines]
        return lines

    def _back_through(self, step: Step, have: dict[str, None]) -> list[str]:
        """The gradients of one step; ``have``: those that are there, to be added to."""
        outputs, integers = [f"d.{name}" for name in step.outputs], self.traced.integers
        if not any(name in have for name in outputs):
            return []
        parts = [d if d in have else "None" if d[2:] in integers else f"np.zeros_like(v.{d[2:]})" for d in outputs]
        targets, sums = list[str](), list[str]()
        for result in step.results:
            if result is None or result[2:] in integers:
                targets.append("_")
            elif result in have:
                targets.append(f"more_{len(sums) + 1}")
                sums.append(f"    {result} = {result} + more_{len(sums) + 1}")
            else:
                targets.append(result)
                have[result] = None
        if all(target == "_" for target in targets):
            return []
        dy = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
        text = self.call(step.call, [f"v.{name}" for name in step.inputs], step.arrays, dy)
        return [f"    {', '.join(targets)} = {text}", *sums]


def batch(shape: Any) -> str:
    """A shape with the samples' axis."""
    return "?" if shape is None else f"(N, {', '.join(map(str, shape))})" if shape else "(N,)"


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _literal(value: Any) -> str:
    """A value as Python text."""
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(map(_literal, value)) + ("," if len(value) == 1 else "") + ")"
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    return "DTYPE" if value is DTYPE else quoted(value) if isinstance(value, str) else repr(value)
