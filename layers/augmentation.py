"""Layers that change images at random in training, which multiplies the data.

They stand first in a net and travel with it. What is random comes from the layer's own generator, so it repeats
with the seed; evaluation draws nothing and gets the images as they are.
"""

from __future__ import annotations

from typing import Any

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
