"""What ``train`` and ``resume`` share: the loop with all that watches it, and what is left in the run folder."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from handbrew.data import Dataset
from handbrew.nets import Sequential
from handbrew.solvers import Callback, EarlyStopping, History, NonFiniteError, Snapshots, Solver, TensorBoard, duration

from .outcome import Outcome, evaluate, top_metrics
from .plan import CONFIG, Plan
from .run_folder import (
    CONFUSION,
    DUMP,
    EVENTS,
    HISTORY,
    LOSS,
    NET,
    PREDICTED,
    SNAPSHOTS,
    Run,
    abandon,
    how_to_go_on,
)
from .settings import Settings
from .task import Task

CUT_SHORT = (KeyboardInterrupt, SystemExit, OSError, MemoryError)  # by something that may be over tomorrow


def watchers(settings: Settings, folder: Path) -> list[Callback]:
    """What is told of every step."""
    found: list[Callback] = [] if settings.patience is None else [EarlyStopping(settings.patience)]
    return [*found, TensorBoard(folder / EVENTS)] if settings.tensorboard else found


def fit(
    solver: Solver, plan: Plan, train: Dataset, held_out: Dataset, folder: Path, callbacks: list[Callback], resume: bool
) -> History:
    """Train; with ``resume`` from the newest whole snapshot on, if there is one."""
    pair = prepared(plan.task, train), prepared(plan.task, held_out)
    try:
        return solver.fit(*pair, resume=resume, **loop_options(plan.settings, folder, callbacks))
    except NonFiniteError as error:
        if error.dump is not None:
            error.add_note(f"handbrew replay {shlex.quote(str(folder / DUMP))} runs that batch again")
        error.add_note(f"--lr was {plan.settings.lr:g}; try a tenth of it")
        abandon(folder)
        raise
    except BaseException as error:
        if isinstance(error, CUT_SHORT):
            error.add_note(how_to_go_on(folder))
        abandon(folder)
        raise


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
    folder: Path, plan: Plan, net: Sequential, name: str, held_out: Dataset, history: History, plots: bool
) -> None:
    """Measure what was learned, save it, draw it, and say where it is."""
    outcome = evaluate(net, plan.task, held_out, held_out.name, plan.settings.top_k)
    seconds = sum(row.seconds for row in history)
    history.save(folder / HISTORY)
    Run(plan, {**outcome.figures, "seconds": round(seconds, 2)}, net).save(folder)
    print(f"held out: {outcome}, after {duration(seconds)} of training")
    pictures = draw(folder, name, history, outcome) if plots else []
    print(f"in {folder}: {', '.join([NET, CONFIG, HISTORY, *pictures])}")
    quoted = shlex.quote(str(folder))
    print(f"next: handbrew test {quoted}\n      handbrew predict {quoted} [FILE]")


def draw(folder: Path, name: str, history: History, outcome: Outcome) -> list[str]:
    """Draw the pictures and return their names; without matplotlib, say how to get it."""
    try:
        from . import plots
    except ImportError:
        print('no pictures, which need matplotlib: pip install "handbrew[plot]"')
        return []
    if history:  # none, if it was over within the first epoch
        plots.draw_history(folder / LOSS, name, history)
    if outcome.task.classes is None:
        plots.draw_predictions(folder / PREDICTED, name, outcome)
        return [LOSS, PREDICTED]
    plots.draw_confusion(folder / CONFUSION, name, outcome)
    return [LOSS, CONFUSION]
