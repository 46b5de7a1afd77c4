"""Making the mean 0 and the variance 1, forwards and backwards, for all layers that normalise.

Each of them shows its arrays as (A, B, P, L): the mean and the variance are taken over B and P, once for each a
and l, and gamma and beta broadcast along P. The L *lanes* lie side by side in memory:

    BatchNorm   (channels, 1 or rows of pixels, the rest and samples, 1); of plain features (1, N, 1, features)
    GroupNorm   (groups, channels of a group, pixels, N), or samples first (N groups, channels, pixels, 1)
    LayerNorm   (rows, features, 1, 1)

Blocks of A stay in a core's cache through all steps, so that main memory is read and written once; a block too
large for that goes piece by piece along B. The variance is that of the centred numbers: the shortcut, mean of
squares less square of the mean, loses all its digits in float32 where the mean is large.
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
BUFFER = 8192  # elements: NumPy's ufuncs copy runs that are shorter into a buffer of this size


class Statistics(NamedTuple):
    """What was subtracted (None: nothing), and the mean square of the rest; both (A, 1, 1, L)."""

    mean: Array | None
    var: Array


class Gradients(NamedTuple):
    """Of the input, gamma and beta; None where it is not wanted."""

    dx: Array | None
    dgamma: Array | None
    dbeta: Array | None


def normalize(
    x: Array, rate: Rate, gamma: Array | None = None, beta: Array | None = None, centre: bool = True
) -> tuple[Array, Statistics]:
    """Return y = (x - mean) r gamma + beta, and what it took."""
    y, size = np.empty(x.shape, x.dtype), x.shape[1] * x.shape[2]
    of_group = (x.shape[0], 1, 1, x.shape[3])
    mean, var = np.empty(of_group, x.dtype) if centre else None, np.empty(of_group, x.dtype)

    def block(a: slice, pieces: list[slice]) -> None:
        if mean is not None:
            mean[a] = _total(_sum(x[a, b]) for b in pieces) / size
            for b in pieces:
                np.subtract(x[a, b], mean[a], out=y[a, b])
        z = x if mean is None else y
        var[a] = _total(_sum_of_squares(z[a, b]) for b in pieces) / size
        r, _ = rate(var[a])
        for b in pieces:
            _scale(z[a, b], _times(r, gamma, a, b), beta, a, b, y[a, b])

    _in_blocks(block, x)
    return y, Statistics(mean, var)


def rescale(x: Array, factor: Array, shift: Array | None = None) -> Array:
    """Return y = x factor + shift: normalising, with a mean and a variance that are known."""
    y = np.empty(x.shape, x.dtype)

    def block(a: slice, pieces: list[slice]) -> None:
        for b in pieces:
            _scale(x[a, b], _part(factor, a, b), shift, a, b, y[a, b])

    _in_blocks(block, x)
    return y


def gradients(
    dy: Array,
    x: Array,
    statistics: Statistics,
    rate: Rate,
    gamma: Array | None = None,
    fixed: bool = False,
    wanted: tuple[bool, bool, bool] = (True, True, True),
) -> Gradients:
    """With z = x - mean and g = dy gamma:  dx = r (g - mean of g - z r u mean of g z), dgamma = Σ dy z r, dbeta = Σ dy.

    Nothing is subtracted from g if the statistics are ``fixed``, and no mean of g if x was not centred. The sums
    for gamma and beta run over whatever shares one of them. ``wanted`` names dx, dgamma and dbeta.
    """
    mean, var = statistics
    want_dx, want_dgamma, want_dbeta = wanted
    dx = np.empty(x.shape, x.dtype) if want_dx else None
    moving = want_dx and not fixed
    shape = x.shape if gamma is None else gamma.shape
    size = x.shape[1] * x.shape[2]
    dgamma: dict[int, Array] = {}
    dbeta: dict[int, Array] = {}

    def block(a: slice, pieces: list[slice]) -> None:
        r, u = rate(var[a])
        gz: Any = 0  # sums of g z and of g over the group
        g: Any = 0
        dots, sums = [], []
        for b in pieces:
            if moving or want_dgamma:
                z = x[a, b]
                if mean is not None:
                    z = np.subtract(z, mean[a], out=None if dx is None else dx[a, b])
                dot = _dot_along(dy[a, b], z)
                gz = gz + _weighted(dot, gamma, a, b)
                dots.append(dot)
            if (moving and mean is not None) or want_dbeta:
                total = _sum_along(dy[a, b])
                g = g + _weighted(total, gamma, a, b)
                sums.append(total)
        if want_dgamma:
            dgamma[a.start] = _shared([dot * r for dot in dots], shape)
        if want_dbeta:
            dbeta[a.start] = _shared(sums, shape)
        if dx is None:
            return
        slope = r * r * u * gz / -size
        for b in pieces:
            out, factor = dx[a, b], _times(r, gamma, a, b)
            if not moving:
                np.multiply(dy[a, b], factor, out=out)
                continue
            np.multiply(x[a, b] if mean is None else out, slope, out=out)
            out += dy[a, b] * factor
            if mean is not None:
                out -= r * g / size

    _in_blocks(block, x)
    return Gradients(dx, _joined(dgamma, shape), _joined(dbeta, shape))


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
        return 1 / (std + eps), 1 / np.maximum(std, np.finfo(var.dtype).tiny)

    return rate


def unscaled(var: Array) -> tuple[Array, Array]:
    """For r = 1, whatever the variance."""
    return np.ones_like(var), np.zeros_like(var)


def _in_blocks(block: Callable[[slice, list[slice]], None], x: Array) -> None:
    """Call ``block(a, pieces)`` for stretches of A that fit in the cache, and the pieces of B that do."""
    if not x.size:
        return
    groups, length, *rest = x.shape
    line = rest[0] * rest[1]
    step, piece = max(1, PIECE // (length * line)), max(1, PIECE // line)
    pieces = [slice(b, b + piece) for b in range(0, length, piece)]
    tasks = [lambda a=a: block(slice(a, a + step), pieces) for a in range(0, groups, step)]
    if x.size <= BUFFER:
        share(tasks)
        return
    with np.errstate():  # at whose end the buffer is as it was
        np.setbufsize(16)
        share(tasks)


def _scale(x: Array, factor: Array, shift: Array | None, a: slice, b: slice, out: Array) -> None:
    np.multiply(x, factor, out=out)
    if shift is not None:
        out += _part(shift, a, b)


def _part(v: Array, a: slice, b: slice) -> Array:
    """The part of a broadcast array that belongs to a block."""
    return v[a if v.shape[0] > 1 else slice(None), b if v.shape[1] > 1 else slice(None)]


def _times(r: Array, gamma: Array | None, a: slice, b: slice) -> Array:
    return r if gamma is None else r * _part(gamma, a, b)


def _total(parts: Any) -> Any:
    return sum(parts, start=0)


def _sum(a: Array) -> Array:
    """Over B and P."""
    return _sum_along(a.reshape(len(a), 1, -1, a.shape[3]))


def _sum_of_squares(a: Array) -> Array:
    a = a.reshape(len(a), 1, -1, a.shape[3])
    return _dot_along(a, a)


def _sum_along(a: Array) -> Array:
    """Over P, as a product: faster than ``a.sum``, and rounds less."""
    if a.shape[2] == 1:
        return a
    if a.shape[3] == 1:
        return a[..., 0].dot(ones(a.shape[2], a.dtype))[..., None, None]
    return (ones(a.shape[2], a.dtype) @ a)[:, :, None]


def _dot_along(a: Array, b: Array) -> Array:
    if a.shape[2] > 1 == a.shape[3]:
        return np.vecdot(a[..., 0], b[..., 0])[..., None, None]
    return _sum_along(a * b)


def _weighted(sums: Array, gamma: Array | None, a: slice, b: slice) -> Array:
    """Σ gamma sums over B."""
    if gamma is None:
        return sums.sum(axis=1, keepdims=True)
    part = _part(gamma, a, b)
    if part.shape[1] == 1:
        return sums.sum(axis=1, keepdims=True) * part
    if len(part) == sums.shape[3] == 1:
        return sums[:, :, 0, 0].dot(part.ravel())[:, None, None, None]
    return (sums * part).sum(axis=1, keepdims=True)


def _shared(pieces: list[Array], shape: tuple[int, ...]) -> Array:
    """Sums of a block's pieces, over all axes along which one gamma is shared."""
    axes = tuple(axis for axis in (0, 1, 3) if shape[axis] == 1)
    parts = [piece.sum(axis=axes, keepdims=True) for piece in pieces]
    return np.concatenate(parts, axis=1) if shape[1] > 1 else _total(parts)


def _joined(blocks: dict[int, Array], shape: tuple[int, ...]) -> Array | None:
    if not blocks:
        return None
    in_order = [blocks[a] for a in sorted(blocks)]
    return np.concatenate(in_order) if shape[0] > 1 else _total(in_order)
