"""What ``fit`` was given, looked at before anything begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from handbrew.data import Dataset
from handbrew.layers import Layer, Loss
from handbrew.nets import Net

from .callbacks import Callback


def check_net(net: Layer) -> tuple[Net, Loss]:
    """Return the net and the loss that it ends in. Raises a ``TypeError`` if it does not."""
    loss = net.loss if isinstance(net, Net) else None
    if not isinstance(net, Net) or loss is None:
        raise TypeError(f"fit: expected a net that ends in a loss, got {net!r}")
    inputs, targets = getattr(net, "inputs", ("x", "y")), getattr(net, "targets", ("y",))
    if len(inputs) != 2 or targets != inputs[1:]:
        raise TypeError(
            f"fit: expected a net that takes an input and then a target, for batches X, y; this graph takes "
            f"{', '.join(inputs)}, of which {', '.join(targets) or 'none'} is a target. A loss that compares with the "
            f"input itself reads a target, too, in fit((X, X)); for anything else, call forward, backward and "
            f"solver.step() in a loop"
        )
    return net, loss


def check_options(
    epochs: int,
    iter_size: int,
    average_loss: int,
    test_interval: int | None,
    validation: Any,
    callbacks: Any,
    metrics: Any,
) -> None:
    """Raise a ``ValueError`` or a ``TypeError`` for what makes no sense."""
    for name, value in (("epochs", epochs), ("iter_size", iter_size), ("average_loss", average_loss)):
        if value < 1:
            raise ValueError(f"fit: expected {name} to be at least 1, got {value}")
    if test_interval is not None and (test_interval < 1 or validation is None):
        raise ValueError(
            f"fit: expected test_interval to be at least 1, with a validation set, got {test_interval} and "
            f"{'none' if validation is None else 'one'}"
        )
    if not isinstance(callbacks, (list, tuple)) or not all(isinstance(c, Callback) for c in callbacks):
        raise TypeError(f"fit: expected callbacks to be a list of Callback objects, got {callbacks!r}")
    if metrics is not None and not isinstance(metrics, Mapping):
        raise TypeError(f"fit: expected metrics by name, such as {{'top5': TopK(5)}}, got {metrics!r}")


def as_dataset(data: Any, name: str) -> Dataset:
    """Return ``(X, y)``, ``(X, y, weight)`` or a ``Dataset`` as a ``Dataset``."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        X, y, *weight = map(np.asarray, data)
        return Dataset(X, y, weight=weight[0] if weight else None)
    raise TypeError(f"expected {name} to be a pair, a Dataset or Batches, got {type(data).__name__}; pass (X, y)")
