"""``Solver``: what all update rules share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import Layer, Param, share, worker_threads

from .errors import NoGradientError
from .finite import global_norm, refuse_bad_gradients, refuse_bad_results
from .fitter import Fitter
from .layout import Layout, RuleState, Stretch
from .policies import Policy
from .solver_state import restore_solver, solver_state

if TYPE_CHECKING:
    from .parallel import Ranks

Array = np.ndarray[Any, np.dtype[Any]]
MANY = 64  # stretches, 4 million parameters; fewer are updated before BLAS's threads, still hot, let go of the cores


class Solver(Fitter):
    """Moves a net's parameters against their gradients, by the rule that a subclass defines.

    A rule is ``update(self, data, grad, state, lr)``: elementwise, in place, on 1-D arrays; it may use
    ``grad`` as scratch. ``state`` has the arrays that the class names in ``state_arrays``, zeros at
    first, and ``self.steps`` counts the steps, this one included.

    ``step`` averages, looks whether the gradients are finite, clips, adds weight decay, calls the rule and
    clears the gradients. It runs on the net's flat buffer, so its cost hardly depends on the number of
    layers. State follows each parameter through freezing, ``astype``, ``replace``, copies and pickles.

    Parameters
    ----------
    net : Layer
        May be unbuilt; the solver looks at its parameters at the first step.
    lr : float or Policy
        Learning rate. The attribute may be read and set at any time; a number ends a policy.
    weight_decay : float
        Adds ``weight_decay * decay_mult * data`` to each gradient (L2).
    l1 : float
        Adds ``l1 * decay_mult * sign(data)`` to each gradient (L1).
    clip_norm : float, optional
        Scales all gradients down together so that their global L2 norm is at most this.
    decoupled : bool
        Let weight decay shrink the parameters themselves, ``data -= lr * weight_decay * decay_mult * data``, past
        the rule: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    comm : mpi4py communicator, optional
        Of several processes that run this same program: together they act as one, on a batch that is all their
        batches. Each step sums the gradients over them.
    sync_batch_norm : bool
        With ``comm``: let ``BatchNorm`` take its statistics over the batches of all processes, as one process
        would. Without, each takes its own, and the running statistics are averaged.

    Attributes
    ----------
    thread_safe : bool
        Whether several threads may call ``update`` on different stretches at once: true of a rule that writes
        into its arguments only.
    """

    state_arrays: tuple[str, ...] = ()
    thread_safe: bool = False

    def __init__(
        self,
        net: Layer,
        lr: float | Policy,
        *,
        weight_decay: float = 0.0,
        l1: float = 0.0,
        clip_norm: float | None = None,
        decoupled: bool = False,
        comm: Any = None,
        sync_batch_norm: bool = False,
    ) -> None:
        if not isinstance(net, Layer):
            raise TypeError(f"{type(self).__name__}: expected a net, got {net!r}")
        for name, value in (("weight_decay", weight_decay), ("l1", l1), ("clip_norm", clip_norm)):
            if value is not None:
                self._check_rate(name, value)
        self.net, self.weight_decay, self.l1, self.clip_norm = net, weight_decay, l1, clip_norm
        self.decoupled, self.sync_batch_norm = decoupled, sync_batch_norm
        self.lr = lr
        self.given_lr = self.lr_text
        self.steps = 0
        self._layout: Layout | None = None
        self._carried: dict[Param, dict[str, Array]] = {}
        self.ranks = None if comm is None or comm.Get_size() == 1 else self._join(comm)

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> Any:
        """Move ``data``, in place, by one step of the rule."""
        raise NotImplementedError(f"{type(self).__name__} defines no update(self, data, grad, state, lr)")

    @property
    def lr(self) -> float:
        """The learning rate of the next step; set it to a number or to a ``Policy``."""
        return self._check_rate("lr", self._lr(self.steps)) if isinstance(self._lr, Policy) else self._lr

    @lr.setter
    def lr(self, value: float | Policy) -> None:
        self._lr = value if isinstance(value, Policy) else self._check_rate("lr", value)

    @property
    def policy(self) -> Policy | None:
        """What the learning rate follows, if it is no fixed number."""
        return self._lr if isinstance(self._lr, Policy) else None

    @property
    def lr_text(self) -> str:
        """The learning rate, or its policy, as text."""
        return repr(self._lr)

    def step(self, total: float | None = None) -> None:
        """Apply the accumulated gradients, then clear them.

        Parameters
        ----------
        total : float, optional
            What the gradients are divided by: the number of backward passes that they were accumulated in, or
            with ``comm`` the sum over all processes. By default 1, or the number of processes.

        Raises
        ------
        NoGradientError
            If no ``backward`` has run since the last step.
        NonFiniteError
            If a gradient is not finite; nothing has been changed.
        """
        layout = self._gradients()
        if self.ranks is not None:
            total = float(self.ranks.size) if total is None else total
            for grad in layout.grads:
                self.ranks.sum(grad)
            if not self.sync_batch_norm:
                self.ranks.average_buffers(self.net)
        self._average_and_clip(layout, 1.0 if total is None else total)
        lr, self.steps = self.lr, self.steps + 1
        if self.thread_safe and len(layout.stretches) >= MANY:
            with worker_threads():
                share([partial(self._move, stretch, lr) for stretch in layout.stretches])
        else:
            for stretch in layout.stretches:
                self._move(stretch, lr)
        for p in layout.params:
            p.fresh = True

    def check_gradients(self) -> None:
        """Look whether the gradients accumulated so far are finite; ``step`` does so, too.

        Raises
        ------
        NonFiniteError
            If one is not.
        """
        self._size_of(self._gradients())

    def check_results(self) -> None:
        """Look whether the steps so far have left parameters, and what the rule keeps, finite.

        ``fit`` does so as soon as NumPy notes an overflow in an update.

        Raises
        ------
        NonFiniteError
            If they have not.
        """
        refuse_bad_results(self.net, self._layout or self.attach())

    def _gradients(self) -> Layout:
        """Return the parameters with their gradients, all of which are filled in."""
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
        return layout

    def _size_of(self, layout: Layout) -> float:
        """Return the gradients' global L2 norm, or without clipping some number that is finite if they are."""
        if self.clip_norm is not None:
            # Per parameter: what lies between them in the flat buffer may be a rule's scratch.
            size = global_norm(layout.trainable)
        else:
            size = 0.0
            for grad in layout.grads:
                size += grad.dot(grad)
        if not math.isfinite(size):
            refuse_bad_gradients(self.net, layout.trainable)
        return size

    def _average_and_clip(self, layout: Layout, total: float) -> None:
        """Divide the gradients by ``total``, and scale them down to ``clip_norm``, once they are known to be finite."""
        size, factor = self._size_of(layout), 1 / total if total else 1.0
        if self.clip_norm is not None and size * factor > self.clip_norm:
            factor = self.clip_norm / size
        if factor != 1:
            for grad in layout.grads:
                grad *= factor

    def _move(self, stretch: Stretch, lr: float) -> None:
        """Regularise and apply the rule, on one stretch of parameters."""
        data, grad, state, lr_mult, decay_mult = stretch
        lr *= lr_mult
        if self.l1 and decay_mult:
            grad += self.l1 * decay_mult * np.sign(data)
        if self.weight_decay and decay_mult:
            decay = self.weight_decay * decay_mult
            if self.decoupled:
                data *= 1 - lr * decay
            else:
                grad += decay * data
        if self.update(data, grad, state, lr) is not None:
            raise TypeError(f"{type(self).__name__}.update returned something; it has to change data in place")

    def attach(self) -> Layout:
        """Look at the net's parameters anew; ``step`` does so by itself when one was frozen, moved or replaced.

        Only a list of layers that was changed in place (``block.parts.append(…)``) goes unnoticed: assign it
        anew, or call this.
        """
        carried = self.carried_state()
        self._layout = Layout(self.net, self.state_arrays)
        self._layout.load(carried)
        self._carried = {}
        if not self._layout.trainable:
            raise ValueError(f"{type(self).__name__}: {self.net.where} has no trainable parameters")
        return self._layout

    def settings(self) -> dict[str, Any]:
        """What was chosen, by name: all public attributes that are numbers, texts or ``None``, but for the steps."""
        plain = (bool, int, float, str, type(None))
        values = {name: v.item() if isinstance(v, np.generic) else v for name, v in vars(self).items()}
        return {
            name: value
            for name, value in values.items()
            if not name.startswith("_") and name not in ("steps", "ranks") and isinstance(value, plain)
        }

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, the net left out: plain values, and arrays by parameter's path."""
        return solver_state(self)

    def restore(self, state: Mapping[str, Any]) -> list[str]:
        """Take over what ``state`` returned; return what differs of the settings, as sentences.

        The settings stay as they are here.

        Raises
        ------
        StateError
            If it is the state of another rule or of another net's parameters; nothing has been changed.
        """
        return restore_solver(self, state)

    def carried_state(self) -> dict[Param, dict[str, Array]]:
        """Copies of the arrays that the rule keeps for each parameter, zeros left out."""
        return self._carried | (self._layout.export() if self._layout else {})

    def carry(self, states: dict[Param, dict[str, Array]]) -> None:
        """Let the rule go on with these arrays, and zeros for all that is left out."""
        self._layout, self._carried = None, states

    def _join(self, comm: Any) -> Ranks:
        """Become one of several processes."""
        from .parallel import Ranks

        ranks = Ranks(comm)
        if self.net.in_shape is not None:
            ranks.broadcast_state(self.net)
        ranks.scatter_generators(self.net)
        if self.sync_batch_norm:
            ranks.synchronise(self.net)
        return ranks

    def _check_rate(self, name: str, value: float) -> float:
        if not isinstance(value, Real):
            raise TypeError(
                f"{type(self).__name__}: {name} must be a number{' or a Policy' if name == 'lr' else ''}, got {value!r}"
            )
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{type(self).__name__}: {name} must be a finite number of at least 0, got {value}")
        return float(value)

    def __repr__(self) -> str:
        chosen = {"lr": self._lr} | {k: v for k, v in self.settings().items() if k != "given_lr" and v}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in chosen.items())})"

    def __getstate__(self) -> dict[str, Any]:
        # Views do not survive a copy: take each parameter's state along, and attach again. Nor does a communicator: a
        # copy works alone.
        return {**vars(self), "_layout": None, "_carried": self.carried_state(), "ranks": None}
