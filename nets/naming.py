"""What a chain's members are, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handbrew.layers import Layer


def check_member(layer: Any, place: int, net: str = "Sequential") -> None:
    """Refuse what is no layer."""
    if not isinstance(layer, Layer):
        hint = "; write it with parentheses" if isinstance(layer, type) else ""
        if isinstance(layer, (list, tuple)):
            hint = "; unpack them: Sequential(*layers)"
        raise TypeError(f"{net}: expected layers, got {layer!r} in place {place}{hint}")


def names_of(layers: Sequence[Layer], net: str = "Sequential") -> tuple[str, ...]:
    """Return the layers' names: given by ``named``, or counted per class."""
    names: list[str] = []
    counts: dict[str, int] = {}
    for layer in layers:
        kind = type(layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        names.append(layer._name or f"{kind}{counts[kind]}")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{net}: two layers are called {', '.join(twice)}")
    return tuple(names)
