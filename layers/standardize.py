"""``Normalize``: a fixed scale for each channel, which stands first in a net, so that it is given plain pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .errors import ShapeError
from .layer import Layer
from .param import Array


class Normalize(Layer):
    """y = (x - mean) / std,  dx = dy / std, channel by channel (axis 1).

    x is (N, C, …). ``mean`` and ``std`` are fixed, and saved with the net: numbers, or one for each channel.
    ``Normalize.of(X)`` finds those of a data set. [Caffe: transform_param mean_value, scale]

    Raises
    ------
    ValueError
        If a number is not finite, or a ``std`` not positive.
    ShapeError
        If the input has no channels, or not as many as there are numbers.
    """

    backward_uses = ()

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean, self.std = _numbers(mean), _numbers(std)
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and np.all(np.array(self.std) > 0)):
            raise ValueError(f"Normalize: expected finite numbers and a positive std, got mean {mean}, std {std}")
        sizes = [len(numbers) for numbers in (self.mean, self.std) if isinstance(numbers, tuple)]
        if len(set(sizes)) > 1:
            raise ShapeError(f"Normalize: got {sizes[0]} numbers for the mean and {sizes[1]} for the std")

    @classmethod
    def of(cls, X: Array) -> Self:
        """Return the layer that gives each channel of ``X``, (N, C, …), mean 0 and variance 1.

        A channel that is the same everywhere becomes 0.
        """
        if X.ndim < 2 or not X.size:
            raise ShapeError(f"Normalize.of: expected samples, (N, channels, …), got shape {X.shape}")
        axes, count = (0, *range(2, X.ndim)), X.size // X.shape[1]
        pieces = np.array_split(X, -(-X.size // 2**20))  # no large copies in float64
        mean = sum(piece.sum(axes, np.float64) for piece in pieces) / count
        centre = mean.reshape(-1, *(1,) * (X.ndim - 2))
        variance = sum(np.square(piece - centre).sum(axes) for piece in pieces) / count
        lowest = X.min(axes)
        constant = X.max(axes) == lowest  # where rounding may leave a variance that is not quite 0
        return cls(np.where(constant, lowest, mean).tolist(), np.where(constant, 1, np.sqrt(variance)).tolist())

    def build(self, in_shape: Any) -> Any:
        return self._checked(in_shape)

    def _checked(self, in_shape: Any) -> Any:
        wanted = next((len(numbers) for numbers in (self.mean, self.std) if isinstance(numbers, tuple)), None)
        if not in_shape or (wanted is not None and in_shape[0] != wanted):
            raise ShapeError(
                f"{self.where}: expected {wanted or 'some'} channels on axis 1, one for each mean and std, "
                f"got input of shape {in_shape} without the batch axis"
            )
        return in_shape

    def forward(self, x: Array) -> Array:
        self._checked(x.shape[1:])
        x = x if x.dtype.kind == "f" else self.cast(x)
        y = x - _aligned(self.mean, x)
        y /= _aligned(self.std, x)
        return y

    def backward(self, dy: Array) -> Array:
        return dy / _aligned(self.std, dy)

    def flops(self) -> int:
        return 2 * super().flops()


def _numbers(value: Any) -> float | tuple[float, ...]:
    """A number, or several as a tuple."""
    numbers = np.asarray(value, np.float64)
    if numbers.ndim > 1 or not numbers.size:
        raise ShapeError(f"Normalize: expected a number or one for each channel, got shape {numbers.shape}")
    return tuple(numbers.tolist()) if numbers.ndim else float(numbers)


def _aligned(numbers: float | tuple[float, ...], x: Array) -> Array:
    """The numbers in ``x``'s dtype and in a shape that broadcasts along its axis 1."""
    return np.array(numbers, x.dtype).reshape(-1, *(1,) * (x.ndim - 2))
