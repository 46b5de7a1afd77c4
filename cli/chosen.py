"""A net to look at: that of a run or in a file, or one that ``--net`` describes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from handbrew.nets import Net

from .mlp import as_sizes, make_mlp
from .net import add_net_arguments
from .net_file import KINDS, add_file_arguments, open_net
from .ready_made import READY_MADE
from .run_folder import Run
from .settings import refuse_options_of_sizes

BATCH = 64  # of a net given by sizes


class Chosen(NamedTuple):
    """The net, the shape of its samples, and how many of them usually make a batch."""

    net: Net
    in_shape: Any
    batch_size: int


def add_chosen_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that choose a net."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="RUN",
        help=f"folder that handbrew train left, or a file with a net: {KINDS}",
    )
    add_file_arguments(parser)
    add_net_arguments(parser)


def choose(args: argparse.Namespace, verb: str) -> Chosen:
    """The net that was asked for.

    Raises
    ------
    ValueError
        If neither or both of a run and ``--net`` are named.
    """
    if (args.folder is None) == (args.net is None):
        raise ValueError(
            f"{verb}: expected either a run's folder, or a net's file, or --net, "
            f"such as --net 784-256-10 or --net lenet"
        )
    if args.folder is not None and args.folder.is_file():
        net = open_net(args.folder, args.weights, args.input)
        return Chosen(net, net.in_shape, BATCH)
    if args.weights is not None:
        raise ValueError("--weights goes with a .prototxt")
    if args.input is not None:
        raise ValueError("--input goes with a net's file, which says no shape")
    if args.folder is not None:
        run = Run.open(args.folder)
        return Chosen(run.net, run.task.in_shape, run.settings.batch_size)
    if args.net in READY_MADE:
        refuse_options_of_sizes(args)
        own = READY_MADE[args.net]
        return Chosen(own.make(classes=10), own.in_shape, own.usual.batch_size)
    sizes = as_sizes(args.net) or ()
    return Chosen(make_mlp(sizes, activation=args.activation, dropout=args.dropout), sizes[:1], BATCH)
