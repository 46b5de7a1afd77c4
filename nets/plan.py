"""How far down a net's backward pass has to go."""

from __future__ import annotations

from typing import NamedTuple

from handbrew.layers import Layer, Param, Tree


class BackwardPlan(NamedTuple):
    """The layers above the lowest trainable one, last first, and that one; it alone need not return dx."""

    upper: tuple[Layer, ...]
    lowest: Layer | None
    witness: Param | None  # a trainable parameter of the lowest layer
    below: tuple[Param, ...]  # frozen ones further down
    tree: Tree | None
    stamp: int

    def holds(self, tree: Tree | None) -> bool:
        """Whether freezing, unfreezing and replacing have left the plan right; asked at every step."""
        if self.tree is not tree or (tree is not None and self.stamp != tree.stamp):
            return False
        if self.witness is not None and not self.witness.trainable:
            return False
        return not any(p.trainable for p in self.below)


def plan_backward(chain: tuple[Layer, ...], tree: Tree | None) -> BackwardPlan:
    """Return the plan for a chain of layers whose input needs no gradient."""
    below: list[Param] = []
    stamp = 0 if tree is None else tree.stamp
    for i, layer in enumerate(chain):
        params = layer.params.values()
        witness = next((p for p in params if p.trainable), None)
        if witness is not None:
            return BackwardPlan(chain[:i:-1], layer, witness, tuple(below), tree, stamp)
        below += params
    return BackwardPlan((), None, None, tuple(below), tree, stamp)
