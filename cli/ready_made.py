"""Nets that a name stands for, with what trains them well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from handbrew.layers import ShapeError
from handbrew.nets import Sequential
from handbrew.nets.zoo import cifar10_full, cifar10_quick, lenet, mlp, resnet20, vgg_small

from .mlp import HIDDEN
from .task import Task


@dataclass(frozen=True)
class Usual:
    """Settings for those that were not asked for."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float


@dataclass(frozen=True)
class ReadyMade:
    """How to make a net, the shape of the images that it was drawn for, and how it is usually trained."""

    make: Callable[..., Sequential]
    in_shape: tuple[int, ...]
    usual: Usual


MNIST, CIFAR = (1, 28, 28), (3, 32, 32)
READY_MADE = {
    "mlp": ReadyMade(mlp, MNIST, Usual(epochs=5, batch_size=64, lr=0.05, weight_decay=1e-4)),
    "lenet": ReadyMade(lenet, MNIST, Usual(epochs=10, batch_size=64, lr=0.01, weight_decay=5e-4)),
    "cifar10_quick": ReadyMade(cifar10_quick, CIFAR, Usual(epochs=20, batch_size=100, lr=0.01, weight_decay=4e-3)),
    "cifar10_full": ReadyMade(cifar10_full, CIFAR, Usual(epochs=60, batch_size=100, lr=0.01, weight_decay=4e-3)),
    "vgg_small": ReadyMade(vgg_small, CIFAR, Usual(epochs=20, batch_size=64, lr=0.02, weight_decay=5e-4)),
    "resnet20": ReadyMade(resnet20, CIFAR, Usual(epochs=60, batch_size=128, lr=0.1, weight_decay=1e-4)),
}


def make_ready_made(name: str, task: Task, seed: int) -> Sequential:
    """The net called ``name``, built for the samples and classes of ``task``.

    Raises
    ------
    ValueError
        If the samples are not what the net can take, or have no classes.
    """
    own = READY_MADE[name]
    if task.classes is None:
        sizes = f"{math.prod(task.in_shape)}-{HIDDEN}-{task.outputs}"
        raise ValueError(f"--net {name} tells classes apart, but the data hold quantities; try --net {sizes}")
    if len(own.in_shape) == len(task.in_shape) and _channels_last(task.in_shape) and own.make is not mlp:
        raise ValueError(
            f"--net {name} takes images (N, channels, height, width), and samples of shape {task.in_shape} look like "
            f"channels last; save X.transpose(0, 3, 1, 2)"
        )
    net = own.make(classes=task.outputs, seed=seed)
    try:
        net.build(task.in_shape)
    except ShapeError as error:
        raise ValueError(
            f"--net {name} was made for images of shape {own.in_shape}, channels first, and cannot take samples of "
            f"shape {task.in_shape}: {error}; images come from --data, as X of shape (N, C, H, W); for tables there "
            f"is --net mlp"
        ) from error
    return net


def _channels_last(shape: tuple[int, ...]) -> bool:
    return shape[2] in (1, 3, 4) and shape[0] > 4 and shape[1] > 4
