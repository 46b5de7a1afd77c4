"""The verb ``summary``: print a net's layers, with their shapes, parameters and operations."""

from __future__ import annotations

import argparse
from pathlib import Path

from .mlp import add_net_arguments, make_mlp
from .run_folder import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="RUN", help="folder that handbrew train left")
    add_net_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the summary of a run's net, or of the one described by ``--net``."""
    if (args.folder is None) == (args.net is None):
        raise ValueError("summary: expected either a run's folder or --net, such as --net 784-256-10")
    if args.folder is not None:
        print(Run.open(args.folder).net.summary())
    else:
        net = make_mlp(args.net, activation=args.activation, dropout=args.dropout)
        print(net.summary(args.net[:1]))
