"""Blocks of images, samples last, that are worked on in a core's cache, and how work is cut into even parts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Item = TypeVar("Item")


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


def evenly(count: int, most: int) -> int:
    """The size of pieces, at most ``most`` each, that cut ``count`` most evenly; 1 for none."""
    return -(-count // -(-count // most)) if count else 1


def in_groups(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """Items in at most so many groups of neighbours."""
    size = -(-len(items) // most) or 1
    return [items[i : i + size] for i in range(0, len(items), size)]


def _overlap(start: int, size: int, limit: int) -> tuple[slice, slice]:
    """Where [start, start + size) meets [0, limit), counted from 0 and from start."""
    first, last = max(0, start), max(0, min(limit, start + size))
    first = min(first, last)
    return slice(first, last), slice(first - start, last - start) if first < last else slice(0, 0)
