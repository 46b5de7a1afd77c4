"""``handbrew time --model FILE``: time a Caffe net layer by layer, as ``caffe time`` does."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

import numpy as np

from handbrew.nets import Graph
from handbrew.nets.caffe.select import select
from handbrew.nets.caffe.text import read_net
from handbrew.nets.profile import timed_calls
from handbrew.solvers.caffe_lines import number, print_line
from handbrew.solvers.caffe_samples import read_samples
from handbrew.solvers.caffe_snapshot import load_into

from .caffe_options import refuse_others, stages
from .caffe_random import feed


def time(args: argparse.Namespace) -> None:
    """Run forward and backward so many times; print the means."""
    refuse_others(args, "has no use with --model", "model", "iterations", "phase", "input")
    training = args.phase != "TEST"
    net = select(read_net(args.model), "train" if training else "test", args.level or 0, stages(args))
    samples = read_samples(args.data)[0] if training else read_samples(None, args.data)[1]
    fed = feed(net, samples, args.model.parent, training, args.input)
    graph, iterations = fed.graph, args.iterations
    if args.weights is not None:
        load_into(graph, args.weights)
    print_line("Performing Forward")
    print_line(f"Initial loss: {number(fed.forward())}")
    print_line("Performing Backward")
    dy = None if graph.loss_weights else _ones(graph)
    graph.backward(dy)
    seconds: dict[tuple[str, str], list[float]] = {}
    for name, layer in graph.children.items():
        for verb in ("forward", "backward"):
            vars(layer)[verb] = timed_calls(getattr(layer, verb), seconds.setdefault((name, verb), []))
    print_line("*** Benchmark begins ***")
    print_line(f"Testing for {iterations} iterations.")
    forward, backward = 0.0, 0.0
    for i in range(iterations):
        start = perf_counter()
        fed.forward()
        middle = perf_counter()
        graph.backward(dy)
        end = perf_counter()
        forward, backward = forward + middle - start, backward + end - middle
        print_line(f"Iteration: {i + 1} forward-backward time: {_ms(end - start)}")
    print_line("Average time per layer: ")
    for (name, verb), found in seconds.items():
        print_line(f"{name:>10}\t{verb}: {_ms(sum(found) / iterations)}")
    print_line(f"Average Forward pass: {_ms(forward / iterations)}")
    print_line(f"Average Backward pass: {_ms(backward / iterations)}")
    print_line(f"Average Forward-Backward: {_ms((forward + backward) / iterations)}")
    print_line(f"Total Time: {_ms(forward + backward)}")
    print_line("*** Benchmark ends ***")


def _ones(graph: Graph) -> Any:
    ones = [np.ones_like(graph.blobs[name]) for name in graph.outputs]
    return ones[0] if len(ones) == 1 else tuple(ones)


def _ms(seconds: float) -> str:
    return f"{number(1000 * seconds)} ms."
