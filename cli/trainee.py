"""A net and its solver, as the settings describe them, ready to train."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from handbrew.data import Dataset, FileFormatError, balanced_weights
from handbrew.nets import Sequential, read_weights
from handbrew.solvers import Policy, Snapshots, Solver, read_snapshot

from .net import make_net
from .policy import make_policy
from .rules import RULES
from .run_folder import NET, SNAPSHOTS
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
    solver = rule.make(
        net,
        rate(s, len(train)),
        weight_decay=s.weight_decay,
        l1=s.l1,
        clip_norm=s.clip_norm,
        comm=comm,
        sync_batch_norm=s.sync_batch_norm,
        **numbers,
    )
    if solver.ranks is not None:
        solver.ranks.aborts = False  # ``together`` sees to it, and knows more to say
    return net, solver


def rate(settings: Settings, samples: int) -> float | Policy:
    """The learning rate: a number as long as nothing changes it."""
    s = settings
    if s.policy == "fixed" and s.warmup is None:
        return s.lr
    return make_policy(s.policy, s.lr, s.warmup, steps_an_epoch(s, samples), s.epochs)


def steps_an_epoch(settings: Settings, samples: int) -> int:
    """Updates in one pass over so many samples; an epoch's last one may be made of less."""
    batches = -(-samples // settings.batch_size)
    return -(-batches // settings.iter_size)


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
    """Take over another net's layers, by name, where all their arrays fit; return which those are, in words.

    ``path`` is a file of weights, a snapshot, or a run, finished or not.

    Raises
    ------
    ValueError
        If no layer fits, or one that does not is frozen.
    """
    arrays, path = read_arrays(path)
    mine = net.state()
    amiss = [name for name in mine if name not in arrays or arrays[name].shape != mine[name].shape]
    # Half a layer would be worth nothing: the biases of other units, statistics of other channels.
    layers = {_layer(name) for name in amiss}
    fits = {name: arrays[name] for name in mine if _layer(name) not in layers}
    if not fits:
        raise ValueError(f"--weights {path}: no layer fits; it has {_shapes(arrays)}, the net {_shapes(mine)}")
    if left := [name for name, p in net.params.items() if not p.trainable and name not in fits]:
        why = [f"{name} is {_shape_in(arrays, name)} there, {mine[name].shape} here" for name in amiss]
        raise ValueError(
            f"--freeze would hold {', '.join(left)} at random values: --weights {path} has no layer of that name and "
            f"shape ({'; '.join(why[:6])})"
        )
    net.load_state({**mine, **fits})
    fresh = [name or "the net's own" for name in dict.fromkeys(map(_layer, mine)) if name in layers]
    said = f"; {', '.join(fresh)} start{'s' * (len(fresh) == 1)} afresh" if fresh else ""
    return f"{len(fits)} of {len(mine)} arrays from {path}{said}"


def read_arrays(path: Path) -> tuple[dict[str, Any], Path]:
    """The arrays of a net by name, and the file that they are in."""
    if not path.is_dir():
        try:
            return read_weights(path)[0], path
        except FileFormatError:
            try:
                return read_snapshot(path)["net"]["arrays"], path
            except FileFormatError:
                pass
            raise  # what a file of weights should be says more
    if (path / NET).is_file():
        return read_weights(path / NET)[0], path / NET
    if (found := Snapshots(path / SNAPSHOTS).newest()) is None:
        raise FileNotFoundError(f"--weights {path}: holds neither {NET} nor a snapshot")
    tree, snapshot, complaints = found
    for sentence in complaints:
        warnings.warn(f"--weights: {sentence}", stacklevel=2)
    return tree["net"]["arrays"], snapshot


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _shape_in(arrays: dict[str, Any], name: str) -> str:
    return str(arrays[name].shape) if name in arrays else "not"


def _shapes(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
