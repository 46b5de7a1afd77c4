"""What a run was asked to do, and the defaults that suit its data."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from handbrew.solvers import AdamW

from .mlp import ACTIVATION, as_sizes, fit_sizes
from .options import LARGE
from .ready_made import READY_MADE, Usual
from .rules import RULES
from .task import Task

WIDE = 300  # columns of a table


@dataclass(frozen=True)
class Settings:
    """All that decides a run's result, and what is kept on the way.

    A number that the solver, or a ready-made net, does not have is ``None``. The defaults are those of a run that
    was made before there was a choice.
    """

    # Data: an absolute path, None for the embedded digits.
    data: str | None
    target: str | None
    regression: bool
    # Net: sizes such as 64-128-10, or the name of a ready-made one.
    net: str
    activation: str | None
    dropout: float | None
    # Loop.
    epochs: int
    batch_size: int
    # Solver.
    lr: float
    momentum: float | None
    weight_decay: float
    seed: int
    sample_weight: str | None = None
    weights: str | None = None
    freeze: tuple[str, ...] = ()
    solver: str = "sgd"
    nesterov: bool | None = False
    beta1: float | None = None
    beta2: float | None = None
    rho: float | None = None
    eps: float | None = None
    decoupled: bool = False
    l1: float = 0.0
    clip_norm: float | None = None
    class_weight: str | tuple[float, ...] | None = None
    policy: str = "fixed"
    warmup: str | None = None
    iter_size: int = 1
    average_decay: float | None = None
    patience: int | None = None
    sync_batch_norm: bool = False
    # Reports and snapshots.
    test_interval: int | None = None
    average_loss: int = 1
    top_k: tuple[int, ...] = ()
    tensorboard: bool = False
    plots: bool = True
    snapshots: bool = True
    snapshot_every: int | None = None
    keep: int = 3
    snapshot_errors: str = "stop"

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Undo ``dataclasses.asdict`` and a passage through JSON, which knows no tuples."""
        tuples = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
        return cls(**(entry | tuples))


NAMES = tuple(field.name for field in fields(Settings))
RULE_NUMBERS = tuple(dict.fromkeys(name for rule in RULES.values() for name in rule.numbers))
# What may be changed when a run goes on: nothing that is already done depends on it.
FREE = (
    *("epochs", "lr", "test_interval", "average_loss", "top_k", "tensorboard"),
    *("plots", "snapshot_every", "keep", "snapshot_errors"),
)


def settle(args: argparse.Namespace, task: Task, samples: int) -> Settings:
    """What was asked for, and what suits net and data for what was not.

    Raises
    ------
    ValueError
        If the options contradict each other, or the data.
    """
    if args.net in READY_MADE:
        net, activation, dropout, usual = args.net, None, None, READY_MADE[args.net].usual
        refuse_options_of_sizes(args)
    else:
        sizes = fit_sizes(args.net and as_sizes(args.net), math.prod(task.in_shape), task.outputs, task.what)
        net, usual = "-".join(map(str, sizes)), _usual(task, sizes[0], samples >= LARGE)
        activation, dropout = args.activation or ACTIVATION, args.dropout or 0.0
    given = options_in(args)
    rule = RULES[given.get("solver", "sgd")]
    defaults: dict[str, Any] = {
        "data": None,
        "target": None,
        "regression": False,
        "epochs": usual.epochs,
        "batch_size": usual.batch_size,
        "lr": usual.lr if rule.lr is None else rule.lr,
        "weight_decay": usual.weight_decay if rule.weight_decay is None else rule.weight_decay,
        "decoupled": rule.make is AdamW,
        "seed": 0,
        **dict.fromkeys(RULE_NUMBERS),
        **rule.numbers,
    }
    own = {"net": net, "activation": activation, "dropout": dropout}
    settings = Settings(**(defaults | given | own))
    _refuse_contradictions(settings, task)
    return settings


def options_in(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were asked for, as ``Settings`` holds them: paths absolute, lists as tuples."""
    given = {name: value for name in NAMES if (value := getattr(args, name, None)) is not None}
    absolute = {name: str(Path(given[name]).resolve()) for name in ("data", "weights") if name in given}
    tuples = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return given | absolute | tuples


def _refuse_contradictions(s: Settings, task: Task) -> None:
    rule = RULES[s.solver]
    for name in RULE_NUMBERS:
        if getattr(s, name) not in (None, False) and name not in rule.numbers:
            own = ", ".join(f"--{own}" for own in rule.numbers)
            others = " and ".join(other for other, that in RULES.items() if name in that.numbers)
            raise ValueError(f"--{name} goes with {others}; --solver {s.solver} has {own}")
    if s.nesterov and not s.momentum:
        raise ValueError("--nesterov looks ahead by the momentum, so it needs one, such as --momentum 0.9")
    if rule.make is AdamW and not s.decoupled:
        raise ValueError("--no-decoupled: decoupled decay is what adamw is; --solver adam has the other kind")
    if task.classes is None and s.class_weight:
        raise ValueError("--class-weight is about classes, but the data hold quantities")
    if isinstance(s.class_weight, tuple) and len(s.class_weight) != task.outputs:
        names = ", ".join((task.classes or ())[:10])
        raise ValueError(
            f"--class-weight: expected {task.outputs} numbers, one for each class ({names}), got {len(s.class_weight)}"
        )
    refuse_top_k(s.top_k, task)


def refuse_top_k(top_k: tuple[int, ...], task: Task) -> None:
    """Raise a ``ValueError`` if there are not more classes than that."""
    if top_k and task.classes is None:
        raise ValueError("--top-k is about classes, but the data hold quantities")
    if top_k and max(top_k) >= task.outputs:
        raise ValueError(f"--top-k {max(top_k)} would count every answer: there are {task.outputs} classes")


def refuse_options_of_sizes(args: argparse.Namespace) -> None:
    """Raise a ``ValueError`` if layers of a ready-made net were asked for."""
    for option in ("activation", "dropout"):
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} goes with sizes such as 784-256-10; {args.net} has layers of its own")


def _usual(task: Task, features: int, large: bool) -> Usual:
    """What suits nets given by sizes; large data get few epochs of larger batches."""
    return Usual(
        epochs=5 if large else 50,
        batch_size=64 if large else 32,
        lr=_learning_rate(task, features, large),
        weight_decay=1e-4,
    )


def _learning_rate(task: Task, features: int, large: bool) -> float:
    """Gradients grow with the inputs, so columns of variance 1 need less than pixels from 0 to 1.

    Large data get few epochs, which a lower rate ends with less noise.
    """
    if task.classes is None or (task.scale and features > WIDE):
        return 0.01
    if task.scale:
        return 0.03
    return 0.05 if large else 0.1
