"""``WeightAverage``: an exponential moving average of a net's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from handbrew.layers import Layer

from .live_arrays import LiveArrays

Array = np.ndarray[Any, np.dtype[Any]]


class WeightAverage:
    """a = d a + (1 - d) w  after each step, of all parameters and floating-point buffers.

    It begins with the weights after the first step. The decay grows with the number of steps t,
    d = min(decay, (1 + t) / (10 + t)), so that the average soon forgets those. Polyak and Juditsky, "Acceleration
    of stochastic approximation by averaging", 1992; the growing decay is that of TensorFlow's
    ``ExponentialMovingAverage``.
    """

    def __init__(self, net: Layer, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"average_decay: expected a number between 0 and 1, such as 0.999, got {decay}")
        self.decay, self.steps, self._live = decay, 0, LiveArrays(net, params=True)
        self._average: dict[str, Array] = {}

    def update(self) -> None:
        """Take in the weights as they are now."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for path, weights in self._live().items():
            if path not in self._average:
                self._average[path] = weights.copy()
                continue
            average = self._average[path]
            difference = weights - average
            difference *= 1 - keep
            average += difference

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the net has the averaged weights."""
        before = {path: weights.copy() for path, weights in self._live().items()}
        self.apply()
        try:
            yield
        finally:
            for path, weights in self._live().items():
                weights[...] = before[path]

    def apply(self) -> None:
        """Give the net the averaged weights."""
        for path, weights in self._live().items():
            if path in self._average:
                weights[...] = self._average[path]

    def state(self) -> dict[str, Any]:
        """The average and its age."""
        return {"steps": self.steps, "average": dict(self._average)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state`` returned."""
        self.steps = int(state["steps"])
        self._average = {path: np.array(values) for path, values in state["average"].items()}
