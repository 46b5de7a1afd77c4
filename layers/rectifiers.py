"""Piecewise activations around zero.

Products with a mask of booleans are used, not ``np.where``: on activations, whose signs no processor can
predict, it is ten times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError
from .initializers import Constant
from .layer import Layer
from .param import Array
from .threads import LARGE, elementwise


class ReLU(Layer):
    """y = x where x > 0, else a x;  dx = dy where x > 0, else a dy;  a = ``negative_slope``.

    At exactly 0 the slope is a, as in Caffe. Nair and Hinton, "Rectified linear units improve
    restricted Boltzmann machines", 2010; with a > 0, Maas et al., "Rectifier nonlinearities improve
    neural network acoustic models", 2013 (leaky ReLU).
    """

    def __init__(self, negative_slope: float = 0.0) -> None:
        self.negative_slope = float(negative_slope)

    @property
    def backward_uses(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("input",) if self.negative_slope else ("output",)

    def forward(self, x: Array) -> Array:
        y = np.maximum(x, 0) if x.size < LARGE else elementwise(_rectified, x)
        # The sign of y tells that of x, and the next layer keeps y anyway.
        self.cache.sign_of = x if self.negative_slope else y
        if self.negative_slope:
            y += self.negative_slope * np.minimum(x, 0)
        return y

    def backward(self, dy: Array) -> Array:
        y = self.cache.sign_of
        dx = dy * (y > 0) if dy.size < LARGE else elementwise(_where_positive, dy, y)
        if self.negative_slope:
            dx += self.negative_slope * (dy * (y <= 0))
        return dx


def _rectified(x: Array, out: Array) -> Array:
    return np.maximum(x, 0, out=out)


def _where_positive(dy: Array, y: Array, out: Array) -> Array:
    return np.multiply(dy, y > 0, out=out)


class PReLU(Layer):
    """y = max(x, 0) + a min(x, 0);  dx = dy where x > 0, else a dy;  da = sum of dy min(x, 0).

    The ``slope`` a is learned: one for each channel (axis 1), where da sums over all other axes, or a
    ``shared`` one [Caffe: channel_shared]. Weight decay would pull it to 0, that is, to a plain ReLU, so
    it gets none. He et al., "Delving Deep into Rectifiers", 2015.

    Parameters
    ----------
    init : float
        Initial slope.

    Raises
    ------
    ShapeError
        If the input has no channels, or not as many as it was built for.
    """

    backward_uses = ()

    def __init__(self, shared: bool = False, init: float = 0.25) -> None:
        self.shared, self.init = shared, init

    def build(self, in_shape: Any) -> Any:
        if not in_shape and not self.shared:
            raise ShapeError(f"{self.where}: expected (N, channels, …), got a vector; or set shared=True")
        channels = 1 if self.shared else in_shape[0]
        self.slope = self.param("slope", (channels,), Constant(self.init), decay_mult=0.0)
        return in_shape

    def forward(self, x: Array) -> Array:
        c, channels = self.cache, len(self.slope.data)
        x = self.cast(x)
        if not self.shared and x.shape[1:2] != (channels,):
            raise ShapeError(f"{self.where}: expected {channels} channels, got input of shape {x.shape}")
        c.positive, c.low = x > 0, np.minimum(x, 0)
        return np.maximum(x, 0) + self._aligned(x) * c.low

    def backward(self, dy: Array) -> Array | None:
        c, slope = self.cache, self.slope
        if slope.trainable:
            others = tuple(axis for axis in range(dy.ndim) if self.shared or axis != 1)
            slope.add_grad((dy * c.low).sum(axis=others).reshape(slope.shape))
        if not self.input_grad:
            return None
        return dy * c.positive + self._aligned(dy) * (dy * ~c.positive)

    def _aligned(self, x: Array) -> Array:
        """The slopes in a shape that broadcasts along axis 1."""
        return self.slope.data.reshape(-1, *(1,) * (x.ndim - 2))


class ELU(Layer):
    """y = x where x > 0, else a (eˣ - 1);  dx = dy where x > 0, else dy (y + a);  a = ``alpha``.

    Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2016.
    """

    backward_uses = ()

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.positive, c.low = x > 0, self.alpha * np.expm1(np.minimum(x, 0))  # low: y there, 0 above
        return np.maximum(x, 0) + c.low

    def backward(self, dy: Array) -> Array:
        c = self.cache
        return dy * c.positive + (dy * ~c.positive) * (c.low + self.alpha)


class SELU(ELU):
    """y = s ELU(x) with alpha = 1.6732…, s = 1.0507…;  dx = s times ELU's.

    With these two numbers, activations of mean 0 and variance 1 stay so from layer to layer, if the
    weights start from ``LeCun()``. Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    SCALE = 1.0507009873554805

    def __init__(self) -> None:
        super().__init__(alpha=1.6732632423543772)

    def forward(self, x: Array) -> Array:
        return self.SCALE * super().forward(x)

    def backward(self, dy: Array) -> Array:
        return self.SCALE * super().backward(dy)
