"""Blocks of images, samples last, that are worked on in a core's cache."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def cut(buffer: Array, shape: tuple[int, ...]) -> Array:
    """The start of a flat buffer, in a shape."""
    return buffer[: prod(shape)].reshape(shape)


def copy_padded(x: Array, corner: tuple[int, int, int], out: Array) -> None:
    """Copy the block of x (C, H, W, N) that begins at (row, column, sample) into ``out``; outside x are zeros."""
    row, column, sample = corner
    n = slice(sample, sample + out.shape[3])
    h, oh = _overlap(row, out.shape[1], x.shape[1])
    w, ow = _overlap(column, out.shape[2], x.shape[2])
    inside = out[:, oh, ow]
    if inside.shape != out.shape:
        out.fill(0)
    np.copyto(inside, x[:, h, w, n])


def _overlap(start: int, size: int, limit: int) -> tuple[slice, slice]:
    """Where [start, start + size) meets [0, limit), counted from 0 and from start."""
    first, last = max(0, start), max(0, min(limit, start + size))
    first = min(first, last)
    return slice(first, last), slice(first - start, last - start) if first < last else slice(0, 0)
