"""A handbrew net in classic NumPy: layer for layer, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import classic
import classic_images as images
import numpy as np
from convnets import LR, MOMENTUM

from handbrew.layers import (
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    Loss,
    MaxPool2D,
    ReLU,
    Residual,
)
from handbrew.nets import Sequential

Array = np.ndarray[Any, np.dtype[Any]]


def training_step(net: Sequential, X: Array, y: Array) -> Callable[[], float]:
    return classic.training_step(twin(net), X, y, LR, MOMENTUM)


def twin(layer: Layer) -> classic.Classic:
    """What does the same as a built layer, but for a loss at the end of a net."""
    arrays = [] if isinstance(layer, (Sequential, Residual)) else [p.data for p in layer.params.values()]
    match layer:
        case Sequential():
            return classic.Chain(*(twin(part) for part in layer.layers if not isinstance(part, (Loss, Dropout))))
        case Residual():
            return classic.Residual(twin(layer.body), twin(layer.shortcut) if layer.shortcut else classic.Chain())
        case Conv2D():
            return images.Conv(layer.window.stride[0], layer.window.start[0], *arrays)
        case Affine():
            return classic.Linear(*arrays)
        case BatchNorm():
            return images.BatchNorm(layer.eps, *arrays)
        case MaxPool2D():
            return images.MaxPool(layer.geometry()[0][0], layer.geometry()[1][0], layer.ceil_mode)
        case AvgPool2D():
            return images.AvgPool(layer.geometry()[0][0], layer.geometry()[1][0], layer.ceil_mode)
        case GlobalAvgPool2D():
            return images.GlobalAvgPool()
        case ReLU():
            return classic.ReLU()
        case Flatten():
            return classic.Flatten()
    raise TypeError(f"no twin of {layer!r}")
