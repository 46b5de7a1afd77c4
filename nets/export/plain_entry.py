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
    return x.astype(dtype)


def difference(found: Any, expected: Any) -> float:
    """The largest difference, as a part of the largest number expected; infinite if the shapes differ."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1e-30))
