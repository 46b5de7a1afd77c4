"""Noise that is there in training only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._axes import refuse_vectors
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
            raise ValueError(f"{type(self).__name__}: expected a rate in [0, 1), got {rate}")
        self.rate = float(rate)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.mask = None
        if not self.training or self.rate == 0:
            return x
        kept = self.rng.random(self._mask_shape(x), dtype=np.float32) >= self.rate
        c.mask = kept * x.dtype.type(1 / (1 - self.rate))
        return x * c.mask

    def backward(self, dy: Array) -> Array:
        mask = self.cache.mask
        return dy if mask is None else dy * mask

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        return x.shape


class Dropout2D(Dropout):
    """y = x m,  dx = dy m;  m is 0 for a whole channel of a sample with probability ``rate``, else 1 / (1 - rate).

    x is (N, C, …) and m is (N, C), the same for all pixels of a channel: neighbouring pixels are so much alike
    that single ones can be left out without any loss. In use m is 1. Tompson et al., "Efficient object localization
    using convolutional networks", 2015.

    Raises
    ------
    ValueError
        If ``rate`` is not in [0, 1).
    ShapeError
        If the input has no channels.
    """

    def build(self, in_shape: Any) -> Any:
        self._check(in_shape)
        return in_shape

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        self._check(x.shape[1:])
        return *x.shape[:2], *(1,) * (x.ndim - 2)

    def _check(self, in_shape: Any) -> None:
        refuse_vectors(self.where, in_shape)
