"""``handbrew train --solver FILE``: a training that a Caffe solver describes."""

from __future__ import annotations

import argparse

from handbrew.solvers.caffe import CaffeSolver

from .caffe_options import refuse_others, stages
from .together import refuse_several


def train(args: argparse.Namespace) -> None:
    """Train to the end, or until a signal asks to stop: then leave as it asks, once there is a snapshot."""
    refuse_several("train --solver FILE")
    refuse_others(args, f"has no use here: {args.solver} says how to train", "solver", "test_data", "snapshot")
    if args.weights and args.snapshot:
        raise ValueError("--weights and --snapshot: a snapshot has weights of its own; choose one of the two")
    solver = CaffeSolver(args.solver, args.data, args.test_data, level=args.level or 0, stages=stages(args))
    if args.snapshot is not None:
        solver.restore(args.snapshot)
    elif args.weights:
        solver.load(args.weights.split(","))
    if not solver.solve():
        solver.signals.leave()
