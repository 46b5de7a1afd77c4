"""Noise that is there in training only."""

from __future__ import annotations

import numpy as np

from .layer import Layer
from .param import Array


class Dropout(Layer):
    """y = x m,  dx = dy m;  each element of m is 0 with probability ``rate``, else 1 / (1 - rate).

    So the mean of y is x, and in use, where ``training`` is False, m is 1 ("inverted" dropout, as in
    Caffe). Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Raises
    ------
    ValueError
        If ``rate`` is not in [0, 1).
    """

    backward_uses = ()

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: expected a rate in [0, 1), got {rate}")
        self.rate = float(rate)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.mask = None
        if not self.training or self.rate == 0:
            return x
        kept = self.rng.random(x.shape, dtype=np.float32) >= self.rate
        c.mask = kept * x.dtype.type(1 / (1 - self.rate))
        return x * c.mask

    def backward(self, dy: Array) -> Array:
        mask = self.cache.mask
        return dy if mask is None else dy * mask
