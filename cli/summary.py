"""The verb ``summary``: print a net's layers, with their shapes, parameters and operations."""

from __future__ import annotations

import argparse
from pathlib import Path

from .mlp import as_sizes, make_mlp
from .net import add_net_arguments
from .ready_made import READY_MADE
from .run_folder import Run
from .settings import refuse_options_of_sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="RUN", help="folder that handbrew train left")
    add_net_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the summary of a run's net, or of the one described by ``--net``."""
    if (args.folder is None) == (args.net is None):
        raise ValueError("summary: expected either a run's folder or --net, such as --net 784-256-10 or --net lenet")
    if args.folder is not None:
        print(Run.open(args.folder).net.summary())
    elif args.net in READY_MADE:
        refuse_options_of_sizes(args)
        own = READY_MADE[args.net]
        print(f"for samples of shape {own.in_shape}, in 10 classes\n\n{own.make(classes=10).summary(own.in_shape)}")
    else:
        sizes = as_sizes(args.net) or ()
        print(make_mlp(sizes, activation=args.activation, dropout=args.dropout).summary(sizes[:1]))
