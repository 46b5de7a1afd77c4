"""What every exported file has: the way in, and the comparison of its self-test."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def check(x: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """The samples as an array, (N, …); a ValueError unless each is of that shape."""
    x = np.asarray(x)
    if x.shape[1:] != shape or not x.ndim:
        raise ValueError(f"expected samples of shape {shape}, as an array (N, …), got one of shape {x.shape}")
    if dtype is int and x.dtype.kind not in "iu":
        raise ValueError(f"expected integers, got {x.dtype}")
    return x.astype(dtype)


def pixels(x: Any) -> Array:
    """Numbers as they are, bytes as parts of 255."""
    x = np.asarray(x)
    return x / np.float32(255) if x.dtype == np.uint8 else x


def as_target(target: Any, dtype: Any, classes: tuple[str, ...] = ()) -> Array:
    """Labels as integers, the places of names among the classes; quantities in the precision of the net."""
    target = np.asarray(target)
    if classes and target.dtype.kind in "UO":
        names = [str(name) for name in target.ravel().tolist()]
        for name in names:
            if name not in classes:
                raise ValueError(f"no such class: {name}; there are {', '.join(classes)}")
        return np.array([classes.index(name) for name in names], int).reshape(target.shape)
    return target.astype(dtype) if target.dtype.kind == "f" else target


def difference(found: Any, expected: Any) -> float:
    """The largest difference, divided by the largest number expected; infinite if the shapes differ.

    If even that number is below a millionth, and so may be a rounding error, the divisor is a millionth.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1e-6))


def own_units(z: Array, mean: Array, deviation: Array) -> Array:
    """The quantities that the net was trained with a scale of: z deviation + mean."""
    return z * deviation + mean
