"""Statistics of a batch that is shared out to several processes: ``_batch_norm`` with a message in the middle.

Each process works on its own samples. ``across`` takes an array that it has found and returns those of all
processes, stacked along a new first axis; all call it alike, those without samples too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._batch_norm import Layout, each, sums

Array = np.ndarray[Any, np.dtype[Any]]
Across = Callable[[Array], Array]


def statistics(x: Array, layout: Layout, across: Across) -> tuple[int, Array, Array]:
    """Return M, mean and variance of each channel over the numbers of all processes.

    From those of each, n numbers of mean m' and S' = Σ (x - m')²: m = Σ n m' / M and v = Σ (S' + n (m' - m)²) / M.
    Nothing large is taken away from anything large. Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979.
    """
    mean, squares = _moments(x, layout)
    count = np.full(len(mean), float(x.shape[1 - layout.axis]))
    n, m, s = across(np.stack([count, mean, squares])).swapaxes(0, 1)  # each (processes, channels), in float64
    total = n.sum(axis=0)
    shares = n / np.maximum(total, 1)
    middle = (shares * m).sum(axis=0)
    var = (s / np.maximum(total, 1) + shares * (m - middle) ** 2).sum(axis=0)
    return int(total.max(initial=0)), middle.astype(x.dtype), var.astype(x.dtype)


def backward(
    dy: Array, x: Array, layout: Layout, mean: Array, rate: Array, gamma: Array | None, count: int, across: Across
) -> tuple[Array, Array, Array]:
    """Return dx = gamma rate (dy - Σ dy / M - z rate² Σ dy z / M), with sums over all processes' M numbers.

    And Σ dy z and Σ dy over this process's, for the gradients of gamma and beta, which are added up later.
    """
    dots, totals = sums(dy, x, layout, mean)
    means = across(np.stack([dots, totals]).astype(np.float64)).sum(axis=0) / max(1, count)
    dot, total = means.astype(x.dtype)
    slope, factor = dot * rate * rate, rate if gamma is None else rate * gamma
    dx = np.empty_like(x)

    def block(at: tuple[slice, ...]) -> None:
        c = at[-1]
        out = np.subtract(x[at], mean[c].reshape(layout.shape), out=dx[at])
        out *= slope[c].reshape(layout.shape)
        out += total[c].reshape(layout.shape)
        np.subtract(dy[at], out, out=out)
        out *= factor[c].reshape(layout.shape)

    each(block, x, layout)
    return dx, dots, totals


def _moments(x: Array, layout: Layout) -> tuple[Array, Array]:
    """Return the mean m and Σ (x - m)² of each channel of this process; zeros where it has no numbers."""
    mean, squares = np.zeros((2, x.shape[layout.axis]), x.dtype)

    def block(at: tuple[slice, ...]) -> None:
        m = layout.sum(x[at])
        m /= x.shape[1 - layout.axis]
        centred = x[at] - m.reshape(layout.shape)
        mean[at[-1]], squares[at[-1]] = m, layout.dot(centred, centred)

    each(block, x, layout)
    return mean, squares
