"""The text of an exported file, from its first line to its last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .kinds_losses import meaning_call
from .passes import Passes
from .plain_entry import difference, own_units
from .sources import source_of
from .steps import Traced

HEAD = '''"""{kind}, exported by handbrew. NumPy is all it needs; the weights are in {stem}.npz.

    from {stem} import {names}

``python {stem}.py`` runs a stored input through, and compares with what handbrew made of it.
"""

{imports}

import numpy as np

Array = np.ndarray
{types}
DTYPE = np.{dtype}
with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as file:
    P = {{name: file[name] for name in file.files}}  # what was learned, by layer
TEST = {{name.removeprefix("test "): P.pop(name) for name in [*P] if name.startswith("test ")}}
'''
KEPT = """v = SimpleNamespace()  # the values of the last forward pass, for backward
d = SimpleNamespace()  # their gradients
G = {}  # the parameters' gradients
"""
END = """if __name__ == "__main__":
    sys.exit(0 if self_test() else 1)
"""


class Wording(NamedTuple):
    """What the file says besides the net's passes."""

    kind: str
    stem: str
    dtype: str
    backward: bool
    loss: Any
    classes: Sequence[str] | None
    scaled: bool  # whether targets are


def compose(traced: Traced, wording: Wording, passes: Passes) -> str:
    """The whole text."""
    blocks = [_lines(passes.forward()), *_predict(traced, wording, passes)]
    names = ["forward", *(["predict"] if len(blocks) > 1 else [])]
    if wording.classes is not None:
        names.append("classify")
        blocks.append(
            "def classify(x):\n"
            '    """The name of the most probable class of each sample."""\n'
            "    return [CLASSES[i] for i in predict(x).argmax(axis=1)]\n"
        )
    if traced.losses:
        names.append("loss")
        blocks.append(_lines(passes.loss(wording.scaled, wording.classes is not None)))
    if wording.backward:
        names.append("backward")
        blocks.append(_lines(passes.backward()))
    blocks += [_self_test(traced, wording), END]
    functions = source_of([difference, *([own_units] if wording.scaled else []), *passes.used])
    imports = ["import math"] if "math." in functions else []
    imports += ["import sys", "from pathlib import Path"]
    imports += ["from types import SimpleNamespace"] if wording.backward else []
    imports += ["from typing import Any"] if "Any" in functions else []
    shapes = " = ".join(name for name in ("Shape", "Pair", "Borders") if re.search(rf"\b{name}\b", functions))
    head = HEAD.format(
        **wording._asdict(),
        names=", ".join(names),
        imports="\n".join(imports),
        types=f"{shapes} = tuple\n" if shapes else "",
    )
    if wording.classes is not None:
        head += f"CLASSES = {tuple(map(str, wording.classes))!r}\n"
    head += KEPT if wording.backward else ""
    return "\n\n".join([head, _section("the kinds of layers"), functions, _section("the net"), *blocks])


def _predict(traced: Traced, wording: Wording, passes: Passes) -> list[str]:
    """``predict``: what the scores mean."""
    t = traced
    if wording.loss is not None and t.scores not in t.outputs:
        return []
    given = ", ".join(t.inputs)
    several = wording.loss is not None and len(t.outputs) > 1
    scores = f"forward({given})" + (f"[{t.outputs.index(t.scores)}]" if several else "")
    call = meaning_call(wording.loss, 1 + len(t.shape_of(t.scores)))
    said = "What forward returns."
    if call is not None:
        scores, said = passes.call(call, [scores], {}), "Probabilities."
    elif wording.scaled:
        scores = f'own_units({scores}, P["target mean"], P["target deviation"])'
        said = "Quantities, in their own units."
    return [f'def predict({given}):\n    """{said}"""\n    return {scores}\n']


def _self_test(traced: Traced, wording: Wording) -> str:
    given = ", ".join(f'TEST["{name}"]' for name in traced.inputs)
    if len(traced.outputs) == 1:
        lines = [f'results = {{"forward": (forward({given}), TEST["forward 0"])}}']
    else:
        pairs = f'(y, TEST[f"forward {{i}}"]) for i, y in enumerate(forward({given}))'
        lines = [f'results = {{f"forward {{i}}": {pairs}}}']
    if wording.backward:
        seed = ", ".join(f'TEST["dy {i}"]' for i in range(len(traced.outputs)))
        if traced.losses:
            targets = "".join(f', TEST["{name}"]' for name in traced.targets)
            lines.append(f'results["loss"] = loss({given}{targets}), TEST["loss"]')
            seed = ""
        dxs = f"backward({seed})" if len(traced.inputs) > 1 else f"[backward({seed})]"
        lines += [
            f"for i, dx in enumerate({dxs}):",
            "    if dx is not None:",
            '        results[f"dx {i}"] = dx, TEST[f"dx {i}"]',
            'results |= {f"d {name}": (G[name], TEST[f"d {name}"]) for name in P if f"d {name}" in TEST}',
        ]
    lines += [
        "for name, (found, expected) in results.items():",
        '    print(f"{name}: differs by {difference(found, expected):.1e} of its largest number")',
        "return all(difference(found, expected) <= 1e-6 for found, expected in results.values())",
    ]
    return _lines(
        [
            "def self_test():",
            '    """Compare with the stored results, in float64: what differs there is no rounding."""',
            "    global DTYPE",
            "    dtype, learned = DTYPE, dict(P)",
            "    DTYPE = np.float64",
            "    P.update({name: array.astype(DTYPE) for name, array in P.items()})",
            "    try:",
            *(f"        {line}" for line in lines),
            "    finally:",
            "        DTYPE = dtype",
            "        P.update(learned)",
        ]
    )


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _section(name: str) -> str:
    return f"# ---- {name}\n"
