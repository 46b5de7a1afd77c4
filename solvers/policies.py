"""Learning-rate policies: the rate as a function of the step. The base class, and Caffe's seven."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from handbrew.layers import Configurable, StateError


class Policy(Configurable):
    """The learning rate that a solver takes at each step: ``solver.lr = Step(0.1, gamma=0.5, step_size=1000)``.

    A subclass needs ``__call__(self, step)`` only. The unit is the solver's step, that is, one update: with
    ``iter_size=1`` an epoch has ``len(batches)`` of them. The rate depends on the step alone, so one policy can
    serve several solvers. A policy that remembers what it observes (``Plateau``) serves one, and overrides the
    other three methods as well.
    """

    def __call__(self, step: int) -> float:
        """Return the rate for the step after ``step`` steps: 0 asks for that of the first."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__(self, step)")

    def observe(self, value: float) -> None:
        """Take note of a loss; ``fit`` tells the validation loss, or without validation the training loss."""

    def state(self) -> dict[str, Any]:
        """Return what the policy remembers, as data that JSON can hold."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where ``state`` was taken.

        Raises
        ------
        StateError
            If it is the state of another kind of policy.
        """
        if state:
            raise StateError(
                f"{type(self).__name__}: remembers nothing, got a state with {', '.join(sorted(state))}; "
                f"make the policy that the state was taken from"
            )


class Fixed(Policy):
    """rate = lr: a number, where a policy is wanted."""

    def __init__(self, lr: float) -> None:
        self.lr = real(self, "lr", lr)

    def __call__(self, step: int) -> float:
        return self.lr


class Step(Policy):
    """rate = lr gamma^floor(step / step_size): multiplied by gamma every so many steps."""

    def __init__(self, lr: float, gamma: float, step_size: int) -> None:
        self.lr, self.gamma = real(self, "lr", lr), real(self, "gamma", gamma)
        self.step_size = whole(self, "step_size", step_size)

    def __call__(self, step: int) -> float:
        return self.lr * self.gamma ** (step // self.step_size)


class MultiStep(Policy):
    """rate = lr gamma^(number of milestones <= step) [Caffe: multistep, stepvalue]."""

    def __init__(self, lr: float, gamma: float, milestones: Sequence[int]) -> None:
        self.lr, self.gamma = real(self, "lr", lr), real(self, "gamma", gamma)
        self.milestones = tuple(whole(self, "each milestone", m) for m in milestones)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"MultiStep: milestones must rise, got {self.milestones}")

    def __call__(self, step: int) -> float:
        return self.lr * self.gamma ** bisect_right(self.milestones, step)


class Exponential(Policy):
    """rate = lr gamma^step [Caffe: exp]."""

    def __init__(self, lr: float, gamma: float) -> None:
        self.lr, self.gamma = real(self, "lr", lr), real(self, "gamma", gamma)

    def __call__(self, step: int) -> float:
        return self.lr * self.gamma**step


class Inverse(Policy):
    """rate = lr (1 + gamma step)^-power [Caffe: inv]. LeNet's in Caffe is ``Inverse(0.01, 1e-4, 0.75)``."""

    def __init__(self, lr: float, gamma: float, power: float) -> None:
        self.lr, self.gamma, self.power = real(self, "lr", lr), real(self, "gamma", gamma), real(self, "power", power)

    def __call__(self, step: int) -> float:
        return self.lr * (1 + self.gamma * step) ** -self.power


class Polynomial(Policy):
    """rate = lr (1 - step / steps)^power [Caffe: poly, max_iter]; from ``steps`` on it stays at 0."""

    def __init__(self, lr: float, power: float, steps: int) -> None:
        self.lr, self.power = real(self, "lr", lr), real(self, "power", power)
        self.steps = whole(self, "steps", steps)

    def __call__(self, step: int) -> float:
        return self.lr * max(0.0, 1 - step / self.steps) ** self.power


class SigmoidDecay(Policy):
    """rate = lr / (1 + exp(-gamma (step - step_size))) [Caffe: sigmoid].

    A *negative* gamma makes it fall, through lr / 2 at ``step_size``; a positive one makes it rise.
    """

    def __init__(self, lr: float, gamma: float, step_size: int) -> None:
        self.lr, self.gamma = real(self, "lr", lr), real(self, "gamma", gamma, low=-math.inf)
        self.step_size = whole(self, "step_size", step_size, low=0)

    def __call__(self, step: int) -> float:
        z = self.gamma * (step - self.step_size)
        e = math.exp(-abs(z))  # at most 1: a long run cannot overflow it
        return self.lr * (1.0 if z >= 0 else e) / (1 + e)


def as_policy(lr: float | Policy) -> Policy:
    """Return a policy as it is, and a number as a ``Fixed`` one."""
    return lr if isinstance(lr, Policy) else Fixed(lr)


def real(policy: Policy, name: str, value: float, low: float = 0.0) -> float:
    """Return an argument as a float if it is a finite number of at least ``low``.

    A plain float, because a NumPy float64 would drag a float32 net's arithmetic up.
    """
    if not (isinstance(value, Real) and math.isfinite(value) and value >= low):
        least = "" if low == -math.inf else f" of at least {low:g}"
        raise ValueError(f"{type(policy).__name__}: {name} must be a finite number{least}, got {value!r}")
    return float(value)


def whole(policy: Policy, name: str, value: int, low: int = 1) -> int:
    """Return an argument as an int if it is a whole number of at least ``low``."""
    if not (isinstance(value, Integral) and value >= low):
        raise ValueError(f"{type(policy).__name__}: {name} must be a whole number of at least {low}, got {value!r}")
    return int(value)
