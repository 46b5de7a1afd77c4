"""Convolution with a kernel of one pixel: a matrix product over the channels."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ._blocks import in_groups
from ._products import SMALL, TILE, multiply, multiply_transposed
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]

COLUMNS = 8192  # pixels of all samples at a time
GROUPS = 8  # of such pieces, each with a partial sum of the weights' gradient


def correlate(x: Array, W: Array, bias: Array | None = None) -> Array:
    """y[o] = bias[o] + Σ W[o, c] x[c], for x (C, …) and a matrix W (O, C)."""
    y = np.empty((len(W), *x.shape[1:]), x.dtype)
    source, out = x.reshape(len(x), -1), y.reshape(len(y), -1)

    def work(columns: slice) -> None:
        multiply(W, source[:, columns], out[:, columns])
        if bias is not None:
            out[:, columns] += bias[:, None]

    share([partial(work, piece) for piece in _pieces(source.shape[1], COLUMNS)])
    return y


def weight_gradient(x: Array, g: Array) -> Array:
    """dW[o, c] = Σ g[o] x[c]."""
    x, g = x.reshape(len(x), -1), g.reshape(len(g), -1)
    groups = in_groups(_pieces(x.shape[1], COLUMNS), GROUPS)
    sums = np.zeros((len(groups), len(g), len(x)), x.dtype)

    def work(number: int, product: Array) -> None:
        for piece in groups[number]:
            for part in _pieces(piece.stop, SMALL // TILE**2, piece.start):
                multiply_transposed(g[:, part], x[:, part], product)
                sums[number] += product

    share([partial(work, number) for number in range(len(groups))], lambda: np.empty(sums.shape[1:], x.dtype))
    return sums.sum(axis=0)


def _pieces(stop: int, size: int, start: int = 0) -> list[slice]:
    return [slice(a, min(stop, a + size)) for a in range(start, stop, size)]
