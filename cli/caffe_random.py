"""Random samples for a Caffe net to be timed with, where there are no others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.layers import ClassLoss, inference
from handbrew.nets.caffe.load import input_shapes
from handbrew.solvers.caffe_feed import READERS
from handbrew.solvers.caffe_nets import FedNet

from .chosen import BATCH
from .time import target_for

Shape = tuple[int, ...]


def feed(net: Any, samples: Any, folder: Path, training: bool, shapes: list[Shape] | None) -> FedNet:
    """The net with the samples given, with those of its own sources, or with random ones.

    Random are those of a shape that is given; of one that the net's inputs declare; and where a source is missing, of
    the size of the crops, of which a line on stderr tells.

    Raises
    ------
    FileNotFoundError
        If a source is missing, and nobody says a shape.
    """
    reads_files = any(layer.type in READERS for layer in net.layer)
    shape = shapes[0] if shapes else None
    if samples is not None or (shape is None and reads_files):
        try:
            return FedNet(net, samples, folder, training=training, seed=0)
        except FileNotFoundError as missing:
            shape = shape_of_crops(net) if samples is None else None
            if shape is None:
                raise FileNotFoundError(f"{missing}; or --input 1,28,28, the shape of random samples") from None
            print(f"handbrew: {missing}; timed with random samples of shape {shape}", file=sys.stderr)
    as_inputs(net, shape)
    arrays = made_up(net)
    if arrays is None:
        raise ValueError("the net does not say the shape of its input; pass --data, or --input 1,28,28")
    fed = FedNet(net, arrays, folder, training=training, seed=0)
    draw_labels(fed)
    return fed


def shape_of_crops(net: Any) -> Shape | None:
    """The shape of what the first data layer makes, if it crops: as many channels as there are means, or 3."""
    param = next(layer.transform_param for layer in net.layer if layer.type in READERS)
    channels = len(param.mean_value) if len(param.mean_value) > 1 else 3
    return (channels, param.crop_size, param.crop_size) if param.crop_size else None


def as_inputs(net: Any, shape: Shape | None) -> None:
    """Make inputs of the data layers: samples of that shape their first tops, labels the others."""
    for layer in net.layer:
        reads_files = layer.type in READERS
        if shape is None or not (reads_files or (layer.type == "Input" and not layer.input_param.shape)):
            continue
        count = getattr(layer, READERS[layer.type]).batch_size if reads_files else BATCH
        layer.type = "Input"
        for place in range(len(layer.top)):
            layer.input_param.shape.add(dim=(count, *shape) if place == 0 else (count,))


def made_up(net: Any) -> dict[str, Any] | None:
    """Samples of the shapes that the net's inputs declare, random in the first, 0 in the others."""
    shapes, tops = input_shapes(net), [top for layer in net.layer if not layer.bottom for top in layer.top]
    if not shapes:
        return None
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shapes[0], np.float32), *(np.zeros(shape, np.float32) for shape in shapes[1:])]
    return dict(zip(tops, arrays, strict=False))


def draw_labels(fed: FedNet) -> None:
    """Put a random class in the place of each 0 that a loss takes for a label."""
    graph, arrays, rng = fed.graph, fed.feeds[0].arrays, np.random.default_rng(1)
    with inference(graph):
        fed.forward()  # which tells the scores' shapes
        shapes = {name: np.shape(blob) for name, blob in graph.blobs.items()}
    for node in graph.nodes:
        if isinstance(node.layer, ClassLoss) and node.inputs[1] in arrays:
            labels = target_for(node.layer, shapes[node.inputs[0]], rng)
            zeros = arrays[node.inputs[1]]
            if labels.size == zeros.size:
                arrays[node.inputs[1]] = labels.reshape(zeros.shape).astype(np.float32)
