"""The whole state of a training: into a snapshot, and out of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from warnings import warn

from handbrew.layers import StateError, build_from
from handbrew.nets.saving import fitting, shapes_of

from .identity import changes, compare_layers, layers_of, loop_settings, restore_setup, setup

if TYPE_CHECKING:
    from .training import Training


def snapshot(run: Training, best: bool = False) -> bool:
    """Write a snapshot, and return whether it is there; of several processes the first does, of all of them.

    A snapshot that cannot be written ends the training, or is only told of, as ``run.snapshots`` wants it.
    """
    ranks, generators = run.ranks, [run.net.generator_states()]
    if ranks is not None:
        generators = ranks.gather(generators[0])
    written = run.first and _write(run, training_state(run, generators), best)
    return bool(written if ranks is None else ranks.broadcast(written))


def _write(run: Training, tree: dict[str, Any], best: bool) -> bool:
    if run.snapshots is None:
        return False
    try:
        run.snapshots.write_best(tree) if best else run.snapshots.write(tree, run.step)
    except OSError as error:
        if run.snapshots.required:
            raise
        text = f"no snapshot after step {run.step} in {run.snapshots.folder}: {error.strerror}"
        run.tell(text) if run.progress else warn(f"fit: {text}", stacklevel=5)
        return False
    return True


def training_state(run: Training, generators: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all that the rest of the training depends on."""
    return {
        "net": {"arrays": run.net.state(), "shapes": json.dumps(shapes_of(run.net)), "layers": layers_of(run.net)},
        "solver": run.solver.state(),
        "generators": generators,
        "batches": run.batches.state(),
        "data": run.train_mark,
        "setup": {"given": run.given, "last": setup(run.net)},
        "epoch": run.epoch,
        "step": run.step,
        "epoch_step": run.epoch_step,
        "elapsed": run.elapsed,
        "running": [run.running.total, run.running.shares],
        "lr": run.lr,
        "best": run.best,
        "history": run.history.state(),
        "average": run.average and run.average.state(),
        "callbacks": [{"class": type(c).__name__, "state": c.state()} for c in run.callbacks],
        "loop": loop_settings(run),
        "environment": run.environment,
    }


def restore_training(run: Training, tree: dict[str, Any]) -> list[str]:
    """Take over what ``training_state`` returned; return what is not as it was, as sentences.

    Raises
    ------
    StateError
        If it is the state of another net, solver or data set.
    """
    refuse_others(run, tree)
    net = run.net
    arrays = tree["net"]["arrays"]
    build_from(net, arrays=arrays, **json.loads(tree["net"]["shapes"]))
    run.given = tree["setup"]["given"]
    complaints = restore_setup(net, run.given, tree["setup"]["last"]) + compare_layers(tree["net"]["layers"], net)
    net.load_state(arrays)
    complaints += run.solver.restore(tree["solver"])
    try:
        run.batches.restore(tree["batches"])
    except ValueError as error:
        raise StateError(f"fit: {error}") from error
    generators = tree["generators"]
    if run.ranks is None:
        net.load_generator_states(generators[0])
    else:
        run.ranks.scatter_generators(net, generators, tree["step"])
    run.epoch, run.step, run.epoch_step = tree["epoch"], tree["step"], tree["epoch_step"]
    run.saved = run.step, run.epoch
    run.elapsed, run.best, run.lr = tree["elapsed"], tree["best"], tree["lr"]
    run.running.total, run.running.shares = tree["running"]
    run.history.restore(tree["history"])
    if run.average is not None:
        run.average.restore(tree["average"])
    complaints += restore_callbacks(run, tree["callbacks"])
    complaints += [f"{name}: {was} before, {now} now" for name, was, now in changes(tree["loop"], loop_settings(run))]
    return complaints + [
        f"{name}: {was} before, {now} now; the last digits may differ from those of a training never stopped"
        for name, was, now in changes(tree["environment"], run.environment)
    ]


def restore_callbacks(run: Training, entries: list[dict[str, Any]]) -> list[str]:
    """Give the callbacks that remember something their state, the first of a class the first; say what is over."""
    left = list(entries)
    complaints = []
    for callback in run.callbacks:
        kind = type(callback).__name__
        entry = next((entry for entry in left if entry["class"] == kind), None)
        if entry is not None:
            left.remove(entry)
        if entry and entry["state"]:
            callback.restore(entry["state"])
        elif not entry and callback.state():
            complaints.append(f"{kind} was not there before, and begins anew")
    return complaints + [f"{entry['class']} was there before, and is not now" for entry in left if entry["state"]]


def refuse_others(run: Training, tree: dict[str, Any]) -> None:
    """Raise a ``StateError`` if the snapshot is one of another training, or reaches further than this one."""
    wrong = []
    if tree["data"] != run.train_mark:
        wrong.append("the training data are others")
    if (tree["average"] is None) != (run.average is None):
        wrong.append(
            f"average_decay was {'not ' if run.average else ''}set, here it is {'' if run.average else 'not '}set"
        )
    if tree["epoch"] > run.epochs:
        wrong.append(f"{tree['epoch']} epochs are done, here {run.epochs} are asked for")
    if wrong:
        raise StateError(f"fit: the snapshot is of another training: {'; '.join(wrong)}")


@contextmanager
def claimed(run: Training) -> Iterator[None]:
    """Keep the snapshots' folder for this training, in the first of several processes."""
    with ExitStack() as stack:
        if run.snapshots is not None and run.first:
            try:
                stack.enter_context(run.snapshots.claimed())
            except BlockingIOError:
                raise
            except OSError as error:
                if run.snapshots.required and not run.snapshots.folder.is_dir():
                    raise
                # On a disk that can only be read there may be nothing to write; else the first snapshot will fail.
                warn(f"fit: there can be no snapshots: {error}", stacklevel=5)
        yield


def resume(run: Training) -> None:
    """Go on from the newest snapshot that is whole; begin if there is none."""
    if run.snapshots is None:
        raise ValueError("fit: resume=True needs to know where the snapshots are: fit(…, snapshots=folder)")
    found = run.snapshots.newest() if run.first else None
    if run.ranks is not None:
        found = run.ranks.broadcast(found)
    if found is None:
        return
    tree, path, complaints = found
    with fitting(path):
        complaints += [f"{path}: {sentence}" for sentence in restore_training(run, tree)]
    for sentence in complaints if run.first else ():
        warn(f"fit: {sentence}", stacklevel=4)


def refuse_earlier_snapshots(run: Training) -> None:
    """Raise a ``FileExistsError`` if a new training would mix its snapshots with those of another."""
    if run.snapshots is not None and run.first and run.snapshots.any():
        raise FileExistsError(
            f"fit: {run.snapshots.folder} holds snapshots of an earlier training; go on with it by resume=True, choose "
            f"another folder, or remove them"
        )
