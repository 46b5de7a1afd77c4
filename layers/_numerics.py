"""Fast spellings of small sums; see ``benchmarks/`` for what they gain."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@lru_cache(maxsize=64)
def ones(n: int, dtype: np.dtype[Any]) -> Array:
    """A read-only vector of ``n`` ones."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


@lru_cache(maxsize=64)
def row_starts(rows: int, columns: int) -> Array:
    """Flat indices of the first element of each row of a (rows, columns) matrix; read-only."""
    starts = np.arange(0, rows * columns, columns) if columns else np.zeros(rows, np.intp)
    starts.flags.writeable = False
    return starts


def column_sum(a: Array) -> Array:
    """Sum of each column of a matrix, as a product: faster than ``a.sum(axis=0)``, and rounds less."""
    return ones(len(a), a.dtype).dot(a)


def row_sum(a: Array) -> Array:
    """Sum of each row of a matrix, as a product."""
    return a.dot(ones(a.shape[1], a.dtype))


def row_max(a: Array) -> Array:
    """Maximum of each row of a matrix of at least one column."""
    return a.take(row_starts(*a.shape) + a.argmax(axis=1))
