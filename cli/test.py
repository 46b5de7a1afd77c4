"""The verb ``test``: measure a finished run on its held-out samples, or on a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from .caffe_options import add_model_arguments, refuse_caffe
from .inputs import read_labelled
from .options import add_top_k
from .outcome import evaluate
from .run_folder import Run
from .settings import refuse_top_k
from .values import Whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", type=Path, nargs="?", metavar="RUN", help="folder that handbrew train left")
    parser.add_argument("--data", metavar="PATH", help="labelled samples (default: the held-out ones)")
    add_top_k(parser)
    caffe = add_model_arguments(parser, "test")
    caffe.add_argument("--weights", metavar="FILE", help="its caffemodel; several with commas")
    caffe.add_argument("--iterations", type=Whole(1), metavar="N", help="batches to run (default: 50)")


def run(args: argparse.Namespace) -> None:
    """Print the figures, and a table of the classes."""
    if args.model is not None:
        from .caffe_test import test

        test(args)
        return
    refuse_caffe(args, "--model", "weights", "iterations")
    if args.folder is None:
        raise ValueError("test: expected a run's folder, or --model with a Caffe net's prototxt")
    finished = Run.open(args.folder)
    own = finished.settings.data
    # The training file itself would flatter the net: of it, too, only the held-out samples count.
    if args.data is None or (own and Path(args.data).resolve() == Path(own)):
        data, source = finished.held_out(), "held out"
    else:
        data, source = read_labelled(args.data, finished.settings.target, finished.task), args.data
    top_k = args.top_k or finished.settings.top_k
    refuse_top_k(top_k, finished.task)
    outcome = evaluate(finished.net, finished.task, data, source, top_k)
    print(f"{source}: {len(data):,} samples, {outcome}")
    if table := outcome.table():
        print(f"\n{table}")
