"""The verb ``train``: train a net on the embedded digits or on data of your own.

The run folder gets the net, its configuration, the history and pictures of both.
"""

from __future__ import annotations

import argparse
import math
import shlex
from pathlib import Path
from time import perf_counter

from handbrew.data import Dataset
from handbrew.nets import Sequential
from handbrew.solvers import SGD, History, NonFiniteError, duration

from .inputs import read_parts
from .net import add_net_arguments, make_net
from .outcome import Outcome, evaluate
from .run_folder import CONFIG, CONFUSION, HISTORY, LOSS, NET, PREDICTED, Run, abandon, claim
from .settings import Settings, add_training_arguments, settle
from .task import Task

EPILOG = """data:
  A folder or file: MNIST's four IDX files; the binary files of CIFAR-10 or CIFAR-100; train.npz or
  train.csv with or without test.npz or test.csv; an .npz with arrays X and y; a .csv whose first line
  names the columns. Without a test part, a fifth of the samples, always the same, is held out of training
  and used to measure what was learned.
  The columns of a table are scaled to mean 0 and variance 1. In the column to learn, whole numbers and
  words are classes; numbers with fractions, or all numbers with --regression, are quantities.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    data = parser.add_argument_group("data")
    data.add_argument("--data", metavar="PATH", help="folder or file (default: the embedded digits)")
    data.add_argument(
        "--target",
        metavar="COLUMN",
        help="to learn, of a CSV (default: label, target, class, y, else the last)",
    )
    data.add_argument("--regression", action="store_true", help="learn whole numbers as quantities")
    add_net_arguments(parser.add_argument_group("net"))
    add_training_arguments(parser.add_argument_group("training"))
    results = parser.add_argument_group("results")
    results.add_argument("--out", type=Path, default=Path("run"), metavar="FOLDER", help="default: run")
    results.add_argument("--no-plots", action="store_true", help="draw no pictures")


def run(args: argparse.Namespace) -> None:
    """Train, save, tell."""
    train, held_out = read_parts(args.data, args.target, args.regression)
    task = Task.of(train, held_out)
    settings = settle(args, task, len(train))
    net = make_net(settings, task)
    claim(args.out)
    print(
        f"{train.name}: {len(train):,} samples to learn from, {len(held_out):,} held out; "
        f"{math.prod(task.in_shape):,} features, {task.outputs:,} {task.what}",
        flush=True,
    )
    if task.features and task.classes and 5 * len(task.classes) > len(train):
        print("so many classes may be quantities: --regression learns them as such", flush=True)

    start = perf_counter()
    try:
        history = fit(net, task, settings, train, held_out)
    except BaseException:
        abandon(args.out)
        raise
    seconds = perf_counter() - start
    outcome = evaluate(net, task, held_out, held_out.name)
    results = {**outcome.figures, "seconds": round(seconds, 2)}
    history.save(args.out / HISTORY)
    Run(settings, task, (len(train), len(held_out)), results, net).save(args.out)
    print(f"held out: {outcome}, after {duration(seconds)} of training")
    pictures = [] if args.no_plots else draw(args.out, train.name, history, outcome)
    print(f"in {args.out}: {', '.join([NET, CONFIG, HISTORY, *pictures])}")
    folder = shlex.quote(str(args.out))
    print(f"next: handbrew test {folder}\n      handbrew predict {folder} [FILE]")


def fit(net: Sequential, task: Task, settings: Settings, train: Dataset, held_out: Dataset) -> History:
    """Train ``net``; the held-out samples are looked at after each epoch, but decide nothing."""
    s = settings
    solver = SGD(net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)
    pairs = [(task.inputs(part.X, part.name), task.targets(part.y)) for part in (train, held_out)]
    try:
        return solver.fit(*pairs, epochs=s.epochs, batch_size=s.batch_size, seed=s.seed)
    except NonFiniteError as error:
        error.add_note(f"--lr was {s.lr:g}; try a tenth of it")
        raise


def draw(folder: Path, name: str, history: History, outcome: Outcome) -> list[str]:
    """Draw the pictures and return their names; without matplotlib, say how to get it."""
    try:
        from . import plots
    except ImportError:
        print('no pictures, which need matplotlib: pip install "handbrew[plot]"')
        return []
    plots.draw_history(folder / LOSS, name, history)
    if outcome.task.classes is None:
        plots.draw_predictions(folder / PREDICTED, name, outcome)
        return [LOSS, PREDICTED]
    plots.draw_confusion(folder / CONFUSION, name, outcome)
    return [LOSS, CONFUSION]
