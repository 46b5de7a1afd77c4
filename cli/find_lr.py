"""The verb ``find-lr``: try learning rates from low to high, and suggest one."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from handbrew.solvers import RangeTest, find_lr

from . import train
from .config_file import add_config_argument, with_config
from .inputs import read_parts
from .net import add_net_arguments
from .options import add_data_arguments, add_result_arguments, add_solver_arguments, add_start_arguments
from .records import write_csv
from .settings import settle
from .task import Task
from .trainee import load_weights, make_trainee
from .training import prepared
from .values import Real, Whole

TABLE, PICTURE = "find-lr.csv", "find-lr.png"
EPILOG = f"""{train.DATA}
A batch a rate: it rises from --low to --high, and the loss is watched until it runs away. Halfway down
its fall is a good rate to begin with. The net is not kept. A --config for train will do: what it says
of the rate, epochs, snapshots and the like is passed over.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.usage, parser.epilog = "%(prog)s [OPTIONS]", EPILOG
    add_config_argument(parser)
    add_data_arguments(parser)
    add_net_arguments(parser.add_argument_group("net"))
    add_start_arguments(parser)
    add_solver_arguments(parser, rate=False)
    search = parser.add_argument_group("search")
    search.add_argument("--low", type=Real(), default=1e-6, metavar="RATE", help="default: 0.000001")
    search.add_argument("--high", type=Real(), default=10.0, metavar="RATE", help="default: 10")
    search.add_argument("--steps", type=Whole(10), default=100, metavar="N", help="rates to try (default: 100)")
    results = add_result_arguments(parser)
    results.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help=f"for {TABLE} and {PICTURE}")
    options = argparse.ArgumentParser(add_help=False)
    train.add_arguments(options)
    parser.set_defaults(parser=options)  # a file may hold whatever train takes


def run(args: argparse.Namespace) -> None:
    """Search, print what was found, leave a table and a picture."""
    out = args.out
    args = with_config(args)
    data, held_out = read_parts(args.data, args.target, bool(args.regression), args.sample_weight)
    task = Task.of(data, held_out)
    settings = replace(settle(args, task, len(data)), policy="fixed", warmup=None, sync_batch_norm=False)
    net, solver = make_trainee(settings, task, data)
    if settings.weights is not None:
        print(load_weights(net, Path(settings.weights)))
    found = find_lr(solver, prepared(task, data), args.low, args.high, args.steps, settings.batch_size, settings.seed)
    print(found)
    out.mkdir(parents=True, exist_ok=True)
    table = zip(found.rates.tolist(), found.losses.tolist(), found.smoothed.tolist(), strict=True)
    write_csv(out / TABLE, ("rate", "loss", "smoothed"), table)
    drawn = settings.plots and draw(out / PICTURE, data.name, found)
    print(f"in {out}: {TABLE}{f', {PICTURE}' if drawn else ''}")


def draw(path: Path, name: str, found: RangeTest) -> bool:
    """Draw the picture; without matplotlib, say how to get it."""
    try:
        from . import plots
    except ImportError:
        print('no picture, which needs matplotlib: pip install "handbrew[plot]"')
        return False
    plots.draw_range_test(path, name, found)
    return True
