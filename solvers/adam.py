"""Adam, and AdamW, which decays weights apart from the gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import Layer

from .adaptive import fraction, positive
from .layout import RuleState
from .policies import Policy
from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]
LARGE = 65_536  # elements; a small net's training may be over before Numba is imported


class Adam(Solver):
    """m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g²;  w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).

    Both running means start at zero; the factor corrects for it, t being the number of the step, from 1 on.
    This is Caffe's form and that at the end of section 2 of the paper, where eps is called epsilon hat. With
    ``eps_corrected`` it is the paper's algorithm 1, w -= lr m' / (sqrt(v') + eps) with corrected means m' and v',
    as in PyTorch; the two differ where gradients are as small as eps. Kingma and Ba, "Adam: a method for
    stochastic optimization", 2015. The other parameters are those of ``Solver``.

    Parameters
    ----------
    beta1, beta2 : float
        How much of m [momentum] and of v [momentum2] is kept at each step.
    eps : float
        Keeps the divisor above zero [delta].
    eps_corrected : bool
        Add eps to the corrected root, not to the raw one.

    Notes
    -----
    The arrays kept are the plain sums m / (1 - b1) and v / (1 - b2): what is left out of them goes into eps and
    the learning rate, which are numbers, and saves two passes over memory.
    """

    state_arrays = ("gradients", "squares")
    thread_safe = True

    def __init__(
        self,
        net: Layer,
        lr: float | Policy = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_corrected: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(net, lr, **options)
        self.beta1, self.beta2 = fraction(self, "beta1", beta1), fraction(self, "beta2", beta2)
        self.eps, self.eps_corrected = positive(self, "eps", eps), eps_corrected

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        m, v = state.gradients, state.squares
        root, correction = math.sqrt(1 - self.beta2), math.sqrt(1 - self.beta2**self.steps)
        eps = (self.eps * correction if self.eps_corrected else self.eps) / root
        step = lr * correction / (1 - self.beta1**self.steps) * (1 - self.beta1) / root
        if data.size >= LARGE:
            from . import _compiled

            if _compiled.adam(data, grad, m, v, self.beta1, self.beta2, eps, step):
                return
        m *= self.beta1
        m += grad
        grad *= grad
        v *= self.beta2
        v += grad
        np.sqrt(v, out=grad)
        grad += eps
        np.divide(m, grad, out=grad)
        grad *= step
        data -= grad


class AdamW(Adam):
    """w -= lr weight_decay w, and then the step of ``Adam(eps_corrected=True)``.

    Weights decay at a rate of their own instead of through the gradient, which Adam would scale away. Here as in
    PyTorch the learning rate multiplies the decay, so that a policy goes for both. Loshchilov and Hutter,
    "Decoupled weight decay regularization", 2019. The parameters are those of ``Adam``.
    """

    def __init__(
        self,
        net: Layer,
        lr: float | Policy = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        eps_corrected: bool = True,
        weight_decay: float = 0.01,
        decoupled: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            net, lr, beta1, beta2, eps, eps_corrected, weight_decay=weight_decay, decoupled=decoupled, **options
        )
