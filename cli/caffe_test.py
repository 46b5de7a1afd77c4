"""``handbrew test --model FILE``: score a Caffe net, as ``caffe test`` does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handbrew.nets.caffe.select import select
from handbrew.nets.caffe.text import read_net
from handbrew.solvers.caffe_lines import means, number, print_line, weighted
from handbrew.solvers.caffe_nets import FedNet
from handbrew.solvers.caffe_samples import read_samples
from handbrew.solvers.caffe_snapshot import load_into

from .caffe_options import refuse_others, stages


def test(args: argparse.Namespace) -> None:
    """Run so many batches; print each one's outputs, and the means."""
    refuse_others(args, "has no use with --model", "model", "iterations")
    if args.weights is None:
        raise ValueError("test --model: needs --weights, a caffemodel, to score")
    net = select(read_net(args.model), "test", args.level or 0, stages(args))
    fed = FedNet(net, read_samples(None, args.data)[1], args.model.parent, training=False, seed=0)
    for path in args.weights.split(","):
        load_into(fed.graph, Path(path))
    if not fed.graph.loss_weights and not any(layer.measures for layer in fed.graph.layers):
        said = f"{args.model}: has no label and no loss, so that nothing is measured; the net for training has them"
        print(f"handbrew: {said}", file=sys.stderr)
    iterations, weights = args.iterations or 50, fed.graph.loss_weights
    print_line(f"Running for {iterations} iterations.")
    loss, batches = 0.0, []
    for i, (batch_loss, values) in enumerate(fed.test(iterations)):
        loss += batch_loss
        batches.append(values)
        for name, value in values:
            print_line(f"Batch {i}, {name} = {number(value)}")
    print_line(f"Loss: {number(loss / iterations)}")
    for name, mean in means(batches):
        print_line(f"{name} = {number(mean)}{weighted(name, mean, weights)}")
