"""``Solver``: what all update rules share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import Layer, Param

from .errors import NoGradientError, NonFiniteError
from .history import History
from .layout import Layout, RuleState
from .training import fit

Array = np.ndarray[Any, np.dtype[Any]]


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
        self._layout: Layout | None = None
        self._carried: dict[Param, dict[str, Array]] = {}

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> Any:
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
        layout = self._layout
        if layout is None or not layout.holds(self.net):
            layout = self.attach()
        idle = 0
        for p in layout.trainable:
            idle += p.fill_if_fresh()
        if idle == len(layout.trainable):
            raise NoGradientError(
                f"{type(self).__name__}.step: no gradient since the last step; call net.backward() first"
            )
        if self.clip_norm is not None:
            self._clip(layout.trainable, self.clip_norm)
        self.steps += 1
        lr, weight_decay = self.lr, self.weight_decay
        for data, grad, state, lr_mult, decay_mult in layout.stretches:
            if weight_decay and decay_mult:
                grad += weight_decay * decay_mult * data
            if self.update(data, grad, state, lr * lr_mult) is not None:
                raise TypeError(f"{type(self).__name__}.update returned something; it has to change data in place")
        for p in layout.params:
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
        which bring their own batch size, order and position. Called again, it shuffles as before: pass another
        ``seed``, or the same ``Batches``, which go on with their next epoch. ``validation`` is evaluated after each
        epoch. Progress goes to stderr: a bar on a terminal, a line an epoch elsewhere.

        Raises
        ------
        NonFiniteError
            The moment a loss is not finite, saying where that comes from; the parameters are then as
            they were before that batch.
        """
        return fit(self, train, validation, epochs, batch_size, shuffle, seed, progress)

    def attach(self) -> Layout:
        """Look at the net's parameters anew; ``step`` does so by itself when one was frozen, moved or replaced.

        Only a list of layers that was changed in place (``block.parts.append(…)``) goes unnoticed: assign it
        anew, or call this.
        """
        carried = self._carry()
        self._layout = Layout(self.net, self.state_arrays)
        self._layout.load(carried)
        self._carried = {}
        if not self._layout.trainable:
            raise ValueError(f"{type(self).__name__}: {self.net.where} has no trainable parameters")
        return self._layout

    def _clip(self, params: list[Param], limit: float) -> None:
        # Per parameter: what lies between them in the flat buffer may be a rule's scratch.
        norm = math.hypot(*(_norm(p.grad) for p in params))
        if not math.isfinite(norm):
            raise NonFiniteError(f"{type(self).__name__}.step: the gradients' global norm is {norm}")
        if norm > limit:
            for p in params:
                np.multiply(p.grad, limit / norm, p.grad)

    def _carry(self) -> dict[Param, dict[str, Array]]:
        return self._carried | (self._layout.export() if self._layout else {})

    def __getstate__(self) -> dict[str, Any]:
        # Views do not survive a copy: take each parameter's state along, and attach again.
        return {**vars(self), "_layout": None, "_carried": self._carry()}


def _norm(grad: Array) -> float:
    flat = grad.ravel()
    with np.errstate(over="ignore"):
        square = float(flat.dot(flat))
    return math.sqrt(square) if math.isfinite(square) else float(np.linalg.norm(flat.astype(np.float64)))
