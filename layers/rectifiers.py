"""Piecewise activations around zero."""

from __future__ import annotations

import numpy as np

from .layer import Layer
from .param import Array


class ReLU(Layer):
    """y = x where x > 0, else a x;  dx = dy where x > 0, else a dy;  a = ``negative_slope``.

    At exactly 0 the slope is a, as in Caffe. Nair and Hinton, "Rectified linear units improve
    restricted Boltzmann machines", 2010; with a > 0, Maas et al., "Rectifier nonlinearities improve
    neural network acoustic models", 2013 (leaky ReLU).
    """

    backward_uses = ()

    def __init__(self, negative_slope: float = 0.0) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        positive = self.cache.positive = x > 0
        if self.negative_slope == 0:
            return np.maximum(x, 0)
        return x * np.where(positive, 1, self.negative_slope).astype(x.dtype)

    def backward(self, dy: Array) -> Array:
        positive = self.cache.positive
        if self.negative_slope == 0:
            return dy * positive
        return dy * np.where(positive, 1, self.negative_slope).astype(dy.dtype)
