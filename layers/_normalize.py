"""Making the mean 0 and the variance 1 in groups of each sample's own numbers, forwards and backwards.

Arrays are (A, B, P, L): the mean and the variance are taken over B and P, once for each a and l; gamma and beta
have a number for each b, or a and b, and are the same along P and L. The L *lanes* lie side by side in memory:

    rows of features            (rows, features, 1, 1)
    images, samples last        (groups, channels of a group, pixels, N)
    images, samples first       (N groups, channels of a group, pixels, 1)

Blocks of A stay in a core's cache through all steps, so that each array goes through main memory once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ._numerics import ones
from .threads import PIECE, share

Array = np.ndarray[Any, np.dtype[Any]]
# Of a variance v: the factor r that makes it 1, and u with dr/dv = -r² u / 2.
Rate = Callable[[Array], tuple[Array, Array]]
BUFFER = 8192  # elements: NumPy's ufuncs copy shorter runs into a buffer of this size, if anything is broadcast


class Statistics(NamedTuple):
    """What was subtracted (None: nothing), and the mean square of the rest; both (A, 1, 1, L)."""

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
        return 1 / (std + eps), 1 / np.maximum(std, eps * eps)

    return rate


def unscaled(var: Array) -> tuple[Array, Array]:
    """For r = 1, whatever the variance."""
    return np.ones_like(var), np.zeros_like(var)


def normalize(
    x: Array, rate: Rate, gamma: Array | None = None, beta: Array | None = None, centred: bool = True
) -> tuple[Array, Statistics]:
    """Return y = (x - mean) r gamma + beta, and what it took."""
    y, size = np.empty(x.shape, x.dtype), x.shape[1] * x.shape[2]
    of_groups = (x.shape[0], 1, 1, x.shape[3])
    mean, var = np.zeros(of_groups, x.dtype) if centred else None, np.zeros(of_groups, x.dtype)

    def block(a: slice) -> None:
        z, out = x[a], y[a]
        if mean is not None:
            m = mean[a] = _sum(_flat(z)) / size
            z = np.subtract(z, m, out=out)
        flat = _flat(z)
        v = var[a] = _dot(flat, flat) / size
        np.multiply(z, _times(rate(v)[0], gamma, a), out=out)
        if beta is not None:
            out += _part(beta, a)

    _in_blocks(block, x)
    return y, Statistics(mean, var)


def gradients(
    dy: Array,
    x: Array,
    statistics: Statistics,
    rate: Rate,
    gamma: Array | None = None,
    wanted: tuple[bool, bool] = (True, True),
) -> tuple[Array | None, Array | None, Array | None]:
    """Return dx, dgamma = Σ dy z r and dbeta = Σ dy, where z = x - mean.

    With g = dy gamma, dx = r (g - mean of g - z r u mean of g z); without the mean of g if x was not centred. The
    sums run over what shares a gamma. ``wanted`` says whether dx is, and whether dgamma and dbeta are.
    """
    mean, var = statistics
    dx = np.empty(x.shape, x.dtype) if wanted[0] else None
    size = x.shape[1] * x.shape[2]
    learned: dict[int, tuple[Array, Array]] = {}

    def block(a: slice) -> None:
        grad, z, out = dy[a], x[a], None if dx is None else dx[a]
        if mean is not None:
            z = np.subtract(z, mean[a], out=out)
        r, u = rate(var[a])
        dots, totals = _dot(grad, z), _sum(grad)  # along P
        if wanted[1] and gamma is not None:
            learned[a.start] = _shared(dots * r, gamma), _shared(totals, gamma)
        if out is None:
            return
        np.multiply(z, _weighted(dots, gamma, a) * r * r * u / -size, out=out)
        out += grad * _times(r, gamma, a)
        if mean is not None:
            out -= r * _weighted(totals, gamma, a) / size

    _in_blocks(block, x)
    if gamma is None or not learned:
        return dx, None, None
    dgammas, dbetas = zip(*(learned[a] for a in sorted(learned)), strict=True)
    join = np.concatenate if len(gamma) > 1 else sum
    return dx, join(dgammas), join(dbetas)


@contextmanager
def unbuffered(x: Array) -> Iterator[None]:
    """Let NumPy broadcast along short runs in place: if x is large, twice as fast as through its buffer."""
    if x.size <= BUFFER:
        yield
        return
    with np.errstate():  # at its end the size is what it was; other threads never see it
        np.setbufsize(16)
        yield


def _in_blocks(block: Callable[[slice], None], x: Array) -> None:
    """Call ``block(a)`` for stretches of A that fit in the cache."""
    if not x.size:
        return
    step = max(1, PIECE // x[0].size)
    with unbuffered(x):
        share([lambda a=a: block(slice(a, a + step)) for a in range(0, len(x), step)])


def _flat(a: Array) -> Array:
    """With B and P as one axis."""
    return a.reshape(len(a), 1, -1, a.shape[3])


def _sum(a: Array) -> Array:
    """Along P, as a product: faster than ``a.sum``, and rounds less."""
    _, _, p, lanes = a.shape
    if p == 1:
        return a
    if lanes == 1:
        return a[..., 0].dot(ones(p, a.dtype))[..., None, None]
    return (ones(p, a.dtype) @ a)[:, :, None]


def _dot(a: Array, b: Array) -> Array:
    """Of a and b along P."""
    if a.shape[2] > 1 == a.shape[3]:
        return np.vecdot(a[..., 0], b[..., 0])[..., None, None]
    return _sum(a * b)


def _part(v: Array, a: slice) -> Array:
    """The part of gamma or beta that belongs to a block."""
    return v[a] if len(v) > 1 else v


def _times(r: Array, gamma: Array | None, a: slice) -> Array:
    return r if gamma is None else r * _part(gamma, a)


def _weighted(sums: Array, gamma: Array | None, a: slice) -> Array:
    """Σ gamma sums over B."""
    if gamma is None:
        return sums.sum(axis=1, keepdims=True)
    if len(gamma) == sums.shape[3] == 1:
        return sums[:, :, 0, 0].dot(gamma.ravel())[:, None, None, None]
    return (sums * _part(gamma, a)).sum(axis=1, keepdims=True)


def _shared(sums: Array, gamma: Array) -> Array:
    """Sums over the lanes, and over A if all of it shares gamma."""
    return sums.sum(axis=3 if len(gamma) > 1 else (0, 3), keepdims=True)
