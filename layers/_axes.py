"""Axes of a sample, as arguments of layers: axis 0 is the batch's and is never theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .errors import ShapeError


def refuse_batch_axis(owner: str, axis: int) -> None:
    """Raise ``ShapeError`` if an argument names the batch's axis, or no axis at all."""
    if not isinstance(axis, (int, np.integer)):
        raise ShapeError(f"{owner}: axis: expected an integer, got {axis!r:.40}")
    if axis == 0:
        raise ShapeError(f"{owner}: axis 0 is the sample, which every layer keeps; expected another axis")


def refuse_vectors(where: str, in_shape: Sequence[int], expected: str = "(N, channels, …)") -> None:
    """Raise ``ShapeError`` if samples have no axis at all: then the input may be a single one, a vector."""
    if not in_shape:
        raise ShapeError(f"{where}: expected {expected}, got a vector; a single sample is x[None, :]")


def axis_of(where: str, axis: int, in_shape: Sequence[int]) -> int:
    """Return ``axis`` counted from the front, the batch's axis included; ``in_shape`` leaves that out.

    Raises
    ------
    ShapeError
        If an input of that shape has no such axis, or it is the batch's.
    """
    ndim = 1 + len(in_shape)
    at = axis + ndim if axis < 0 else axis
    if not 1 <= at < ndim:
        there = f"axes from 1 to {len(in_shape)}" if in_shape else "no axis but that"
        raise ShapeError(
            f"{where}: axis {axis} is beyond an input of shape {tuple(in_shape)}, batch axis left out: it has {there}"
        )
    return at
