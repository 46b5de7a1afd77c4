"""Fast spellings of small sums; see ``benchmarks/`` for what they gain."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ._products import multiply
from .threads import share, sharing

Array = np.ndarray[Any, np.dtype[Any]]


KEPT = 65_536  # elements: longer vectors are made anew, so that no memory is held for them


def ones(n: int, dtype: np.dtype[Any]) -> Array:
    """A read-only vector of ``n`` ones."""
    return _ones(n, dtype) if n <= KEPT else np.ones(n, dtype)


def row_starts(rows: int, columns: int) -> Array:
    """Flat indices of the first element of each row of a (rows, columns) matrix; read-only."""
    return _row_starts(rows, columns) if rows <= KEPT else np.arange(rows) * columns


@lru_cache(maxsize=64)
def _ones(n: int, dtype: np.dtype[Any]) -> Array:
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


@lru_cache(maxsize=64)
def _row_starts(rows: int, columns: int) -> Array:
    starts = np.arange(rows) * columns
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


SHARED = 4_000_000  # products of numbers in a matrix product that is worth sharing out
PARTS = 8


def matrix_product(a: Array, b: Array, out: Array | None = None) -> Array:
    """``a @ b`` for matrices; inside ``worker_threads``, where BLAS has one thread, shared out to ours if large.

    ``out`` is C-contiguous.
    """
    (m, k), n = a.shape, b.shape[1]
    if m * k * n < SHARED or not sharing():
        return np.dot(a, b, out)
    if out is None:
        out = np.empty((m, n), np.result_type(a, b))
    whole = out
    wide = n >= m  # cut the longer side of the result
    size = -(-max(m, n) // PARTS)

    def work(start: int) -> None:
        part = slice(start, start + size)
        if wide:
            multiply(a, b[:, part], whole[:, part])
        else:
            multiply(a[part], b, whole[part])

    share([lambda start=start: work(start) for start in range(0, max(m, n), size)])
    return out
