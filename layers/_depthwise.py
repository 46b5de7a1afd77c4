"""Convolution of each channel with kernels of its own: too few products per number for a matrix product."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ._window import Window
from .threads import share

Array = np.ndarray[Any, np.dtype[Any]]


def correlate(x: Array, W: Array, bias: Array | None, window: Window, shape: tuple[int, int]) -> Array:
    """y[o, h, w] = bias[o] + Σ W[o, 0, i, j] x[c, stride h + dilation i - start, …], with m outputs o a channel c."""
    O, (C, *_, N) = len(W), x.shape
    y = np.empty((O, *shape, N), x.dtype)

    def work(o: int) -> None:
        y[o] = 0 if bias is None else bias[o]
        product = np.empty(y.shape[1:], x.dtype)
        for (i, j), out, source in _taps(window, shape, x.shape[1:3]):
            part = product[out]
            np.multiply(x[o * C // O][source], W[o, 0, i, j], out=part)
            y[o][out] += part

    share([partial(work, o) for o in range(O)])
    return y


def gradients(
    g: Array, W: Array, window: Window, shape: tuple[int, int, int], x: Array | None, dx: bool
) -> tuple[Array | None, Array | None]:
    """The gradients of Σ g y: dx (C, H, W, N) of a given (C, H, W), if it is wanted, and dW, if x is given."""
    O, (C, *limits) = len(W), shape
    of_x = np.zeros((*shape, g.shape[-1]), g.dtype) if dx else None
    of_W = None if x is None else np.empty_like(W)

    def work(c: int) -> None:
        product = np.empty(g.shape[1:], g.dtype)
        for (i, j), out, source in _taps(window, g.shape[1:3], tuple(limits)):
            part = product[out]
            for o in range(c * O // C, (c + 1) * O // C):
                if x is not None and of_W is not None:
                    of_W[o, 0, i, j] = np.multiply(g[o][out], x[c][source], out=part).sum()
                if of_x is not None:
                    of_x[c][source] += np.multiply(g[o][out], W[o, 0, i, j], out=part)

    share([partial(work, c) for c in range(C)])
    return of_x, of_W


def _taps(window: Window, shape: tuple[int, ...], limits: tuple[int, ...]) -> list[Any]:
    """For each tap its place in the kernel, the outputs it reaches, and the inputs they find there."""
    found = []
    for i in range(window.kernel[0]):
        h, above = window.taps(0, i, shape[0], limits[0])
        for j in range(window.kernel[1]):
            w, left = window.taps(1, j, shape[1], limits[1])
            found.append(((i, j), (h, w), (above, left)))
    return found
