"""A net and its solver, as the settings describe them, ready to train."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from handbrew.data import Dataset, balanced_weights
from handbrew.nets import Sequential, read_weights
from handbrew.solvers import Policy, Solver

from .net import make_net
from .policy import make_policy
from .rules import RULES
from .run_folder import NET
from .settings import Settings
from .task import Task
from .values import similar


def make_trainee(settings: Settings, task: Task, train: Dataset, comm: Any = None) -> tuple[Sequential, Solver]:
    """The net, built, weighted and frozen as asked for, and the solver that trains it; ``weights`` are not read yet."""
    s = settings
    net = make_net(s, task)
    net.build(task.in_shape)
    if s.class_weight is not None:
        weights = balanced_weights(train.y, task.outputs).tolist() if s.class_weight == "balanced" else s.class_weight
        net.loss.class_weight = tuple(weights)  # type: ignore[union-attr]
    freeze(net, s.freeze)
    rule = RULES[s.solver]
    numbers = {name: getattr(s, name) for name in rule.numbers}
    if rule.weight_decay is None:
        numbers["decoupled"] = s.decoupled
    return net, rule.make(
        net,
        rate(s, len(train)),
        weight_decay=s.weight_decay,
        l1=s.l1,
        clip_norm=s.clip_norm,
        comm=comm,
        sync_batch_norm=s.sync_batch_norm,
        **numbers,
    )


def rate(settings: Settings, samples: int) -> float | Policy:
    """The learning rate: a number as long as nothing changes it."""
    s = settings
    if s.policy == "fixed" and s.warmup is None:
        return s.lr
    batches = -(-samples // s.batch_size)
    return make_policy(s.policy, s.lr, s.warmup, -(-batches // s.iter_size), s.epochs)


def freeze(net: Sequential, names: Iterable[str]) -> None:
    """Hold the parameters of those layers, and those parameters, as they are; ``*`` stands for anything.

    Raises
    ------
    ValueError
        If a name is none, or nothing is left to learn.
    """
    params = net.params
    for name in names:
        found = [p for path, p in params.items() if fnmatchcase(path, name) or fnmatchcase(path, f"{name}.*")]
        if not found:
            known = [*dict.fromkeys(path.rpartition(".")[0] for path in params), *params]
            hint = similar(name, known) or f"; there are {', '.join(known[:10])}"
            raise ValueError(f"--freeze {name}: the net has no such layer or parameter{hint}")
        for p in found:
            p.trainable = False
    if not any(p.trainable for p in params.values()):
        raise ValueError(f"--freeze {' '.join(names)}: leaves nothing to learn")


def load_weights(net: Sequential, path: Path) -> str:
    """Take over a saved net's arrays where name and shape are the same; return what was taken, in words.

    Raises
    ------
    ValueError
        If none fits.
    """
    path = path / NET if path.is_dir() else path
    arrays, _ = read_weights(path)
    mine = net.state()
    fits = {name: array for name, array in arrays.items() if name in mine and mine[name].shape == array.shape}
    if not fits:
        raise ValueError(
            f"--weights {path}: none of its arrays fits; it has {_shapes(arrays)}, the net {_shapes(mine)}"
        )
    net.load_state({**mine, **fits})
    fresh = [name for name in mine if name not in fits]
    left = f"; {', '.join(fresh)} start{'s' * (len(fresh) == 1)} afresh" if fresh else ""
    return f"{len(fits)} of {len(mine)} arrays from {path}{left}"


def _shapes(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
