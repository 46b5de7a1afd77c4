"""Making the mean 0 and the variance 1 of each sample's own numbers, forwards and backwards.

Arrays hold *rows*, each normalised by itself, of *positions*, each with a gamma and a beta: (A, rows, positions),
or with ``lanes`` (A, positions, rows), which is how images lie, samples last. Rows of one a share gamma and beta,
which are (A, positions); means and the like are (A, rows).

What is broadcast here runs along short stretches of memory, where NumPy's broadcasting is three times slower than
BLAS: so a mean that is taken from each row is written out by ``_outer``, and sums are products with a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ._numerics import ones
from .threads import PIECE, share

Array = np.ndarray[Any, np.dtype[Any]]
# Of a variance v: the factor r that makes it 1, and u with dr/dv = -r² u / 2.
Rate = Callable[[Array], tuple[Array, Array]]
SMALL = 8192  # elements
RUN = 32  # samples side by side; NumPy takes much longer over shorter runs of memory


class Statistics(NamedTuple):
    """What was subtracted (None: nothing), and the mean square of the rest; both (A, rows)."""

    mean: Array | None
    var: Array


def inside(eps: float) -> Rate:
    """For r = 1 / sqrt(v + eps)."""

    def rate(var: Array) -> tuple[Array, Array]:
        r = 1 / np.sqrt(var + eps)
        return r, r

    return rate


def outside(eps: float) -> Rate:
    """For r = 1 / (sqrt(v) + eps)."""

    def rate(var: Array) -> tuple[Array, Array]:
        std = np.sqrt(var)
        return 1 / (std + eps), 1 / np.maximum(std, np.finfo(std.dtype).tiny)

    return rate


def unscaled(var: Array) -> tuple[Array, Array]:
    """For r = 1, whatever the variance."""
    return np.ones_like(var), np.zeros_like(var)


def normalize(
    x: Array, lanes: bool, rate: Rate, gamma: Array | None = None, beta: Array | None = None, centred: bool = True
) -> tuple[Array, Statistics]:
    """Return y = (x - mean) r gamma + beta, and what it took."""
    y, (rows, size) = np.empty(x.shape, x.dtype), _sizes(x, lanes)
    mean, var = np.zeros((2, len(x), rows), x.dtype)
    one = ones(size, x.dtype)[None]

    def block(a: slice, r: slice, at: tuple[slice, ...]) -> None:
        z, out = x[at], y[at]
        if centred:
            m = mean[a, r] = _over_positions(z, one, lanes) / size
            z = np.subtract(z, _outer(m, one, lanes), out=out)
        v = var[a, r] = (_over_positions(z * z, one, lanes) if lanes else np.vecdot(z, z)) / size
        np.multiply(z, _outer(rate(v)[0], one if gamma is None else gamma[a], lanes), out=out)
        if beta is not None:
            out += _outer(np.ones_like(v), beta[a], lanes)

    _in_blocks(block, x, lanes)
    return y, Statistics(mean if centred else None, var)


def gradients(
    dy: Array,
    x: Array,
    lanes: bool,
    statistics: Statistics,
    rate: Rate,
    gamma: Array | None = None,
    wanted: tuple[bool, bool] = (True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """Return dx, dgamma = Σ dy z r and dbeta = Σ dy, where z = x - mean and the sums run over the rows.

    With g = dy gamma, dx = r (g - mean of g - z r u mean of g z); without the mean of g if x was not centred.
    ``wanted`` says whether dx is, and whether dgamma and dbeta are.
    """
    mean, var = statistics
    dx = np.empty(x.shape, x.dtype) if wanted[0] else None
    size = _sizes(x, lanes)[1]
    one = ones(size, x.dtype)[None]
    learned: dict[tuple[int, int], tuple[slice, Array, Array]] = {}

    def block(a: slice, r: slice, at: tuple[slice, ...]) -> None:
        grad, z = dy[at], x[at]
        if mean is not None:
            z = z - _outer(mean[a, r], one, lanes)
        factor, u = rate(var[a, r])
        weight, products = one if gamma is None else gamma[a], grad * z
        if wanted[1]:
            every = np.ones_like(factor)
            sums = _over_rows(products, factor, lanes), _over_rows(grad, every, lanes)
            learned[a.start, r.start] = a, *sums
        if dx is None:
            return
        slope = _over_positions(products, weight, lanes) * factor * factor * u / -size
        out = np.multiply(grad, _outer(factor, weight, lanes), out=dx[at])
        z = np.multiply(z, _outer(slope, one, lanes), out=products)
        out += z
        if mean is not None:
            out -= _outer(_over_positions(grad, weight, lanes) * factor / size, one, lanes)

    _in_blocks(block, x, lanes)
    if not wanted[1]:
        return dx, None, None
    dgamma, dbeta = np.zeros((2, len(x), size), x.dtype)
    for key in sorted(learned):
        a, of_gamma, of_beta = learned[key]
        dgamma[a] += of_gamma
        dbeta[a] += of_beta
    return dx, dgamma, dbeta


def _sizes(x: Array, lanes: bool) -> tuple[int, int]:
    """The numbers of rows and of positions."""
    return (x.shape[2], x.shape[1]) if lanes else (x.shape[1], x.shape[2])


def _in_blocks(block: Callable[[slice, slice, tuple[slice, ...]], None], x: Array, lanes: bool) -> None:
    """Call ``block`` for stretches of A, or of rows if there is but one a."""
    if not x.size:
        return
    rows, size = _sizes(x, lanes)
    step = max(1, PIECE // x[0].size)
    stretch = rows if len(x) > 1 else max(RUN if lanes else 1, PIECE // size)
    blocks = [
        (slice(a, a + step), slice(r, r + stretch)) for a in range(0, len(x), step) for r in range(0, rows, stretch)
    ]
    share([lambda a=a, r=r: block(a, r, (a, slice(None), r) if lanes else (a, r)) for a, r in blocks])


def _outer(of_rows: Array, of_positions: Array, lanes: bool) -> Array:
    """The product for each row and position.

    As a product of matrices, with a column of zeros more: with a single one NumPy does not go to BLAS.
    """
    a, b = (of_positions, of_rows) if lanes else (of_rows, of_positions)
    if max(len(a), len(b)) * a.shape[1] * b.shape[1] <= SMALL:
        return a[:, :, None] * b[:, None]
    left, right = np.zeros((*a.shape, 2), a.dtype), np.zeros((len(b), 2, b.shape[1]), b.dtype)
    left[..., 0], right[:, 0] = a, b
    return left @ right


def _over_positions(x: Array, weight: Array, lanes: bool) -> Array:
    """Σ x weight for each row."""
    return (weight[:, None] @ x)[:, 0] if lanes else (x @ weight[:, :, None])[..., 0]


def _over_rows(x: Array, weight: Array, lanes: bool) -> Array:
    """Σ x weight for each position."""
    return (x @ weight[:, :, None])[..., 0] if lanes else (weight[:, None] @ x)[:, 0]
