"""The verb ``test``: measure a finished run on its held-out samples, or on a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from .inputs import read_labelled
from .outcome import evaluate
from .run_folder import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder that handbrew train left")
    parser.add_argument("--data", metavar="PATH", help="labelled samples (default: the held-out ones)")


def run(args: argparse.Namespace) -> None:
    """Print the figures, and a table of the classes."""
    finished = Run.open(args.folder)
    own = finished.settings.data
    # The training file itself would flatter the net: of it, too, only the held-out samples count.
    if args.data is None or (own and Path(args.data).resolve() == Path(own)):
        data, source = finished.held_out(), "held out"
    else:
        data, source = read_labelled(args.data, finished.settings.target, finished.task), args.data
    outcome = evaluate(finished.net, finished.task, data, source)
    print(f"{source}: {len(data):,} samples, {outcome}")
    if table := outcome.table():
        print(f"\n{table}")
