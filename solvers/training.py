"""The training loop."""

from __future__ import annotations

from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.data import Batches, Dataset
from handbrew.nets import Net, RunningLoss

from .diagnosis import explain
from .errors import NonFiniteError
from .history import Epoch, History
from .progress import progress_for

if TYPE_CHECKING:
    from .solver import Solver


def fit(
    solver: Solver,
    train: Any,
    validation: Any,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    seed: int,
    progress: bool,
) -> History:
    """See ``Solver.fit``."""
    net = solver.net
    loss_layer = net.loss if isinstance(net, Net) else None
    if not isinstance(net, Net) or loss_layer is None:
        raise TypeError(f"fit: expected a Sequential that ends in a loss, got {net!r}")
    if epochs < 1:
        raise ValueError(f"fit: expected at least one epoch, got {epochs}")
    batches = (
        train if isinstance(train, Batches) else Batches(*_pair(train, "train"), batch_size, shuffle=shuffle, seed=seed)
    )
    held_out = None if validation is None else _pair(validation, "validation")
    history = History()
    # NumPy need not warn of what is found and explained below.
    with np.errstate(over="ignore", invalid="ignore"), progress_for(progress, epochs, len(batches)) as report:
        for epoch in range(1, epochs + 1):
            start = perf_counter()
            running = RunningLoss(loss_layer)
            for batch, (X, y) in enumerate(batches, 1):
                loss = net.forward(X, y)
                if not isfinite(loss):
                    raise NonFiniteError(
                        f"fit: the loss is {loss} in epoch {epoch}, batch {batch} of {len(batches)}: "
                        f"{explain(net, X, y)}. The parameters are as they were before this batch"
                    )
                net.backward()
                solver.step()
                running.add(loss, len(y))
                report.advance(epoch, batch, loss)
            loss_, accuracy = (None, None) if held_out is None else net.evaluate(*held_out)
            history.append(Epoch(epoch, running.value, loss_, accuracy, solver.lr, perf_counter() - start))
            report.close_epoch(history[-1])
    return history


def _pair(data: Any, name: str) -> tuple[Any, Any]:
    if isinstance(data, Dataset):
        return data.X, data.y
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return data[0], data[1]
    raise TypeError(
        f"fit: expected {name} to be a pair, a Dataset or Batches, got {type(data).__name__}; pass fit((X, y))"
    )
