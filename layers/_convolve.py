"""Convolution and its two gradients: which kernel computes them, for each shape.

Images are samples last, (C, H, W, N); weights are (O, C / groups, kh, kw).

| module | when | what it does |
|---|---|---|
| ``_pointwise`` | 1x1, no padding | one matrix product |
| ``_winograd`` | stride 1, 2 to 5 taps, many samples, and cheaper by the estimate below | tiles of 4 x 4 outputs |
| ``_direct`` | everything else | matrix products of whole rows |

``_winograd`` takes groups of channels one by one. ``benchmarks/convolutions.py`` measures each kernel where it could
be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _direct, _pointwise, _winograd
from ._cook_toom import OUT
from ._window import Window
from .threads import worker_threads

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[int, int]

# Nanoseconds on one core with AVX-512; only their ratios matter here. docs/benchmarks.md has what they predict beside
# what was measured.
PRODUCT = 0.019  # a multiplication and an addition in a matrix product
LAY_OUT = 0.17  # a number laid out in slabs
TO_TILES, FROM_TILES = 0.66, 0.30  # a number of a transformed tile, on the way there and back
GROUPS_MARGIN = 1.3  # by how much tiles have to win where they go group by group
FEWEST_SAMPLES = 16  # for tiles: what lies side by side in memory is one pixel of all samples


def correlate(x: Array, W: Array, bias: Array | None, window: Window, shape: Pair, groups: int = 1) -> Array:
    """Y (O, *shape, N): bias[o] + the sum over c, i, j of W[o, c, i, j] x[c, stride h + dilation i - start, …]."""
    with worker_threads():
        if _tiles_pay(window, W, shape, x.shape[-1], groups):
            biases = [None] * groups if bias is None else np.split(bias, groups)
            parts = zip(np.split(x, groups), np.split(W, groups), biases, strict=True)
            return _joined([_winograd.correlate(*part, window.start, shape) for part in parts])
        if groups == 1 and _is_pointwise(window, x.shape[1:3], shape):
            return _pointwise.correlate(_every(x, window), W[:, :, 0, 0], bias)
        return _direct.correlate(x, W, bias, window, shape, groups)


def gradients(
    g: Array, W: Array, window: Window, shape: Pair, groups: int = 1, *, x: Array | None = None, dx: bool = True
) -> tuple[Any, Any]:
    """The gradients of the sum of g y: dx (C, *shape, N), if it is wanted, and dW, if x is given."""
    with worker_threads():
        if groups == 1 and _is_pointwise(window, shape, g.shape[1:3]):
            return (
                _spread(_pointwise.correlate(g, W[:, :, 0, 0].T), window, shape) if dx else None,
                None if x is None else _pointwise.weight_gradient(_every(x, window), g)[:, :, None, None],
            )
        if x is None:
            return _input_gradient(g, W, window, shape, groups) if dx else None, None
        turned, back = _phase(W, window, (0, 0), groups)
        same = window.stride == (1, 1) and _tile_count(shape) == _tile_count(g.shape[1:3])
        if dx and same and _tiles_pay(back, turned, shape, g.shape[-1], groups):
            # Both gradients from the same tiles of g: dW too is a correlation of g with x, turned.
            parts = zip(np.split(g, groups), np.split(turned, groups), np.split(x, groups), strict=True)
            found = [_winograd.correlate_both(g_, W_, back.start, shape, x_) for g_, W_, x_ in parts]
            of_x, of_W = zip(*found, strict=True)
            return _joined(of_x), _joined([part.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] for part in of_W])
        return _input_gradient(g, W, window, shape, groups) if dx else None, _weight_gradient(g, W, x, window, groups)


def _weight_gradient(g: Array, W: Array, x: Array, window: Window, groups: int) -> Array:
    shape = (g.shape[1], g.shape[2])
    if not _tiles_pay(window, W, shape, g.shape[-1], groups):
        return _direct.weight_gradient(x, g, window, groups)
    parts = zip(np.split(x, groups), np.split(g, groups), strict=True)
    return _joined([_winograd.weight_gradient(*part, window.kernel, window.start) for part in parts])


def _input_gradient(g: Array, W: Array, window: Window, shape: Pair, groups: int) -> Array:
    """dx: convolutions of g with the turned kernel, or with a stride, parts of it for each phase of the image."""
    (down, across), channels = window.stride, W.shape[1] * groups
    dx = np.empty((channels, *shape, g.shape[-1]), g.dtype)
    for i in range(down):
        for j in range(across):
            weights, back = _phase(W, window, (i, j), groups)
            place = dx[:, i::down, j::across]
            if not (weights.size and place.size):
                place[...] = 0
                continue
            part = correlate(g, weights, None, back, place.shape[1:3], groups)
            if window.stride == (1, 1):
                return part
            place[...] = part
    return dx


def _phase(W: Array, window: Window, first: Pair, groups: int) -> tuple[Array, Window]:
    """The weights and the window on y that give dx at every stride-th pixel, from the first on."""
    (rows, dh, top), (columns, dw, left) = window.phase(0, first[0]), window.phase(1, first[1])
    O, C, *_ = W.shape
    part = W[:, :, rows, columns].reshape(groups, O // groups, C, *W[0, 0, rows, columns].shape)
    turned = part.swapaxes(1, 2)[..., ::-1, ::-1].reshape(groups * C, O // groups, *part.shape[3:])
    return turned, Window(turned.shape[2:], (1, 1), (dh, dw), (top, left), (0, 0))


def _joined(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _tiles_pay(window: Window, W: Array, shape: Pair, samples: int, groups: int = 1) -> bool:
    """Whether Winograd's tiles are possible, and the quicker way."""
    possible = (
        window.stride == window.dilation == (1, 1)
        and samples >= FEWEST_SAMPLES
        and all(2 <= taps <= 5 for taps in window.kernel)
    )
    O, C, *taps = W.shape
    return possible and direct_over_tiles((O // groups, C, *taps), shape) > (1 if groups == 1 else GROUPS_MARGIN)


def direct_over_tiles(weights: tuple[int, ...], shape: Pair) -> float:
    """How many times longer the direct way should take than tiles, for W, of one group, and outputs of these shapes."""
    O, C, kh, kw = weights
    direct = shape[0] * shape[1] * (kw * C * LAY_OUT + kh * kw * C * O * PRODUCT)
    positions = (OUT + kh - 1) * (OUT + kw - 1)
    return direct / (_tile_count(shape) * positions * (C * TO_TILES + O * FROM_TILES + C * O * PRODUCT))


def _tile_count(shape: Pair) -> int:
    return -(-shape[0] // OUT) * -(-shape[1] // OUT)


def _is_pointwise(window: Window, inputs: Pair, outputs: Pair) -> bool:
    """Whether y is made of x's pixels one by one, of every stride-th from the first on."""
    every = all(n == -(-size // step) for n, step, size in zip(outputs, window.stride, inputs, strict=True))
    return window.kernel == (1, 1) and window.start == (0, 0) and every


def _every(x: Array, window: Window) -> Array:
    """The pixels that a 1x1 kernel reads."""
    down, across = window.stride
    return x if window.stride == (1, 1) else np.ascontiguousarray(x[:, ::down, ::across])


def _spread(pixels: Array, window: Window, shape: Pair) -> Array:
    """The way back: zeros where nothing was read."""
    if window.stride == (1, 1):
        return pixels
    dx = np.zeros((len(pixels), *shape, pixels.shape[-1]), pixels.dtype)
    dx[:, :: window.stride[0], :: window.stride[1]] = pixels
    return dx
