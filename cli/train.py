"""The verb ``train``: train a net on the embedded digits or on data of your own.

The run folder gets the plan, snapshots on the way, and in the end the net, the history and pictures of both.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from handbrew.data import Dataset

from .config_file import add_config_argument, with_config
from .inputs import read_parts
from .net import add_net_arguments
from .options import (
    add_data_arguments,
    add_loop_arguments,
    add_report_arguments,
    add_result_arguments,
    add_schedule_arguments,
    add_snapshot_arguments,
    add_solver_arguments,
    add_start_arguments,
)
from .plan import Plan
from .policy import POLICIES
from .resume import go_on
from .run_folder import claim, refuse_to_replace
from .settings import settle
from .task import Task
from .together import together
from .trainee import load_weights, make_trainee
from .training import finish, fit, watchers

DATA = """data:
  A folder or file: MNIST's four IDX files; the binary files of CIFAR-10 or CIFAR-100; train.npz or
  train.csv with or without test.npz or test.csv; an .npz with arrays X and y; a .csv whose first line
  names the columns. Without a test part, a fifth of the samples, always the same, is held out of training
  and used to measure what was learned.
  The columns of a table are scaled to mean 0 and variance 1. In the column to learn, whole numbers and
  words are classes; numbers with fractions, or all numbers with --regression, are quantities.
"""
EPILOG = f"""{DATA}
{POLICIES}
examples:
  handbrew train --data flowers.csv --target species --solver adam --patience 10
  handbrew train --data mnist/ --net lenet --policy cosine --warmup 1epochs --batch-size 128
  handbrew train --config lenet.toml --seed 2       every option, with - or _, is a key: policy = "cosine"
  handbrew train --resume                           what was killed goes on, to the same bits
  mpiexec -n 4 handbrew train --data mnist/ --net lenet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.usage, parser.epilog = "%(prog)s [OPTIONS]", EPILOG
    add_config_argument(parser)
    add_data_arguments(parser)
    add_net_arguments(parser.add_argument_group("net"))
    add_start_arguments(parser)
    add_solver_arguments(parser)
    add_schedule_arguments(parser)
    add_loop_arguments(parser)
    add_report_arguments(parser)
    snapshots = add_snapshot_arguments(parser)
    snapshots.add_argument("--resume", action="store_true", help="go on with the run in --out, where it was cut short")
    snapshots.add_argument("--restart", action="store_true", help="throw away the unfinished run in --out")
    results = add_result_arguments(parser)
    results.add_argument("--out", type=Path, metavar="FOLDER", help="default: run")


def run(args: argparse.Namespace) -> None:
    """Train, save, tell."""
    args = with_config(args)
    out, plots = args.out or Path("run"), args.plots is not False
    if args.resume:
        go_on(out, args, plots)
        return
    with together() as (comm, first):
        train, held_out = read_parts(args.data, args.target, bool(args.regression), args.sample_weight)
        task = Task.of(train, held_out)
        plan = Plan(settle(args, task, len(train)), task, (len(train), len(held_out)))
        net, solver = make_trainee(plan.settings, task, train, comm)
        greet(train, held_out, task)
        if plan.settings.weights is not None:
            print(load_weights(net, Path(plan.settings.weights)), flush=True)
        callbacks = watchers(plan.settings, out)
        if first:
            refuse_to_replace(out, args.restart)
            claim(out, plan)
        history = fit(solver, plan, train, held_out, out, callbacks, resume=False)
        if first:
            finish(out, plan, net, train.name, held_out, history, plots)


def greet(train: Dataset, held_out: Dataset, task: Task) -> None:
    """Say what was read."""
    print(
        f"{train.name}: {len(train):,} samples to learn from, {len(held_out):,} held out; "
        f"{math.prod(task.in_shape):,} features, {task.outputs:,} {task.what}",
        flush=True,
    )
    if task.features and task.classes and 5 * len(task.classes) > len(train):
        print("so many classes may be quantities: --regression learns them as such", flush=True)
