"""``Spec``: a layer of a prototxt on its way to a layer of handbrew's; ``Kind``: what is known of its type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Layer

MANY = 1 << 30


class Spec(NamedTuple):
    """A ``LayerParameter`` and what of the net around it matters."""

    proto: Any
    place: int
    rank: int | None = None  # number of axes of the first bottom, where that is known

    @property
    def where(self) -> str:
        """The layer as errors call it: ``layer 3, 'conv2' (Convolution)``."""
        return f"layer {self.place}, {self.proto.name!r:.80} ({self.proto.type:.80})"

    def error(self, text: str) -> FileFormatError:
        """What is wrong with the layer, as an error to raise."""
        return FileFormatError(f"{self.where}: {text}")

    def axis(self, axis: int) -> int:
        """An axis counted from the front, where that can be said."""
        return axis + self.rank if axis < 0 and self.rank is not None else axis


Made = Layer | tuple[Layer, ...]  # several: one after the other


def same_rank(spec: Spec) -> int | None:
    """Of a layer whose tops have as many axes as its (first) bottom."""
    return spec.rank


class Kind(NamedTuple):
    """A type of Caffe's layers: how to make it, and how many bottoms and tops it has, at least and at most."""

    make: Callable[[Spec], Made]
    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)
    rank: Callable[[Spec], int | None] = same_rank
    paired: bool = False  # as many tops as bottoms, each made of one with the same weights


def short(number: float) -> float:
    """A float32 of a message as the number that was written: 0.1, not 0.10000000149011612."""
    return float(str(np.float32(number)))


class InexpressibleError(ValueError):
    """A layer that Caffe does not have."""
