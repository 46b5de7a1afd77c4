"""Which shapes a layer makes of others, found out with arrays that take no memory where only their shape matters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from handbrew.layers import Layer, inference

from .base import Array, OnnxLayer

FEW, MOST, TOGETHER = 1024, 2**24, 2**28


def blank(shape: Iterable[int], dtype: Any) -> Array:
    """Zeros that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


class Sketchpad:
    """Runs layers on stand-ins for their inputs, as long as that is little work."""

    def __init__(self) -> None:
        self.spent = 0

    def run(self, layer: Layer, inputs: list[Array], dtype: Any) -> tuple[Array, ...] | None:
        """What stands for the outputs; ``None`` if that would be much work. It builds the layer.

        A layer of handbrew's own only says its output's shape, and keeps axis 0; one for an operator is run.
        """
        if any(x.size > MOST for x in inputs):
            return None
        if not isinstance(layer, OnnxLayer):
            shapes = tuple(x.shape[1:] for x in inputs)
            made = layer.build(shapes[0] if len(shapes) == 1 else shapes)
            several = bool(made) and isinstance(made[0], tuple)
            outputs = [(len(inputs[0]), *shape) for shape in (made if several else (made,))]
            return None if any(math.prod(s) > MOST for s in outputs) else tuple(blank(s, dtype) for s in outputs)
        self.spent += sum(x.size for x in inputs)
        if self.spent > TOGETHER:
            return None
        with inference(layer), np.errstate(all="ignore"):
            ys = layer.forward(*inputs)
        layer.meet_first()  # its first real inputs may be of other shapes
        found = ys if isinstance(ys, tuple) else (ys,)
        return tuple(y if y.size <= FEW else blank(y.shape, y.dtype) for y in found)
