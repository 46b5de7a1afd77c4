"""Nets that grow: in the batch, and in the channels."""

from __future__ import annotations

from functools import partial

from convnets import Workload

from handbrew.layers import Affine, Conv2D, GlobalAvgPool2D, Layer, MaxPool2D, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential, lenet


def plain_net(channels: int, seed: int | None = None) -> Sequential:
    """Four 3x3 convolutions."""
    layers: list[Layer] = []
    for n in (channels, 2 * channels):
        layers += [Conv2D(n, 3, padding=1), ReLU(), Conv2D(n, 3, padding=1), ReLU(), MaxPool2D(2)]
    return Sequential(*layers, GlobalAvgPool2D(), Affine(10), SoftmaxCrossEntropy(), seed=seed)


BATCHES = {str(n): Workload(lenet, n, (1, 28, 28)) for n in (1, 4, 16, 64, 256, 1024)}
CHANNELS = {str(n): Workload(partial(plain_net, 16 * n), 16, (3, 32, 32)) for n in (1, 2, 4, 8)}
