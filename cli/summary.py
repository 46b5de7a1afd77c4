"""The verb ``summary``: print a net's layers, with their shapes, parameters and operations."""

from __future__ import annotations

import argparse

from .chosen import add_chosen_arguments, choose
from .net_file import check_shape
from .ready_made import READY_MADE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    add_chosen_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the summary of a run's net, or of the one described by ``--net``."""
    net, in_shape, _ = choose(args, "summary")
    if args.folder is not None:
        check_shape(net, args.folder)
    if args.net in READY_MADE:
        print(f"for samples of shape {in_shape}, in 10 classes\n")
    print(net.summary(in_shape))
