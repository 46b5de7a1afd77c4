"""How far down a net's backward pass has to go."""

from __future__ import annotations

from typing import NamedTuple

from handbrew.layers import Layer, Param


class BackwardPlan(NamedTuple):
    """The layers above the lowest trainable one, last first, and that one; it alone need not return dx."""

    upper: tuple[Layer, ...]
    lowest: Layer | None
    witness: Param | None  # a trainable parameter of the lowest layer
    below: tuple[Layer, ...]  # further down, those that have parameters, or might get some: all frozen

    def holds(self) -> bool:
        """Whether freezing, unfreezing and replacing have left the plan right; asked at every step."""
        if self.witness is not None and not self.witness.trainable:
            return False
        return not any(p.trainable for layer in self.below for p in layer.params.values())


def plan_backward(chain: tuple[Layer, ...]) -> BackwardPlan:
    """Return the plan for a chain of layers whose input needs no gradient."""
    below: list[Layer] = []
    for i, layer in enumerate(chain):
        params = layer.params.values()
        witness = next((p for p in params if p.trainable), None)
        if witness is not None:
            return BackwardPlan(chain[:i:-1], layer, witness, tuple(below))
        if params or layer.children:
            below.append(layer)
    return BackwardPlan((), None, None, tuple(below))
