"""The solvers' names on the command line, with the numbers that each takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from handbrew.solvers import SGD, AdaDelta, AdaGrad, Adam, AdamW, RMSProp, Solver


@dataclass(frozen=True)
class Rule:
    """A solver's class and its numbers; ``lr`` and ``weight_decay`` are ``None`` where net and data decide."""

    make: type[Solver]
    numbers: dict[str, Any] = field(default_factory=dict)
    lr: float | None = None
    weight_decay: float | None = None


RULES = {
    "sgd": Rule(SGD, {"momentum": 0.9, "nesterov": False}),
    "adagrad": Rule(AdaGrad, {"eps": 1e-8}, lr=0.01),
    "rmsprop": Rule(RMSProp, {"rho": 0.99, "eps": 1e-8}, lr=0.001),
    "adadelta": Rule(AdaDelta, {"rho": 0.95, "eps": 1e-6}, lr=1.0),
    "adam": Rule(Adam, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, lr=0.001),
    "adamw": Rule(AdamW, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, lr=0.001, weight_decay=0.01),
}
