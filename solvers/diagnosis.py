"""``Watch``: why a loss, a gradient or a parameter is not finite, told the moment it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handbrew.layers import Buffer, Layer

from .dump import Dump
from .errors import NonFiniteError
from .finding import first_bad as first_bad

Array = np.ndarray[Any, np.dtype[Any]]
UNREPEATED = (
    "Run again, the batch gave a finite loss and finite gradients. Does a layer keep what it computes with in attributes "
    "that are no buffers, or draw from another generator than self.rng? Where gradients of several batches or processes "
    "are summed, look at the others"
)


class Watch:
    """Remembers, before each forward pass, what the pass will change, so that it can be run again.

    For a training loop of your own::

        watch = Watch(net)
        for X, y in batches:
            watch.note()
            loss = net.forward(X, y)
            if not math.isfinite(loss):
                raise watch.explain((X, y), f"the loss is {loss}")
            net.backward()
            try:
                solver.step()
            except NonFiniteError as error:
                raise watch.explain((X, y), str(error), error) from None

    ``solver.fit`` does so. What is remembered is small: where the generators of random numbers stand, and the
    buffers; for a net without either, ``note`` takes a microsecond or two.
    """

    def __init__(self, net: Layer) -> None:
        self.net = net
        self._stamp: tuple[Any, int] | None = None
        self._layers: list[tuple[str, Layer]] = []
        self._generators: dict[str, Any] = {}
        self._buffers: list[tuple[Buffer, Array]] = []

    def note(self) -> None:
        """Remember generators and buffers as they are now; called at every pass, so it must be quick."""
        tree = self.net.tree
        stamp = None if tree is None else (tree, tree.stamp)
        if stamp is None or stamp != self._stamp:
            self._stamp, self._layers = stamp, list(self.net.walk())
