"""The verb ``replay``: run the batch again that met a number that is not finite."""

from __future__ import annotations

import argparse
from pathlib import Path

from handbrew.solvers import replay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = "In Python, handbrew.solvers.replay(DUMP) stops where a debugger can look at it."
    parser.add_argument("dump", type=Path, metavar="DUMP", help="file that the error named")


def run(args: argparse.Namespace) -> None:
    """End in the same error, or say that there is none this time."""
    replay(args.dump)
    print("all is finite this time: it depends on something else than the batch, the net's arrays and its generators")
