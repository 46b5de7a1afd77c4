"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Layer

from .layout import RuleState
from .policies import Policy
from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]


class SGD(Solver):
    """v = momentum v + lr g;  w -= v;  with ``nesterov``, w -= momentum v + lr g.

    The learning rate is inside v, as in Caffe, so a drop of it does not rescale the momentum gathered
    so far. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever
    et al., "On the importance of initialization and momentum in deep learning", 2013. The other
    parameters are those of ``Solver``.
    """

    state_arrays = ("velocity",)
    thread_safe = True

    def __init__(
        self,
        net: Layer,
        lr: float | Policy = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(net, lr, weight_decay=weight_decay, clip_norm=clip_norm, **options)
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum must be in [0, 1), got {momentum}")
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum, such as 0.9")
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        grad *= lr
        if self.momentum:
            velocity = state.velocity
            velocity *= self.momentum
            velocity += grad
            if self.nesterov:
                grad += self.momentum * velocity
            else:
                grad = velocity
        data -= grad
