"""The verb ``time``: how long each layer takes, forward and backward, as ``caffe time`` prints it."""

from __future__ import annotations

import argparse
import copy
from operator import add
from statistics import median
from time import perf_counter

import numpy as np

from handbrew.layers import ClassLoss, Loss, inference
from handbrew.nets import Net

from .caffe_options import add_model_arguments, refuse_caffe
from .chosen import BATCH, add_chosen_arguments, choose
from .net_file import check_shape
from .task import Array
from .values import Whole

EPILOG = """Times are medians over all iterations, in milliseconds; the total is what all iterations took together,
forward and backward. The layers' own times need not add up to those of the passes. The samples are random
numbers, and run as in training: with dropout, batch statistics, and gradients down to the first layer with
parameters. HANDBREW_THREADS says how many threads convolutions may use.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    add_chosen_arguments(parser)
    parser.add_argument(
        "--batch-size", type=Whole(1), metavar="N", help=f"default: the run's, or a ready-made net's own; else {BATCH}"
    )
    parser.add_argument("--iterations", type=Whole(1), default=50, metavar="N", help="default: 50")
    caffe = add_model_arguments(parser, "time")
    caffe.add_argument("--data", metavar="PATH", help="samples (default: the net's own source, or random numbers)")
    caffe.add_argument("--phase", choices=("TRAIN", "TEST"), help="default: TRAIN")


def run(args: argparse.Namespace) -> None:
    """Print a line for each layer and direction, and the medians of whole passes."""
    if args.model is not None:
        from .caffe_time import time

        time(args)
        return
    refuse_caffe(args, "--model", "data", "phase")
    net, in_shape, usual = choose(args, "time")
    if args.folder is not None:
        check_shape(net, args.folder)
    X, y = samples(net, in_shape, args.batch_size or usual)
    rows = net.profile(X, y, repeats=args.iterations)
    print(f"{len(X):,} samples of shape {in_shape}, {args.iterations:,} iterations\n")
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.name:<{width}}  forward: {_ms(row.forward)}")
        print(f"{row.name:<{width}} backward: {_ms(row.backward)}")
    forward, backward = whole_passes(net, X, y, args.iterations)
    print(f"\nforward pass:     {_ms(median(forward))}")
    print(f"backward pass:    {_ms(median(backward))}")
    print(f"forward-backward: {_ms(median(map(add, forward, backward)))}")
    print(f"total:            {_ms(sum(forward) + sum(backward))}")


def samples(net: Net, in_shape: tuple[int, ...] | None, count: int) -> tuple[Array, Array | None]:
    """Random samples, and labels or quantities, as the net's loss takes them; none without a loss.

    Raises
    ------
    ValueError
        If the net does not know its input's shape, or has several inputs or targets.
    """
    if not in_shape or isinstance(in_shape[0], tuple) or len(getattr(net, "targets", ())) > 1:
        raise ValueError(f"time: expected a net with one input of a known shape and one target, got {in_shape}")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((count, *in_shape), np.float32)
    net.build(in_shape)
    if net.loss is None:
        return X, None
    with inference(net):
        scores = net.scores(X[:1])
    return X, target_for(net.loss, (count, *scores.shape[1:]), rng)


def target_for(loss: Loss, scores: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A random target for scores of that shape: a label for each position, or as many quantities."""
    if not isinstance(loss, ClassLoss):
        return rng.standard_normal(scores, np.float32)
    axis = loss.axis % len(scores)
    return rng.integers(scores[axis], size=scores[:axis] + scores[axis + 1 :])


def whole_passes(net: Net, X: Array, y: Array | None, iterations: int) -> tuple[list[float], list[float]]:
    """The seconds of each forward and of each backward pass, on a copy of the net."""
    net = copy.deepcopy(net)
    output = net.forward(X, y)  # the first pass makes what the others find
    dy = None if y is not None else output
    forward, backward = list[float](), list[float]()
    for _ in range(iterations):
        start = perf_counter()
        net.forward(X, y)
        middle = perf_counter()
        net.backward(dy)
        forward.append(middle - start)
        backward.append(perf_counter() - middle)
        net.zero_grad()
    return forward, backward


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:9.3f} ms"
