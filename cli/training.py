"""What ``train`` and ``resume`` share: the loop with all that watches it, and what is left in the run folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from handbrew.data import Dataset
from handbrew.nets import Sequential
from handbrew.solvers import Callback, EarlyStopping, History, NonFiniteError, Snapshots, Solver, TensorBoard, duration

from .outcome import Outcome, evaluate, top_metrics
from .plan import CONFIG, Plan
from .records import Records, save_tables
from .run_folder import (
    CONFUSION,
    DUMP,
    EVENTS,
    HISTORY,
    LOSS,
    NET,
    PREDICTED,
    SNAPSHOTS,
    VALIDATIONS,
    Run,
    abandon,
    has_snapshots,
    how_to_go_on,
)
from .settings import Settings
from .task import Task
from .trainee import steps_an_epoch

CUT_SHORT = (KeyboardInterrupt, SystemExit, OSError, MemoryError)  # by something that may be over tomorrow


def train_to_the_end(
    net: Sequential,
    solver: Solver,
    plan: Plan,
    data: tuple[Dataset, Dataset],
    folder: Path,
    *,
    resume: bool,
    first: bool,
) -> None:
    """Train, with ``resume`` from the newest whole snapshot on, and leave all that is to be left in the run folder."""
    (train, held_out), stopping = data, stoppers(plan.settings)
    history = fit(solver, plan, train, held_out, folder, [*stopping, *watchers(plan, folder)], resume)
    if first:
        try:
            finish(folder, plan, net, train.name, held_out, history, stopping)
        except OSError as error:
            error.add_note(f"training is over, but what it learned has no place: {how_to_save(folder, plan)}")
            raise


def stoppers(settings: Settings) -> list[EarlyStopping]:
    """What may end the training, or change what the net is in the end."""
    return [] if settings.patience is None else [EarlyStopping(settings.patience)]


def watchers(plan: Plan, folder: Path) -> list[Callback]:
    """What writes down how it goes."""
    records = Records(folder, steps_an_epoch(plan.settings, plan.samples[0]))
    return [records, TensorBoard(folder / EVENTS)] if plan.settings.tensorboard else [records]


def fit(
    solver: Solver, plan: Plan, train: Dataset, held_out: Dataset, folder: Path, callbacks: list[Callback], resume: bool
) -> History:
    """Train; with ``resume`` from the newest whole snapshot on, if there is one."""
    pair = prepared(plan.task, train), prepared(plan.task, held_out)
    try:
        return solver.fit(*pair, resume=resume, **loop_options(plan.settings, folder, callbacks))
    except BlockingIOError:  # the folder is another process's
        raise
    except NonFiniteError as error:
        error.__notes__ = list(what_next(folder, plan.settings))
        abandon(folder)
        raise
    except BaseException as error:
        if isinstance(error, CUT_SHORT):
            error.add_note(how_to_go_on(folder))
        abandon(folder)
        raise


def what_next(folder: Path, settings: Settings) -> Iterator[str]:
    """After a number that is not finite: what to type."""
    quoted, lower = shlex.quote(str(folder)), f"--lr {settings.lr / 10:g}"
    if (folder / DUMP).exists():
        yield f"handbrew replay {shlex.quote(str(folder / DUMP))}  runs that batch again"
    if has_snapshots(folder):
        yield f"handbrew resume {quoted} {lower}  goes on from the newest snapshot with a lower rate"
    else:
        yield f"it left no snapshot: handbrew train with {lower} begins anew"


def how_to_save(folder: Path, plan: Plan) -> str:
    """What to type once there is room again."""
    snapshots = Snapshots(folder / SNAPSHOTS)
    if not has_snapshots(folder):
        return "it left no snapshot, so it has to be trained anew once there is room"
    # What was a finished run still is the one with fewer epochs.
    before, results = Plan.open(folder)
    more = f" --epochs {plan.settings.epochs}" if results is not None else ""
    lower = f" --lr {plan.settings.lr:g}" if before.settings.lr != plan.settings.lr else ""
    newest = (snapshots.paths() or [snapshots.best])[-1]
    return f"make room, then handbrew resume {shlex.quote(str(folder))}{more}{lower} gets it from {newest}"


def loop_options(settings: Settings, folder: Path, callbacks: list[Callback]) -> dict[str, Any]:
    """What ``Solver.fit`` and ``Solver.verify`` are told besides the samples."""
    s = settings
    return {
        "epochs": s.epochs,
        "batch_size": s.batch_size,
        "seed": s.seed,
        "iter_size": s.iter_size,
        "test_interval": s.test_interval,
        "average_loss": s.average_loss,
        "average_decay": s.average_decay,
        "metrics": top_metrics(s.top_k),
        "callbacks": callbacks,
        "snapshots": make_snapshots(s, folder),
        "dump": folder / DUMP,
    }


def make_snapshots(settings: Settings, folder: Path) -> Snapshots | None:
    """Where the state of the training is kept."""
    s = settings
    return (
        Snapshots(folder / SNAPSHOTS, every=s.snapshot_every, keep=s.keep, required=s.snapshot_errors == "stop")
        if s.snapshots
        else None
    )


def prepared(task: Task, data: Dataset) -> Dataset:
    """The samples as the net takes them."""
    return replace(data, X=task.inputs(data.X, data.name), y=task.targets(data.y), classes=None, features=None)


def finish(
    folder: Path,
    plan: Plan,
    net: Sequential,
    name: str,
    held_out: Dataset,
    history: History,
    stopping: list[EarlyStopping],
) -> None:
    """Measure what was learned, save it, draw it, and say where it is."""
    outcome = evaluate(net, plan.task, held_out, held_out.name, plan.settings.top_k)
    seconds, per_epoch = sum(row.seconds for row in history), steps_an_epoch(plan.settings, plan.samples[0])
    save_tables(folder, history, per_epoch)
    Run(plan, {**outcome.figures, "seconds": round(seconds, 2)}, net).save(folder)
    print(f"held out: {outcome}, after {duration(seconds)} of training")
    best = stopping[0].best_step if stopping else None
    pictures = draw(folder, name, history, outcome, per_epoch, best) if plan.settings.plots else []
    print(f"in {folder}: {', '.join([NET, CONFIG, HISTORY, VALIDATIONS, *pictures])}")
    quoted = shlex.quote(str(folder))
    print(f"next: handbrew test {quoted}\n      handbrew predict {quoted} [FILE]")


def draw(
    folder: Path, name: str, history: History, outcome: Outcome, per_epoch: int, best_step: int | None
) -> list[str]:
    """Draw the pictures and return their names; without matplotlib, say how to get it."""
    try:
        from . import plots
    except ImportError:
        print('no pictures, which need matplotlib: pip install "handbrew[plot]"')
        return []
    plots.draw_history(folder / LOSS, name, history, per_epoch, outcome.figures.get("accuracy"), best_step)
    if outcome.task.classes is None:
        plots.draw_predictions(folder / PREDICTED, name, outcome)
        return [LOSS, PREDICTED]
    plots.draw_confusion(folder / CONFUSION, name, outcome)
    return [LOSS, CONFUSION]
