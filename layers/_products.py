"""Matrix products cut so that BLAS takes its quickest way.

OpenBLAS multiplies matrices in place, without packing them first, if m n k is at most a million; on processors
with AVX-512 that reaches nine tenths of a core's peak where the packing way reaches two thirds. With the second
factor transposed, the result must have at most 1,200 elements as well (``sgemm_small_kernel_permit`` in
OpenBLAS's kernel/x86_64). ``benchmarks/convolutions.py`` measures both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._blocks import evenly

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 1_000_000  # m n k
TILE = 32  # rows and columns of a result; 32 x 32 is below 1,200
NARROWEST = 48  # group of columns that pays


def multiply(a: Array, b: Array, out: Array) -> None:
    """The products a b of matrices a (…, m, k) and b (…, k, n) with n large: b is cut into groups of columns."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    widest = SMALL // max(1, m * k)
    width = -(-n // -(-n // widest)) // 16 * 16 if 0 < widest < n else 0  # equal groups, of whole vector registers
    if width < NARROWEST:
        np.matmul(a, b, out=out)
        return
    whole = n // width * width
    np.matmul(a[..., None, :, :], _columns(b[..., :whole], width), out=_columns(out[..., :whole], width))
    if whole < n:
        np.matmul(a, b[..., whole:], out=out[..., whole:])


def multiply_transposed(a: Array, b: Array, out: Array) -> None:
    """The products a bᵀ of matrices a (…, m, n) and b (…, k, n), into out, cut into tiles of at most 32 x 32.

    All tiles of a matrix come before the next matrix, which is therefore read from memory once.
    """
    m, k = out.shape[-2:]
    rows, columns = evenly(m, TILE), evenly(k, TILE)
    i, j = m // rows * rows, k // columns * columns
    tiles = out[..., :i, :j].reshape(*out.shape[:-2], i // rows, rows, j // columns, columns).swapaxes(-3, -2)
    left = a[..., :i, :].reshape(*a.shape[:-2], i // rows, 1, rows, a.shape[-1])
    right = b[..., :j, :].reshape(*b.shape[:-2], 1, j // columns, columns, b.shape[-1])
    np.matmul(left, right.swapaxes(-1, -2), out=tiles)
    if i < m:
        multiply_transposed(a[..., i:, :], b, out[..., i:, :])
    if j < k:
        multiply_transposed(a[..., :i, :], b[..., j:, :], out[..., :i, j:])


def _columns(a: Array, width: int) -> Array:
    """(…, k, n) seen as (…, n / width, k, width)."""
    return a.reshape(*a.shape[:-1], a.shape[-1] // width, width).swapaxes(-3, -2)
