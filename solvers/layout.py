"""Where a net's parameters and a rule's state lie in memory, and the stretches that the rule is fed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import FlatBuffer, Layer, Param, aligned_zeros, pack

Array = np.ndarray[Any, np.dtype[Any]]
STRETCH = 65_536  # elements: a rule's temporaries then stay in the cache


class RuleState:
    """The arrays that a rule keeps for one stretch of parameters, as attributes."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        vars(self).update(arrays)

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"the rule keeps no array {name!r}; name it in the class's state_arrays")


class Stretch(NamedTuple):
    """1-D views of parameters that lie side by side and have the same multipliers."""

    data: Array
    grad: Array
    state: RuleState
    lr_mult: float
    decay_mult: float


class _Slot(NamedTuple):
    """Where a parameter's state lies; kept apart, for the parameter itself may move on."""

    flat: FlatBuffer
    start: int
    stop: int


class Layout:
    """The parameters of a net as a solver sees them, until one comes, goes, moves or is frozen.

    ``names`` are the arrays that the rule keeps; they start as zeros, in the layout of the flat buffers.
    ``grads`` are the gradients of all trainable parameters, one array for each run of them in memory.
    """

    def __init__(self, net: Layer, names: tuple[str, ...]) -> None:
        self.names = names
        self.params = list(net.params.values())
        self.trainable = [p for p in self.params if p.trainable]
        pack(self.params)
        self._slots = {p: _Slot(p.flat, p.offset, p.offset + p.flat.padded(p)) for p in self.params if p.flat}
        flats = dict.fromkeys(slot.flat for slot in self._slots.values())
        self._arrays = {flat: {name: aligned_zeros(flat.size, flat.dtype) for name in names} for flat in flats}
        self._stamps = [(flat, flat.stamp) for flat in flats]
        self._tree, self._tree_stamp = net.tree, net.tree.stamp if net.tree else 0
        runs = self._runs()
        self.grads = [self._slots[run[0]].flat.grad[self._span(run)] for run in runs]
        self.stretches = [stretch for run in runs for stretch in self._cut(run)]

    def holds(self, net: Layer) -> bool:
        """Whether all is as it was; asked at every step, so it must be quick."""
        tree = net.tree
        if tree is not self._tree or (tree is not None and tree.stamp != self._tree_stamp):
            return False  # a layer has come or gone
        return not any(flat.stamp != stamp for flat, stamp in self._stamps)

    def state(self, p: Param, name: str) -> Array:
        """Return what the rule keeps for a parameter under a name, in the parameter's shape."""
        flat, start, _ = self._slots[p]
        return self._arrays[flat][name][start : start + p.data.size].reshape(p.shape)

    def export(self) -> dict[Param, dict[str, Array]]:
        """Return copies of each parameter's state; what is all zeros (never used) is left out."""
        found = {p: {name: self.state(p, name).copy() for name in self.names} for p in self.params}
        return {p: arrays for p, arrays in found.items() if any(values.any() for values in arrays.values())}

    def load(self, states: dict[Param, dict[str, Array]]) -> None:
        """Take over the state of those parameters that are still here."""
        for p, arrays in states.items():
            if p in self._slots:
                for name, values in arrays.items():
                    self.state(p, name)[...] = values

    def _runs(self) -> list[list[Param]]:
        """Group trainable parameters that lie side by side and have the same multipliers."""
        runs: list[list[Param]] = []
        order = {flat: number for number, flat in enumerate(self._arrays)}  # the same in all processes
        for p in sorted(self.trainable, key=lambda p: (order[self._slots[p].flat], p.offset)):
            if runs and self._continues(runs[-1][-1], p):
                runs[-1].append(p)
            else:
                runs.append([p])
        return runs

    def _continues(self, last: Param, p: Param) -> bool:
        before, here = self._slots[last], self._slots[p]
        alike = (last.lr_mult, last.decay_mult) == (p.lr_mult, p.decay_mult)
        return alike and before.flat is here.flat and before.stop == here.start

    def _span(self, run: list[Param]) -> slice:
        return slice(self._slots[run[0]].start, self._slots[run[-1]].stop)

    def _cut(self, run: list[Param]) -> list[Stretch]:
        """Cut a run into stretches that fit in the cache."""
        first, flat, span = run[0], self._slots[run[0]].flat, self._span(run)
        pieces = [slice(a, min(a + STRETCH, span.stop)) for a in range(span.start, span.stop, STRETCH)]
        return [
            Stretch(
                flat.data[piece],
                flat.grad[piece],
                RuleState({name: array[piece] for name, array in self._arrays[flat].items()}),
                first.lr_mult,
                first.decay_mult,
            )
            for piece in pieces
        ]
