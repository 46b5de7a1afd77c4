"""The verb ``replay``: run the step again that met a number that is not finite."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("dump", type=Path, metavar="DUMP", help="file that the error named")


def run(args: argparse.Namespace) -> int:
    """Print what happens this time; return 1 if it is not finite again."""
    from handbrew.solvers import replay

    print(replay(args.dump))
    return 0
