"""Sums and products of matrices, in the spelling that is fastest; see ``benchmarks/`` for what it gains."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from .threads import share, sharing

Array = np.ndarray[Any, np.dtype[Any]]


KEPT = 65_536  # elements: longer vectors are made anew, so that no memory is held for them
SHARED = 4_000_000  # multiplications in a matrix product that is worth a task of its own
FEW = 4096  # elements: products of so small a matrix are never shared out, and not worth the call that finds out


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


def matrix_product(a: Array, b: Array, out: Array | None = None) -> Array:
    """``a @ b`` for matrices; inside ``worker_threads``, where BLAS has one thread, shared out to ours if large.

    ``out``, if given, is C-contiguous.
    """
    (m, k), n = a.shape, b.shape[1]
    if m * k * n < 2 * SHARED or not sharing():
        return np.dot(a, b, out)
    y = np.empty((m, n), np.result_type(a, b)) if out is None else out
    parts = m * k * n // SHARED
    size = -(-max(m, n) // parts // 16) * 16  # of the longer side, in whole vector registers

    def work(start: int) -> None:
        part = slice(start, start + size)
        if n >= m:
            np.matmul(a, b[:, part], out=y[:, part])
        else:
            np.matmul(a[part], b, out=y[part])

    share([partial(work, start) for start in range(0, max(m, n), size)])
    return y
