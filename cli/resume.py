"""The verb ``resume``: go on with a run that was cut short, to the same bits as if it had not been."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from handbrew.data import Dataset

from .options import add_epochs, add_report_arguments, add_result_arguments, add_snapshot_arguments
from .plan import Plan
from .settings import FREE, Settings, options_in
from .task import Task
from .together import together
from .trainee import make_trainee
from .training import finish, fit, loop_options, prepared, watchers
from .values import Whole

EPILOG = """The run goes on from its newest whole snapshot, in the middle of an epoch if need be, with the settings that
it was begun with; those above may be changed. Cut short before the first snapshot, it begins anew. A finished
run goes on when --epochs asks for more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    add_epochs(parser.add_argument_group("loop"))
    add_report_arguments(parser)
    add_snapshot_arguments(parser)
    add_result_arguments(parser)
    parser.add_argument(
        "--verify",
        type=Whole(1),
        metavar="K",
        help="instead of going on, repeat K steps from the last snapshot but one; exit code 1 if they differ",
    )


def run(args: argparse.Namespace) -> int:
    """Go on to the end, or verify."""
    if args.verify is not None:
        return check(args.folder, args.verify)
    go_on(args.folder, args, args.plots is not False)
    return 0


def check(folder: Path, steps: int) -> int:
    """Repeat some steps and print the verdict; return 1 if anything differs."""
    plan, _ = Plan.open(folder)
    with together() as (comm, _):
        train, held_out = read_again(folder, plan)
        _, solver = make_trainee(plan.settings, plan.task, train, comm)
        options = loop_options(plan.settings, folder, watchers(plan.settings, folder))
        verdict = solver.verify(steps, prepared(plan.task, train), prepared(plan.task, held_out), **options)
        print(verdict)
    return 0 if verdict.equal else 1


def go_on(folder: Path, args: argparse.Namespace, plots: bool) -> None:
    """Train to the end of the run in ``folder``.

    Raises
    ------
    ValueError
        If there is nothing left to do, the data have changed, or ``args`` ask for something else than the run does.
    """
    plan, results = Plan.open(folder)
    settings = changed(plan.settings, args)
    if results is not None and settings.epochs <= plan.settings.epochs:
        raise ValueError(
            f"{folder}: this run is finished; --epochs with more than {plan.settings.epochs} goes on with it"
        )
    if not settings.snapshots:
        raise ValueError(f"{folder}: this run was begun with --no-snapshots, so handbrew train has to begin anew")
    plan = replace(plan, settings=settings)
    with together() as (comm, first):
        train, held_out = read_again(folder, plan)
        net, solver = make_trainee(settings, plan.task, train, comm)
        if first and results is None:  # a finished run stays one until there is a better
            plan.save(folder)
        history = fit(solver, plan, train, held_out, folder, watchers(settings, folder), resume=True)
        if first:
            finish(folder, plan, net, train.name, held_out, history, plots)


def read_again(folder: Path, plan: Plan) -> tuple[Dataset, Dataset]:
    """The samples trained on and those held out, if they are what they were.

    Raises
    ------
    ValueError
        If the data have changed since.
    """
    train, held_out = plan.read()
    if Task.of(train, held_out) != plan.task:
        raise ValueError(f"{plan.settings.data}: has changed since the run in {folder} was begun, which cannot go on")
    return train, held_out


def changed(saved: Settings, args: argparse.Namespace) -> Settings:
    """The settings of a run, with what may be changed of them.

    Raises
    ------
    ValueError
        If anything else was asked for than the run has; it lists the differences.
    """
    given = {name: value for name, value in options_in(args).items() if value != getattr(saved, name)}
    if wrong := [name for name in given if name not in FREE]:
        pairs = "; ".join(f"{name} {given[name]}, but the run has {getattr(saved, name)}" for name in wrong)
        raise ValueError(
            f"what decides a result cannot be changed on the way: {pairs}. Leave it out, or begin another run "
            f"with --out"
        )
    return replace(saved, **given)
