"""Rules that divide each step by what the gradients were like so far: AdaGrad, RMSProp, AdaDelta."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from handbrew.layers import Layer

from .layout import RuleState
from .policies import Policy
from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]


class AdaGrad(Solver):
    """h += g²;  w -= lr g / (sqrt(h) + eps).

    Each element's steps shrink as its squared gradients add up, those of rarely used ones the least. Duchi,
    Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
    The other parameters are those of ``Solver``.

    Parameters
    ----------
    eps : float
        Keeps the divisor above zero [delta].
    eps_inside : bool
        Divide by sqrt(h + eps) instead, as some textbooks do. Caffe and PyTorch have eps outside.
    """

    state_arrays = ("squares",)
    thread_safe = True

    def __init__(
        self, net: Layer, lr: float | Policy = 0.01, eps: float = 1e-8, eps_inside: bool = False, **options: Any
    ) -> None:
        super().__init__(net, lr, **options)
        self.eps, self.eps_inside = positive(self, "eps", eps), eps_inside

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        h, scratch = state.squares, grad * grad
        h += scratch
        grad /= divisor(h, self.eps, self.eps_inside, scratch)
        grad *= lr
        data -= grad


class RMSProp(Solver):
    """h = rho h + (1 - rho) g²;  w -= lr g / (sqrt(h) + eps).

    AdaGrad with a running mean, which forgets, in place of the sum. Tieleman and Hinton, "Lecture 6.5:
    RMSProp", Coursera, 2012. The other parameters are those of ``Solver``.

    Parameters
    ----------
    rho : float
        How much of the mean is kept at each step [rms_decay].
    eps : float
        Keeps the divisor above zero [delta].
    eps_inside : bool
        Divide by sqrt(h + eps) instead, as TensorFlow's first version does. Caffe and PyTorch have eps outside.
    """

    state_arrays = ("mean_square",)
    thread_safe = True

    def __init__(
        self,
        net: Layer,
        lr: float | Policy = 0.001,
        rho: float = 0.99,
        eps: float = 1e-8,
        eps_inside: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(net, lr, **options)
        self.rho, self.eps, self.eps_inside = fraction(self, "rho", rho), positive(self, "eps", eps), eps_inside

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        h, scratch = state.mean_square, grad * grad
        average_in(h, scratch, self.rho)
        grad /= divisor(h, self.eps, self.eps_inside, scratch)
        grad *= lr
        data -= grad


class AdaDelta(Solver):
    """h = rho h + (1 - rho) g²;  u = g sqrt((U + eps) / (h + eps));  U = rho U + (1 - rho) u²;  w -= lr u.

    The step's size comes from that of the steps before, so ``lr`` may stay at 1; eps decides how the first ones
    come about. Zeiler, "ADADELTA: an adaptive learning rate method", 2012. The other parameters are those of
    ``Solver``.

    Parameters
    ----------
    rho : float
        How much of both means is kept at each step [momentum].
    eps : float
        Added to both means [delta].
    """

    state_arrays = ("mean_square", "mean_square_step")
    thread_safe = True

    def __init__(
        self, net: Layer, lr: float | Policy = 1.0, rho: float = 0.95, eps: float = 1e-6, **options: Any
    ) -> None:
        super().__init__(net, lr, **options)
        self.rho, self.eps = fraction(self, "rho", rho), positive(self, "eps", eps)

    def update(self, data: Array, grad: Array, state: RuleState, lr: float) -> None:
        h, U, scratch = state.mean_square, state.mean_square_step, grad * grad
        average_in(h, scratch, self.rho)
        np.add(U, self.eps, out=scratch)
        scratch /= h + self.eps
        grad *= np.sqrt(scratch, out=scratch)
        average_in(U, np.multiply(grad, grad, out=scratch), self.rho)
        grad *= lr
        data -= grad


def average_in(mean: Array, values: Array, keep: float) -> None:
    """Set ``mean`` to keep mean + (1 - keep) values, in place; ``values`` is scratch afterwards."""
    mean *= keep
    values *= 1 - keep
    mean += values


def divisor(squares: Array, eps: float, eps_inside: bool, out: Array) -> Array:
    """Return sqrt(squares) + eps, or sqrt(squares + eps), in ``out``."""
    if eps_inside:
        return np.sqrt(np.add(squares, eps, out=out), out=out)
    return np.add(np.sqrt(squares, out=out), eps, out=out)


def positive(rule: Solver, name: str, value: float) -> float:
    """Return an argument as a float if it is a finite number above 0; a NumPy float64 would drag float32 up."""
    if not (isinstance(value, Real) and 0 < value < math.inf):
        raise ValueError(f"{type(rule).__name__}: {name} must be a finite number above 0, got {value!r}")
    return float(value)


def fraction(rule: Solver, name: str, value: float) -> float:
    """Return an argument as a float if it is in [0, 1): what is kept of a mean at each step."""
    if not (isinstance(value, Real) and 0 <= value < 1):
        raise ValueError(f"{type(rule).__name__}: {name} must be in [0, 1), got {value!r}")
    return float(value)
