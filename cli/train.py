"""The verb ``train``: train a net on the embedded digits or on data of your own.

The run folder gets the plan, snapshots on the way, and in the end the net, the history and pictures of both.
"""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path
from typing import Any

from handbrew.data import Dataset

from .caffe_options import add_solver_file_arguments, is_file, refuse_caffe
from .config_file import add_config_argument, with_config
from .inputs import read_parts
from .net import add_net_arguments
from .options import (
    YES_OR_NO,
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
from .resume import can_go_on, go_on
from .run_folder import claim, refuse_to_replace
from .settings import Settings, settle
from .task import Task
from .together import together
from .trainee import load_weights, make_trainee
from .training import train_to_the_end, watchers

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
  handbrew train --config lenet.toml --seed 2       an option, with - or _, is a key: policy = "cosine"
  handbrew train --solver lenet_solver.prototxt --data mnist/
  handbrew train --resume                           what was killed goes on, to the same bits; else it begins
  mpiexec -n 4 handbrew train --data mnist/ --net lenet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.usage, parser.epilog = "%(prog)s [OPTIONS]", EPILOG
    add_config_argument(parser)
    add_data_arguments(parser)
    add_net_arguments(parser.add_argument_group("net"))
    add_start_arguments(parser)
    add_solver_arguments(parser, files=True)
    add_schedule_arguments(parser)
    add_loop_arguments(parser)
    add_report_arguments(parser)
    snapshots = add_snapshot_arguments(parser)
    snapshots.add_argument("--snapshots", action=YES_OR_NO, help="default: yes")
    earlier = snapshots.add_mutually_exclusive_group()
    earlier.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out where it was cut short; begin if there is none; if it is finished, say so "
        "and exit with 0: a job script can always start with the same line",
    )
    earlier.add_argument("--restart", action="store_true", help="throw away the unfinished run in --out")
    add_solver_file_arguments(parser)
    results = add_result_arguments(parser)
    results.add_argument("--out", type=Path, metavar="FOLDER", help="default: run")


def run(args: argparse.Namespace) -> None:
    """Train, save, tell."""
    args = with_config(args)
    if is_file(args.solver):
        from .caffe_train import train

        train(args)
        return
    refuse_caffe(args, "--solver FILE.prototxt", "test_data", "snapshot")
    out = args.out or Path("run")
    with together(args.debug) as (comm, first):
        goes_on = args.resume and can_go_on(out)
        if comm is not None:
            goes_on = comm.bcast(goes_on)  # the others may look when the first has made the folder
        if goes_on:
            go_on(out, args, comm, first, finished_is_fine=True)
        else:
            begin(out, args, comm, first)


def begin(out: Path, args: argparse.Namespace, comm: Any, first: bool) -> None:
    """Train a net from the start, in a folder of its own."""
    train, held_out = read_parts(args.data, args.target, bool(args.regression), args.sample_weight)
    task = Task.of(train, held_out)
    plan = Plan(settle(args, task, len(train)), task, (len(train), len(held_out)))
    warn_of_what_has_no_use(plan.settings, args, comm)
    net, solver = make_trainee(plan.settings, task, train, comm)
    greet(train, held_out, task)
    if plan.settings.weights is not None:
        print(load_weights(net, Path(plan.settings.weights)), flush=True)
    if first:
        refuse_to_replace(out, args.restart)
        watchers(plan, out)  # without an extra that it needs, nothing of an earlier run is removed
        claim(out, plan)
    train_to_the_end(net, solver, plan, (train, held_out), out, resume=False, first=first)


def warn_of_what_has_no_use(settings: Settings, args: argparse.Namespace, comm: Any) -> None:
    """Say which options change nothing; a file of options may well have them for other runs."""
    if not settings.snapshots:
        for name in ("snapshot_every", "keep", "snapshot_errors"):
            if getattr(args, name) is not None:
                warnings.warn(f"--{name.replace('_', '-')} has no use with --no-snapshots", stacklevel=2)
    if settings.sync_batch_norm and comm is None:
        warnings.warn("--sync-batch-norm has no use in one process; mpiexec -n 2 handbrew starts two", stacklevel=2)


def greet(train: Dataset, held_out: Dataset, task: Task) -> None:
    """Say what was read."""
    print(
        f"{train.name}: {len(train):,} samples to learn from, {len(held_out):,} held out; "
        f"{math.prod(task.in_shape):,} features, {task.outputs:,} {task.what}",
        flush=True,
    )
    if task.features and task.classes and 5 * len(task.classes) > len(train):
        print("so many classes may be quantities: --regression learns them as such", flush=True)
