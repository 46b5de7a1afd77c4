"""Where the elements of a batch of images lie.

Logically images are (N, C, H, W). The kernels here keep them *samples last* in memory, C slowest and N fastest,
as cuda-convnet did: an array of shape (N, C, H, W) that is a transposed view of one of shape (C, H, W, N). Then

- a shift of the image by a pixel, a stride, a border are all moves of whole rows of N numbers, whatever the
  number of channels: no kernel has a slow case for one channel or three;
- all numbers of a channel lie side by side, so that batch statistics are sums along rows;
- (N, C H W), for ``Affine``, is a view.

NumPy's elementwise functions keep the layout of their operand, so it carries through a net by itself.
"""

from __future__ import annotations

from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import ShapeError
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]
MOVED = 4096  # numbers of one sample that are moved by one call


def samples_last(x: Array) -> Array:
    """(N, C, …) as a contiguous array of shape (C, …, N): a view where the memory lies so, else a copy."""
    view = x.transpose(*range(1, x.ndim), 0)
    if view.flags.c_contiguous:
        return view
    copy = np.empty(view.shape, x.dtype)
    at_once = max(1, MOVED * len(view) // max(1, prod(view.shape[:-1])))  # channels

    def work(first: int) -> None:
        # One sample after the other: numbers of neighbouring samples often lie a power of two apart, where they
        # push each other out of the cache.
        channels = slice(first, first + at_once)
        for sample, image in enumerate(x):
            copy[channels, ..., sample] = image[channels]

    share([partial(work, first) for first in range(0, len(view), at_once)])
    return copy


def samples_first(y: Array) -> Array:
    """(C, …, N) seen as (N, C, …): always a view."""
    return y.transpose(y.ndim - 1, *range(y.ndim - 1))


def empty_images(shape: tuple[int, ...], dtype: Any) -> Array:
    """An uninitialised array of logical shape (N, C, …), samples last in memory."""
    n, *rest = shape
    return samples_first(np.empty((*rest, n), dtype))


LAYOUTS = MappingProxyType({4: "(N, C, H, W)", 3: "(N, C, L)"})


def check_images(where: str, in_shape: tuple[int, ...], ndim: int = 4) -> None:
    """Raise ``ShapeError`` unless a shape without the batch axis is that of images, or with ``ndim`` 3 of sequences."""
    if len(in_shape) != ndim - 1 or not all(isinstance(n, int) for n in in_shape):
        fix = "; a single channel needs its axis too: x[:, None]" if len(in_shape) == ndim - 2 else ""
        raise ShapeError(
            f"{where}: expected input of shape {LAYOUTS[ndim]}, got {in_shape} without the batch axis{fix}"
        )


def check_gradient(where: str, dy: Array, shape: tuple[int, ...]) -> None:
    """Raise ``ShapeError`` unless dy has the shape of what forward returned: it would be broadcast, or misread."""
    if dy.shape != shape:
        raise ShapeError(f"{where}: forward returned shape {shape}, but dy has shape {dy.shape}")


def pair(value: Any, owner: str, name: str, least: int = 1) -> tuple[int, int]:
    """``3`` or ``(3, 5)`` as a pair of integers of at least ``least``.

    Raises
    ------
    ShapeError
        If it is neither.
    """
    both = (value, value) if isinstance(value, (int, np.integer)) else value
    if (
        not isinstance(both, (tuple, list))
        or len(both) != 2
        or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= least for n in both)
    ):
        raise ShapeError(f"{owner}: {name}: expected an integer from {least} on or a pair of them, got {value!r:.60}")
    return int(both[0]), int(both[1])
