"""What Caffe's layers ask of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handbrew.layers import LabelError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
WHOLE = 2.0**53  # up to here float64 holds every integer


def whole_numbers(where: str, x: Any) -> Array:
    """Return numbers as integers; of floating-point ones the fraction is cut off, as Caffe's cast to int does.

    Raises
    ------
    LabelError
        If there is one that is not finite, or beyond all integers.
    """
    x = np.asarray(x)
    if x.dtype.kind in "iu":
        return x
    if x.dtype.kind not in "fb" or not (np.abs(x) < WHOLE).all():
        raise LabelError(f"{where}: expected integers or finite numbers, got {x.dtype} with others in it")
    return x.astype(np.intp)


def no_gradient(x: Array) -> Array | None:
    """What ``backward`` returns for an input that is cast to integers: zeros, or ``None`` if it holds integers."""
    return np.zeros_like(x) if x.dtype.kind == "f" else None


def axis_of(where: str, axis: int, shape: Sequence[Any]) -> int:
    """Return ``axis`` counted from the front, in a shape with the batch's axis.

    Raises
    ------
    ShapeError
        If there is no such axis.
    """
    at = axis + len(shape) if axis < 0 else axis
    if not 0 <= at < len(shape):
        raise ShapeError(f"{where}: axis {axis} is beyond an input of {len(shape)} axes, the batch's included")
    return at


def check_gradient(where: str, dy: Array, shape: tuple[int, ...]) -> None:
    """Raise ``ShapeError`` unless dy has the shape of what forward returned."""
    if np.shape(dy) != shape:
        raise ShapeError(f"{where}: forward returned shape {shape}, but dy has shape {np.shape(dy)}")
