"""Adam's update as one loop over memory, which Numba compiles (extra ``jit``).

NumPy goes over memory once for each of its ten operations. Here each element is read once, taken through the same
operations in the same order, each rounded to the arrays' type, and written once. Nothing is contracted or reordered
(no ``fastmath``), so that a training comes to the same bits with and without Numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def _loop(data: Array, grad: Array, m: Array, v: Array, beta1: Any, beta2: Any, eps: Any, step: Any) -> bool:
    """Move ``data``; return whether a number that was finite is no longer so."""
    spoilt = False
    for i in range(data.size):
        w, g, h = data[i], grad[i], v[i]
        m[i] = m[i] * beta1 + g
        v[i] = h * beta2 + g * g
        data[i] = w - m[i] / (np.sqrt(v[i]) + eps) * step
        spoilt |= (math.isfinite(w) and not math.isfinite(data[i])) or (math.isfinite(h) and not math.isfinite(v[i]))
    return spoilt


def _compile() -> Callable[..., bool] | None:
    try:
        from numba import njit
    except ImportError:  # not installed, or too old for this NumPy
        return None
    return njit(nogil=True, error_model="numpy")(_loop)


_compiled = _compile()


def adam(data: Array, grad: Array, m: Array, v: Array, *numbers: float) -> bool:
    """Update as ``Adam`` does, with beta1, beta2, eps and step; return False, and do nothing, without Numba."""
    if _compiled is None:
        return False
    dtype = data.dtype.type  # NumPy, too, rounds Python's numbers to the arrays' type first
    if _compiled(data, grad, m, v, *map(dtype, numbers)):
        np.multiply(np.finfo(np.float64).max, 2.0)  # overflows: np.errstate hears of it as from NumPy's own operations
    return True
