"""Matrix products cut so that BLAS takes its quickest way.

OpenBLAS multiplies matrices in place, without packing them first, if m n k is at most a million; on processors
with AVX-512 that reaches nine tenths of a core's peak where the packing way reaches two thirds. With the second
factor transposed, the result must have at most 1,200 elements as well (``sgemm_small_kernel_permit`` in
OpenBLAS's kernel/x86_64). ``benchmarks/convolutions.py`` measures both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 1_000_000  # m n k
TILE = 32  # rows and columns of a result; 32 x 32 is below 1,200


def multiply(a: Array, b: Array, out: Array) -> None:
    """Out = a b, for matrices a (…, m, k) and b (…, k, n) with n large: b is cut into groups of columns."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    widest = SMALL // max(1, m * k)
    if n <= widest or widest < TILE:
        np.matmul(a, b, out=out)
        return
    width = -(-n // -(-n // widest)) // 16 * 16 or 16  # equal groups, of whole vector registers
    whole = n // width * width
    np.matmul(a[..., None, :, :], _columns(b[..., :whole], width), out=_columns(out[..., :whole], width))
    if whole < n:
        np.matmul(a, b[..., whole:], out=out[..., whole:])


def multiply_transposed(a: Array, b: Array, out: Array) -> None:
    """Out = a bᵀ, for matrices a (…, m, n) and b (…, k, n): the result is cut into tiles."""
    for i in range(0, a.shape[-2], TILE):
        for j in range(0, b.shape[-2], TILE):
            rows, columns = slice(i, i + TILE), slice(j, j + TILE)
            np.matmul(a[..., rows, :], b[..., columns, :].swapaxes(-1, -2), out=out[..., rows, columns])


def _columns(a: Array, width: int) -> Array:
    """(…, k, n) seen as (…, n / width, k, width)."""
    return a.reshape(*a.shape[:-1], -1, width).swapaxes(-3, -2)
