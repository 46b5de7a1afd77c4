"""``Solver``: what all update rules share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import FlatBuffer, Layer, Param, Tree, aligned_zeros, pack

from .errors import NoGradientError, NonFiniteError
from .history import History
from .training import fit

Array = np.ndarray[Any, np.dtype[Any]]
STRETCH = 65_536  # elements: a rule's temporaries then stay in the cache


class RuleState:
    """The arrays that a rule keeps for one stretch of parameters, as attributes."""

    def __init__(self, arrays: dict[str, Array]) -> None:
        vars(self).update(arrays)

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"the rule keeps no array {name!r}; name it in the class's state_arrays")


class _Slot(NamedTuple):
    """Where a parameter's state lies; kept apart, for the parameter itself may have moved on."""

    flat: FlatBuffer
    start: int
    stop: int


class _Stretch(NamedTuple):
    data: Array
    grad: Array
    state: RuleState
    lr_mult: float
    decay: float


class Solver:
    """Moves a net's parameters against their gradients, by the rule that a subclass defines.

    A rule is ``update(self, data, grad, state, lr)``: elementwise, in place, on 1-D arrays; it may use
    ``grad`` as scratch. ``state`` has the arrays that the class names in ``state_arrays``, zeros at
    first, and ``self.steps`` counts the steps, this one included.

    ``step`` clips, adds weight decay, calls the rule and clears the gradients. It runs on the net's flat
    buffer, so its cost hardly depends on the number of layers. State follows each parameter through
    freezing, ``astype``, ``replace``, copies and pickles.

    Parameters
    ----------
    net : Layer
        May be unbuilt; the solver looks at its parameters at the first step.
    lr : float
        Learning rate; may be read and set at any time.
    weight_decay : float
        Adds ``weight_decay * decay_mult * data`` to each gradient (L2).
    clip_norm : float, optional
        Scales all gradients down together so that their global L2 norm is at most this.
    """

    state_arrays: tuple[str, ...] = ()

    def __init__(self, net: Layer, lr: float, *, weight_decay: float = 0.0, clip_norm: float | None = None) -> None:
        if not isinstance(net, Layer):
            raise TypeError(f"{type(self).__name__}: expected a net, got {net!r}")
        for name, value in (("lr", lr), ("weight_decay", weight_decay), ("clip_norm", clip_norm)):
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{type(self).__name__}: {name} must be a finite number of at least 0, got {value}")
        self.net, self.lr, self.weight_decay, self.clip_norm = net, lr, weight_decay, clip_norm
        self.steps = 0
        self._params: list[Param] = []
        self._frozen: list[Param] = []
        self._stretches: list[_Stretch] = []
        self._stamps: list[tuple[FlatBuffer, int]] = []
        self._arrays: dict[FlatBuffer, dict[str, Array]] = {}
        self._slots: dict[Param, _Slot] = {}
        self._tree: Tree | None = None
        self._tree_stamp = 0
        self._carried: dict[Param, dict[str, Array]] = {}

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        """Move ``data``, in place, by one step of the rule."""
        raise NotImplementedError(f"{type(self).__name__} defines no update(self, data, grad, state, lr)")

    def step(self) -> None:
        """Apply the accumulated gradients, then clear them.

        Raises
        ------
        NoGradientError
            If no ``backward`` has run since the last step.
        NonFiniteError
            If clipping meets a gradient that is not finite; nothing has been changed.
        """
        tree = self.net.tree
        if tree is not self._tree or (tree is not None and tree.stamp != self._tree_stamp):
            self.attach()  # a layer has come or gone
        elif any(flat.stamp != stamp for flat, stamp in self._stamps) or not self._stamps:
            self.attach()  # a parameter has moved, or been frozen
        idle = 0
        for p in self._params:
            idle += p.fill_if_fresh()
        if idle == len(self._params):
            raise NoGradientError(
                f"{type(self).__name__}.step: no gradient since the last step; call net.backward() first"
            )
        if self.clip_norm is not None:
            self._clip(self.clip_norm)
        self.steps += 1
        lr, weight_decay = self.lr, self.weight_decay
        for data, grad, state, lr_mult, decay_mult in self._stretches:
            if weight_decay and decay_mult:
                grad += weight_decay * decay_mult * data
            self.update(data, grad, state, lr * lr_mult)
        for p in self._params:
            p.fresh = True
        for p in self._frozen:
            p.fresh = True

    def fit(
        self,
        train: Any,
        validation: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        progress: bool = True,
    ) -> History:
        """Train for some epochs; return what each achieved.

        ``train`` and ``validation`` are ``(X, y)`` or a ``Dataset``; ``train`` may also be ``Batches``,
        which bring their own batch size, order and position. ``validation`` is evaluated after each
        epoch. Progress goes to stderr: a bar on a terminal, a line an epoch elsewhere.

        Raises
        ------
        NonFiniteError
            The moment a loss is not finite, saying where that comes from; the parameters are then as
            they were before that batch.
        """
        return fit(self, train, validation, epochs, batch_size, shuffle, seed, progress)

    def _clip(self, limit: float) -> None:
        # Per parameter: what lies between them in the flat buffer may be a rule's scratch.
        norm = math.hypot(*(_norm(p.grad) for p in self._params))
        if not math.isfinite(norm):
            raise NonFiniteError(f"{type(self).__name__}.step: the gradients' global norm is {norm}")
        if norm > limit:
            for p in self._params:
                np.multiply(p.grad, limit / norm, p.grad)

    def attach(self) -> None:
        """Look at the net's parameters anew; runs by itself whenever one was frozen, moved or replaced."""
        carried = self._carry()
        params = list(self.net.params.values())
        self._params = [p for p in params if p.trainable]
        self._frozen = [p for p in params if not p.trainable]
        if not self._params:
            raise ValueError(f"{type(self).__name__}: {self.net.where} has no trainable parameters")
        pack(params)
        self._tree = self.net.tree
        self._tree_stamp = 0 if self._tree is None else self._tree.stamp
        self._slots = {p: _Slot(p.flat, p.offset, p.offset + p.flat.padded(p)) for p in params if p.flat is not None}
        flats = dict.fromkeys(slot.flat for slot in self._slots.values())
        self._stamps = [(flat, flat.stamp) for flat in flats]
        self._arrays = {flat: {n: aligned_zeros(flat.size, flat.dtype) for n in self.state_arrays} for flat in flats}
        for p, arrays in carried.items():
            if p in self._slots:
                for name, values in arrays.items():
                    self._state(p, name)[...] = values
        self._carried = {}
        self._stretches = [stretch for run in _runs(self._params, self._slots) for stretch in self._cut(run)]

    def _state(self, p: Param, name: str) -> Array:
        slot = self._slots[p]
        return self._arrays[slot.flat][name][slot.start : slot.start + p.data.size].reshape(p.shape)

    def _carry(self) -> dict[Param, dict[str, Array]]:
        """Return each parameter's state from wherever it lies; all zeros (never used) is left out."""
        found = dict(self._carried)
        for p in self._slots:
            arrays = {name: self._state(p, name).copy() for name in self.state_arrays}
            if any(values.any() for values in arrays.values()):
                found[p] = arrays
        return found

    def _cut(self, run: list[Param]) -> list[_Stretch]:
        """Cut a run of parameters that lie side by side into stretches that fit in the cache."""
        first, (flat, start, _), stop = run[0], self._slots[run[0]], self._slots[run[-1]].stop
        pieces = [slice(a, min(a + STRETCH, stop)) for a in range(start, stop, STRETCH)]
        return [
            _Stretch(
                flat.data[piece],
                flat.grad[piece],
                RuleState({name: array[piece] for name, array in self._arrays[flat].items()}),
                first.lr_mult,
                first.decay_mult,
            )
            for piece in pieces
        ]

    def __getstate__(self) -> dict[str, Any]:
        # Views do not survive a copy: take each parameter's state along, and attach again.
        detached: dict[str, Any] = {
            "_params": [],
            "_frozen": [],
            "_stretches": [],
            "_stamps": [],
            "_arrays": {},
            "_slots": {},
            "_tree": None,
        }
        return {**vars(self), **detached, "_carried": self._carry()}


def _norm(grad: Array) -> float:
    flat = grad.ravel()
    with np.errstate(over="ignore"):
        square = float(flat.dot(flat))
    return math.sqrt(square) if math.isfinite(square) else float(np.linalg.norm(flat.astype(np.float64)))


def _runs(params: list[Param], slots: dict[Param, _Slot]) -> list[list[Param]]:
    """Group parameters that lie side by side and have the same multipliers."""
    runs: list[list[Param]] = []
    for p in sorted(params, key=lambda p: (id(slots[p].flat), slots[p].start)):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and slots[last].flat is slots[p].flat
            and slots[last].stop == slots[p].start
            and (last.lr_mult, last.decay_mult) == (p.lr_mult, p.decay_mult)
        ):
            runs[-1].append(p)
        else:
            runs.append([p])
    return runs
