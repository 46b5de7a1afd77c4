"""Learning-rate policies as the command line spells them: ``step:gamma=0.1,every=10epochs``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handbrew.solvers import (
    Cosine,
    Exponential,
    Fixed,
    Inverse,
    MultiStep,
    OneCycle,
    Plateau,
    Policy,
    Polynomial,
    SigmoidDecay,
    Step,
    Warmup,
)

from .values import Length, checked, length, number, similar, whole

POLICIES = """policies (what stands behind the colon has to be given, with numbers of your own; in brackets stands what
may be added, with its default; lengths carry their unit: 10epochs, 500steps):
  fixed                                 the rate stays at --lr
  step:gamma=0.1,every=10epochs         times gamma, again and again
  multistep:gamma=0.1,at=30/40epochs    times gamma at each of these
  exp:gamma=0.999                       times gamma at each step, smoothly     (every=1steps, as in Caffe)
  inv:gamma=0.0001,power=0.75           (1 + gamma n)^-power                   (every=1steps, the unit of n)
  poly:power=1                          (1 - n/N)^power, down to 0             (over=N steps: all there are)
  sigmoid:gamma=-0.001,at=10epochs      1 / (1 + exp(-gamma (n - at)))         (every=1steps, the unit of gamma)
  cosine                                half a wave, down to 0                 (to=0, over=all steps)
  onecycle                              up from lr/25 and down to lr/250000    (peak=0.3 of all, over=all steps)
  plateau:gamma=0.1,patience=10         times gamma when the held-out loss has not fallen for patience
                                        tests       (threshold=0.0001 of it, cooldown=0 tests, least=0, a rate)
"""


Fields = dict[str, Callable[[str], Any]]


@dataclass(frozen=True)
class Kind:
    """What a policy is told: fields it needs, fields it may have; and how it is made of them.

    ``make`` takes the rate, the numbers (lengths already in steps) and the steps that the policy has to itself.
    ``fields`` says which of them an argument stands for that has another name.
    """

    needs: Fields
    may: Fields
    make: Callable[[float, dict[str, Any], int], Policy]
    fields: dict[str, str] = field(default_factory=dict)


def _lengths(text: str) -> tuple[Length, ...]:
    """``30/40epochs``."""
    *others, last = text.split("/")
    unit = length(last).unit
    return tuple(length(one if one.strip()[-1:].isalpha() else f"{one}{unit}") for one in (*others, last))


def _per_step(n: dict[str, Any]) -> float:
    """Gamma of one step, where n was given the gamma of a longer time."""
    return n["gamma"] ** (1 / n.get("every", 1))


KINDS = {
    "fixed": Kind({}, {}, lambda lr, n, steps: Fixed(lr)),
    "step": Kind(
        {"gamma": number, "every": length},
        {},
        lambda lr, n, steps: Step(lr, gamma=n["gamma"], step_size=n["every"]),
        {"step_size": "every"},
    ),
    "multistep": Kind(
        {"gamma": number, "at": _lengths},
        {},
        lambda lr, n, steps: MultiStep(lr, gamma=n["gamma"], milestones=n["at"]),
        {"milestones": "at"},
    ),
    "exp": Kind({"gamma": number}, {"every": length}, lambda lr, n, steps: Exponential(lr, gamma=_per_step(n))),
    "inv": Kind(
        {"gamma": number, "power": number},
        {"every": length},
        lambda lr, n, steps: Inverse(lr, gamma=n["gamma"] / n.get("every", 1), power=n["power"]),
    ),
    "poly": Kind(
        {"power": number},
        {"over": length},
        lambda lr, n, steps: Polynomial(lr, power=n["power"], steps=n.get("over", steps)),
    ),
    "sigmoid": Kind(
        {"gamma": number, "at": length},
        {"every": length},
        lambda lr, n, steps: SigmoidDecay(lr, gamma=n["gamma"] / n.get("every", 1), step_size=n["at"]),
        {"step_size": "at"},
    ),
    "cosine": Kind(
        {},
        {"to": number, "over": length},
        lambda lr, n, steps: Cosine(lr, n.get("over", steps), end=n.get("to", 0.0)),
        {"end": "to"},
    ),
    "onecycle": Kind(
        {},
        {"peak": number, "over": length},
        lambda lr, n, steps: OneCycle(lr, n.get("over", steps), pct_start=n.get("peak", 0.3)),
        {"pct_start": "peak"},
    ),
    "plateau": Kind(
        {"gamma": number, "patience": whole},
        {"threshold": number, "cooldown": whole, "least": number},
        lambda lr, n, steps: Plateau(
            lr,
            factor=n["gamma"],
            patience=n["patience"],
            threshold=n.get("threshold", 1e-4),
            cooldown=n.get("cooldown", 0),
            minimum=n.get("least", 0.0),
        ),
        {"factor": "gamma", "minimum": "least"},
    ),
}


def read_policy(text: str) -> tuple[str, dict[str, Any]]:
    """The policy's name and its fields.

    Raises
    ------
    ValueError
        If it is no policy's name, or a field is missing, unknown or no number.
    """
    name, _, rest = text.partition(":")
    if name not in KINDS:
        raise ValueError(f"expected a policy, one of {', '.join(KINDS)}; got {name!r}{similar(name, KINDS)}")
    kind, fields = KINDS[name], dict[str, Any]()
    known = kind.needs | kind.may
    for pair in filter(None, rest.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or key not in known:
            takes = f"takes {', '.join(f'{one}=' for one in known)}" if known else "takes no numbers"
            raise ValueError(f"{name} {takes}; got {pair!r}")
        if key in fields:
            raise ValueError(f"{name}: {key} is there twice; several places go as at=30/40epochs")
        try:
            fields[key] = known[key](value)
        except ValueError as error:
            raise ValueError(f"{name}: {key}: {error}") from None
    if missing := [key for key in kind.needs if key not in fields]:
        raise ValueError(f"{name} needs {' and '.join(missing)}; see the policies in --help")
    return name, fields


def make_policy(text: str, lr: float, warmup: str | None, per_epoch: int, epochs: int) -> Policy:
    """The policy with its lengths in steps; it begins when the warm-up is over and ends with the run.

    Raises
    ------
    ValueError
        If it or the warm-up cannot be with so many steps.
    """
    name, fields = read_policy(text)
    ahead = length(warmup).steps(per_epoch) if warmup else 0
    left = per_epoch * epochs - ahead
    if left < 1:
        raise ValueError(f"--warmup {warmup} is {ahead} steps, but the whole run has only {per_epoch * epochs}")
    kind = KINDS[name]
    try:
        policy = kind.make(lr, {key: _in_steps(key, value, per_epoch) for key, value in fields.items()}, left)
    except ValueError as error:
        said = re.sub(r"^[A-Z]\w+: ", "", str(error))  # the class's name
        for argument, own in kind.fields.items():
            said = re.sub(rf"\b{argument}\b", own, said)
        raise ValueError(f"--policy {text}: {name}: {said}") from error
    return Warmup(policy, ahead) if ahead else policy


def _in_steps(key: str, value: Any, per_epoch: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_in_steps(key, one, per_epoch) for one in value)
    if not isinstance(value, Length):
        return value
    steps = value.steps(per_epoch)
    if steps < 1:
        raise ValueError(f"{key}={value} is less than one step; an epoch has {per_epoch}")
    return steps


def policy_text(text: str) -> str:
    """For argparse: the text as it is, once it makes sense."""
    return checked(text, read_policy)
