"""Initialisers that several operators read: one array in the file is one in the net."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import Layer

from .tensors import Array

Origins = frozenset[str]


class Use(NamedTuple):
    """A layer, with what its weights hold and which initialisers they come from; or no layer, for a parameter."""

    told: str
    origins: tuple[Origins, ...]
    layer: Layer | None
    weights: Mapping[str, Array]


class Uses:
    """Which layers have which initialisers for weights.

    Only matrices and kernels are watched: exporters put together vectors (biases, statistics) that happen to be equal.

    Attributes
    ----------
    origins : dict
        The initialisers that a constant comes from.
    shared : set
        Those that layers use that cannot be twins.
    """

    def __init__(self) -> None:
        self.origins: dict[str, Origins] = {}
        self.shared: set[str] = set()
        self._uses: dict[str, Use] = {}  # the first one of each

    def comes_from(self, name: str, sources: Iterable[str]) -> None:
        """Take note that a constant was worked out from these."""
        self.origins[name] = Origins().union(*(self.origins.get(source, ()) for source in sources))

    def twin(self, layer: Layer, weights: Mapping[str, Array], names: Iterable[str], constants: Any) -> Layer | None:
        """A layer tied to an earlier one with the same weights, or ``None`` if there is none."""
        names = tuple(names)
        use = Use(repr(layer), tuple(self.origins.get(name, Origins()) for name in names), layer, weights)
        before = self._note(use, [name for name in names if constants[name].ndim > 1])
        return None if before is None or before.layer is None else before.layer.tied()

    def parameter(self, name: str, array: Array) -> None:
        """Take note that an operator reads this constant, whose value is learned."""
        self._note(Use(name, (), None, {}), [name] if array.ndim > 1 else [])

    def _note(self, use: Use, names: list[str]) -> Use | None:
        sources = [source for name in names for source in self.origins.get(name, ())]
        before = [self._uses[source] for source in sources if source in self._uses]
        same = [other for other in before if _alike(use, other)]
        if len(same) < len(before) or len(set(sources)) < len(sources) or 0 < len(before) < len(sources):
            self.shared.update(sources)
        for source in sources:
            self._uses.setdefault(source, use)
        return same[0] if same and len(same) == len(sources) else None


def _alike(a: Use, b: Use) -> bool:
    return (
        (a.told, a.origins, a.weights.keys()) == (b.told, b.origins, b.weights.keys())
        and (a.layer is None) == (b.layer is None)
        and all(np.array_equal(a.weights[key], b.weights[key]) for key in a.weights)
    )
