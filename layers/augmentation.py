"""Layers that prepare images: random changes in training, which multiply the data, and a fixed scale.

They stand first in a net and travel with it: whoever predicts gives plain pixels. What is random comes from the
layer's own generator, so it repeats with the seed, and evaluation draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ._images import check_images, samples_first
from .errors import ShapeError
from .layer import Layer
from .param import Array


class RandomFlip(Layer):
    """y[n] = x[n], or its mirror image with probability ``rate``;  dx[n] = dy[n], mirrored back.

    x is images, (N, C, H, W); left and right change places. In training only; in use, y = x
    [Caffe: transform_param mirror]. Krizhevsky et al., "ImageNet classification with deep convolutional neural
    networks", 2012.

    Raises
    ------
    ValueError
        If ``rate`` is not in [0, 1].
    ShapeError
        If the input is no images.
    """

    backward_uses = ()

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"RandomFlip: expected a rate in [0, 1], got {rate}")
        self.rate = float(rate)

    def build(self, in_shape: Any) -> Any:
        check_images(self.where, in_shape)
        return in_shape

    def forward(self, x: Array) -> Array:
        check_images(self.where, x.shape[1:])
        c = self.cache
        c.chosen = np.flatnonzero(self.rng.random(len(x)) < self.rate) if self.training else ()
        return _mirrored(x, c.chosen)

    def backward(self, dy: Array) -> Array:
        return _mirrored(dy, self.cache.chosen)

    def flops(self) -> int:
        return 0


class RandomCrop(Layer):
    """y[n] = x[n] moved by a random (a, b), zeros moving in;  dx[n] = dy[n] moved by (-a, -b).

    x is images, (N, C, H, W); a and b are whole numbers of pixels, from -p to p with equal probability each,
    p = ``padding``. In other words: a border of p zeros is put around each image, and a piece of the image's own
    size cut out somewhere. In training only; in use, y = x. He et al., "Deep residual learning for image
    recognition", 2016, with p = 4 on images of 32x32.

    The zeros are black if they are put around pixels from 0 to 1, and the mean colour after ``Normalize``.

    Raises
    ------
    ShapeError
        If the input is no images, or so small that nothing of one might be left.
    """

    backward_uses = ()

    def __init__(self, padding: int = 4) -> None:
        if not isinstance(padding, (int, np.integer)) or padding < 0:
            raise ShapeError(f"RandomCrop: padding: expected an integer from 0 on, got {padding!r:.40}")
        self.padding = padding

    def build(self, in_shape: Any) -> Any:
        return self._checked(in_shape)

    def _checked(self, in_shape: Any) -> Any:
        check_images(self.where, in_shape)
        if self.padding and self.padding >= min(in_shape[1:]):
            raise ShapeError(
                f"{self.where}: padding {self.padding} might move all of an image out of sight; "
                f"expected images larger than that, got shape {in_shape} without the batch axis"
            )
        return in_shape

    def forward(self, x: Array) -> Array:
        self._checked(x.shape[1:])  # sizes may change from batch to batch
        c, p = self.cache, self.padding
        c.moves = self.rng.integers(-p, p, (len(x), 2), endpoint=True) if self.training and p else None
        return x if c.moves is None else _moved(x, c.moves)

    def backward(self, dy: Array) -> Array:
        moves = self.cache.moves
        return dy if moves is None else _moved(dy, -moves)

    def flops(self) -> int:
        return 0


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


def _mirrored(x: Array, chosen: Any) -> Array:
    """A copy of ``x`` in which the chosen samples are mirrored; ``x`` itself if there are none."""
    if not len(chosen):
        return x
    y = x.copy(order="K")
    y[chosen] = x[chosen][..., ::-1]
    return y


def _moved(x: Array, moves: Array) -> Array:
    """Each sample moved down and to the right, with zeros behind it.

    One sample at a time is the fast way: it writes *samples last* at no extra cost, as the next layer wants it.
    """
    n, *rest = x.shape
    y = samples_first(np.zeros((*rest, n), x.dtype))
    for i, (down, right) in enumerate(moves.tolist()):
        to_rows, rows = _overlap(down, x.shape[2])
        to_columns, columns = _overlap(right, x.shape[3])
        y[i, :, to_rows, to_columns] = x[i, :, rows, columns]
    return y


def _overlap(move: int, size: int) -> tuple[slice, slice]:
    """Where a line of ``size`` pixels that is moved comes to lie, and which of its pixels those are."""
    return slice(max(move, 0), size + min(move, 0)), slice(max(-move, 0), size - max(move, 0))


def _numbers(value: Any) -> float | tuple[float, ...]:
    """A number, or several as a tuple."""
    numbers = np.asarray(value, np.float64)
    if numbers.ndim > 1 or not numbers.size:
        raise ShapeError(f"Normalize: expected a number or one for each channel, got shape {numbers.shape}")
    return tuple(numbers.tolist()) if numbers.ndim else float(numbers)


def _aligned(numbers: float | tuple[float, ...], x: Array) -> Array:
    """The numbers in ``x``'s dtype and in a shape that broadcasts along its axis 1."""
    return np.array(numbers, x.dtype).reshape(-1, *(1,) * (x.ndim - 2))
