"""Learning-rate policies younger than Caffe: cosine, warm-up, one cycle, and reduction on a plateau."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from handbrew.layers import StateError

from .policies import Policy, as_policy, real, whole


class Cosine(Policy):
    """rate = end + (lr - end) (1 + cos(pi step / steps)) / 2; from ``steps`` on it stays at ``end``.

    Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017; without the restarts.
    """

    def __init__(self, lr: float, steps: int, end: float = 0.0) -> None:
        self.lr, self.end = real(self, "lr", lr), real(self, "end", end)
        self.steps = whole(self, "steps", steps)

    def __call__(self, step: int) -> float:
        return _half_wave(self.lr, self.end, step / self.steps)


class Warmup(Policy):
    """rate = start + (r - start) (step + 1) / (steps + 1) for the first ``steps`` steps;  r the policy's first rate.

    Then the policy runs from *its own* beginning: ``Warmup(Cosine(0.1, 900), 100)`` is over after 1000 steps, and
    reaches 0.1 at step 100, with no jump. No step runs at ``start`` itself, for one at rate 0 would be wasted.
    ``policy`` may be a number: that rate, held. What is observed goes to the policy, the warm-up included.

    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
    """

    def __init__(self, policy: float | Policy, steps: int, start: float = 0.0) -> None:
        self.policy = as_policy(policy)
        self.steps, self.start = whole(self, "steps", steps, low=0), real(self, "start", start)

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.policy(step - self.steps)
        return self.start + (self.policy(0) - self.start) * (step + 1) / (self.steps + 1)

    def observe(self, value: float) -> None:
        self.policy.observe(value)

    def state(self) -> dict[str, Any]:
        return self.policy.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self.policy.restore(state)


class OneCycle(Policy):
    """Up from lr / div_factor to lr, the peak, then down to lr / (div_factor final_div_factor); half a cosine each.

    The peak is at step ``pct_start * steps - 1``, the end at step ``steps - 1``, the last; there the rate stays.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    They use straight lines and a third leg; these two half waves, with these names and defaults, are PyTorch's.
    """

    def __init__(
        self,
        lr: float,
        steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        self.lr, self.steps = real(self, "lr", lr), whole(self, "steps", steps, low=2)
        if not 0 <= pct_start < 1:
            raise ValueError(f"OneCycle: pct_start is a share of the steps, in [0, 1), got {pct_start!r}")
        self.pct_start = float(pct_start)
        self.div_factor = real(self, "div_factor", div_factor, low=1.0)
        self.final_div_factor = real(self, "final_div_factor", final_div_factor, low=1.0)

    def __call__(self, step: int) -> float:
        start = self.lr / self.div_factor
        peak, last = max(0.0, self.pct_start * self.steps - 1), self.steps - 1
        if step < peak:
            return _half_wave(start, self.lr, step / peak)
        return _half_wave(self.lr, start / self.final_div_factor, (step - peak) / (last - peak))


class Plateau(Policy):
    """rate = max(minimum, lr factor^drops), with a drop whenever the observed loss has stopped falling.

    The unit is the observation, not the step: ``fit`` makes one after each evaluation. A loss below
    ``best - threshold |best|`` is the new best. After more than ``patience`` observations in a row that bring
    none, the rate drops; of the ``cooldown`` observations after that, none counts against it. A loss that is
    not finite is no improvement. PyTorch and Keras call it ReduceLROnPlateau.
    """

    def __init__(
        self,
        lr: float,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        minimum: float = 0.0,
    ) -> None:
        self.lr, self.minimum = real(self, "lr", lr), real(self, "minimum", minimum)
        self.factor, self.threshold = real(self, "factor", factor), real(self, "threshold", threshold)
        self.patience, self.cooldown = (
            whole(self, "patience", patience, low=0),
            whole(self, "cooldown", cooldown, low=0),
        )
        if self.factor >= 1 or self.minimum > self.lr:
            raise ValueError(
                f"Plateau: the rate could not fall: expected factor below 1, got {factor}, "
                f"and minimum of at most lr = {lr}, got {minimum}"
            )
        self._drops, self._bad, self._cooling = 0, 0, 0
        self._best: float | None = None

    def __call__(self, step: int) -> float:
        return max(self.minimum, self.lr * self.factor**self._drops)

    def observe(self, value: float) -> None:
        best = self._best
        if math.isfinite(value) and (best is None or value < best - self.threshold * abs(best)):
            self._best, self._bad = float(value), 0
        else:
            self._bad += 1
        if self._cooling:
            self._cooling, self._bad = self._cooling - 1, 0
        if self._bad > self.patience:
            self._drops, self._bad, self._cooling = self._drops + 1, 0, self.cooldown

    def state(self) -> dict[str, Any]:
        return {"best": self._best, "bad": self._bad, "cooling": self._cooling, "drops": self._drops}

    def restore(self, state: Mapping[str, Any]) -> None:
        if set(state) != set(self.state()):
            raise StateError(
                f"Plateau: expected a state with {', '.join(self.state())}, got {', '.join(state) or 'none'}"
            )
        self._best, self._bad, self._cooling, self._drops = (state[key] for key in self.state())


def _half_wave(start: float, end: float, share: float) -> float:
    """Go from ``start`` to ``end`` along half a cosine; ``share`` of the way, no further than its end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
