"""The verb ``resume``: go on with a run that was cut short, to the same bits as if it had not been."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from handbrew.data import Dataset
from handbrew.solvers import Snapshots

from .options import add_epochs, add_rate, add_report_arguments, add_result_arguments, add_snapshot_arguments
from .plan import CONFIG, Plan
from .run_folder import SNAPSHOTS, has_snapshots, refuse_at_work
from .settings import FREE, Settings, options_in, refuse_top_k
from .task import Task
from .together import together
from .trainee import load_weights, make_trainee, steps_an_epoch
from .training import loop_options, prepared, stoppers, train_to_the_end
from .values import Whole

EPILOG = """The run goes on from its newest whole snapshot, in the middle of an epoch if need be, with the settings that
it was begun with. Nothing else can be changed than what stands above; what is not named stays as it was. Cut
short before the first snapshot, the run begins anew. A finished run goes on when --epochs asks for more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb: the run's folder, and what settings.FREE lists."""
    parser.epilog = EPILOG
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    loop = parser.add_argument_group("loop")
    add_epochs(loop, "of the whole run; a policy that runs over all of it is stretched")
    add_rate(loop, "from here on, as after a NaN; the result is then another than the undisturbed run's")
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
    with together(args.debug) as (comm, first):
        if args.verify is not None:
            return check(args.folder, args.verify, comm)
        go_on(args.folder, args, comm, first)
    return 0


def check(folder: Path, steps: int, comm: Any) -> int:
    """Repeat some steps and print the verdict; return 1 if anything differs.

    Raises
    ------
    ValueError
        If another number of processes took the snapshots: sums of other parts have other last digits.
    """
    plan, _ = Plan.open(folder)
    taken, here = processes(folder), 1 if comm is None else comm.size
    if taken not in (None, here):
        alike = "without mpiexec" if taken == 1 else f"with mpiexec -n {taken}"
        raise ValueError(
            f"--verify: the snapshots in {folder} were taken by {taken} process{'es' * (taken != 1)}, and {here} would "
            f"come to other last digits; start it {alike}"
        )
    train, held_out = read_again(folder, plan)
    _, solver = make_trainee(plan.settings, plan.task, train, comm)
    options = loop_options(plan.settings, folder, list(stoppers(plan.settings)))
    verdict = solver.verify(steps, prepared(plan.task, train), prepared(plan.task, held_out), **options)
    print(verdict)
    return 0 if verdict.equal else 1


def processes(folder: Path) -> int | None:
    """How many processes took the newest snapshot, if there is one."""
    found = Snapshots(folder / SNAPSHOTS).newest()
    return found and int(found[0]["loop"]["processes"])


def can_go_on(folder: Path) -> bool:
    """Whether there is a run that is finished, or has, or would have, a snapshot."""
    if not (folder / CONFIG).is_file():
        return False
    plan, results = Plan.open(folder)
    return results is not None or plan.settings.snapshots


def go_on(folder: Path, args: argparse.Namespace, comm: Any, first: bool, finished_is_fine: bool = False) -> None:
    """Train to the end of the run in ``folder``.

    Raises
    ------
    ValueError
        If there is nothing left to do, the data have changed, or ``args`` ask for something else than the run does.
    """
    plan, results = Plan.open(folder)
    settings = changed(plan.settings, args)
    if results is not None and settings.epochs <= plan.settings.epochs:
        said = f"{folder}: this run of {plan.settings.epochs} epochs is finished; with a higher --epochs it goes on"
        if finished_is_fine:
            print(said)
            return
        raise ValueError(said)
    if not settings.snapshots:
        raise ValueError(f"{folder}: this run was begun with --no-snapshots, so handbrew train has to begin anew")
    if results is not None and not has_snapshots(folder):
        raise ValueError(
            f"{folder}: this run is finished, and its snapshots are gone; handbrew train --weights {folder} "
            f"--out OTHER begins with what it has learned"
        )
    refuse_top_k(settings.top_k, plan.task)
    if settings.epochs < plan.settings.epochs:
        refuse_fewer_epochs(folder, plan, settings.epochs)
    if settings.lr != plan.settings.lr:
        warnings.filterwarnings("ignore", "fit: .*: lr was ")  # the same, for Python programs
        warnings.warn(
            f"--lr {settings.lr:g} from here on, {plan.settings.lr:g} before: the result is no longer that of the "
            f"undisturbed run",
            stacklevel=2,
        )
    plan = replace(plan, settings=settings)
    train, held_out = read_again(folder, plan)
    net, solver = make_trainee(settings, plan.task, train, comm)
    if settings.weights is not None and not has_snapshots(folder):  # cut short before the first: it begins anew
        print(load_weights(net, Path(settings.weights)), flush=True)
    if first:
        refuse_at_work(folder)
        if results is None:  # a finished run stays one until there is a better
            plan.save(folder)
    train_to_the_end(net, solver, plan, (train, held_out), folder, resume=True, first=first)


def refuse_fewer_epochs(folder: Path, plan: Plan, epochs: int) -> None:
    """Raise a ``ValueError`` if more than that are done, or begun."""
    if (found := Snapshots(folder / SNAPSHOTS).newest()) is None:
        return
    tree = found[0]
    done = tree["epoch"] + (tree["step"] - tree["epoch_step"]) / steps_an_epoch(plan.settings, plan.samples[0])
    if done > epochs:
        raise ValueError(
            f"--epochs {epochs}: {folder} has done {round(done, 2):g} of its {plan.settings.epochs} epochs already"
        )


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
        pairs = "; ".join(f"{spelt(name, given[name])}, but the run has {bare(getattr(saved, name))}" for name in wrong)
        raise ValueError(
            f"what decides a result cannot be changed on the way: {pairs}. Leave it out, or begin another run "
            f"with --out"
        )
    return replace(saved, **given)


def spelt(name: str, value: Any) -> str:
    """A setting as it is typed."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {bare(value)}"


def bare(value: Any) -> str:
    """The value of a setting as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "it", False: "it not"}[value]
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
