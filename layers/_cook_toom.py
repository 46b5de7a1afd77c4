"""The matrices of Winograd's minimal filtering, by Cook's and Toom's interpolation.

A filter is a product of polynomials read backwards, and a polynomial of degree n - 1 is known from its values in n
points: evaluate both factors there, multiply value by value, and interpolate. One of the points may be infinity, where
the value is the leading coefficient.

Cook, "On the minimum computation time of functions", 1966; Winograd, "Arithmetic complexity of computations", 1980.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

OUT = 4  # outputs of a tile along each axis
NODES = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)  # powers of two: the matrices below are exact but for one division


@lru_cache(maxsize=16)
def cook_toom(taps: int) -> tuple[Array, Array, Array]:
    """Aᵀ (4, n), G (n, taps) and Bᵀ (n, n), from interpolation in n - 1 nodes and infinity."""
    n = OUT + taps - 1
    nodes = NODES[: n - 1]
    A = [[x**i for x in nodes] + [float(i == OUT - 1)] for i in range(OUT)]
    scale = [prod(x - other for other in nodes if other != x) for x in nodes]
    G = [[x**i / s for i in range(taps)] for x, s in zip(nodes, scale, strict=True)]
    G.append([float(i == taps - 1) for i in range(taps)])
    B = [[*_polynomial([other for other in nodes if other != x]), 0.0] for x in nodes]
    B.append(_polynomial(nodes))
    return np.array(A), np.array(G), np.array(B)


def _polynomial(roots: Sequence[float]) -> list[float]:
    """Coefficients of Π (x - root), the constant one first."""
    coefficients = [1.0]
    for root in roots:
        raised, lowered = [0.0, *coefficients], [*coefficients, 0.0]
        coefficients = [a - root * b for a, b in zip(raised, lowered, strict=True)]
    return coefficients
