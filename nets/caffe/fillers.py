"""Caffe's fillers: initial values that depend on a blob's shape as Caffe has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import (
    CaffeMSRA,
    CaffeXavier,
    Constant,
    Glorot,
    He,
    Initializer,
    LeCun,
    Normal,
    Uniform,
    Zeros,
)

from .spec import short

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
NORMS = ("fan_in", "fan_out", "average")  # in the order of FillerParameter's variance_norm


class SparseNormal(Initializer):
    """N(mean, std²), each number kept with the probability ``kept`` / shape[0], else 0  [Caffe: gaussian, sparse].

    Of a matrix (outputs, inputs), each input then goes to ``kept`` outputs on average.
    """

    def __init__(self, kept: int, mean: float = 0.0, std: float = 1.0) -> None:
        self.kept, self.mean, self.std = kept, mean, std

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        values = rng.normal(self.mean, self.std, shape)
        return values * (rng.random(shape) < self.kept / max(shape[0], 1))


class PositiveUnitBall(Initializer):
    """U(0, 1), divided such that the numbers under each index of axis 0 sum to 1  [Caffe: positive_unitball]."""

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        values = rng.random(shape)
        return values / values.sum(axis=tuple(range(1, len(shape))), keepdims=True)


class Bilinear(Initializer):
    """(1 - |x / f - c|) (1 - |y / f - c|),  f = ceil(k / 2),  c = (k - 1) / 2f, for k x k kernels.

    With it a deconvolution of stride f, one group for each channel, enlarges images  [Caffe: bilinear].

    Raises
    ------
    ValueError
        If the weight's last two axes are no square kernel.
    """

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        if len(shape) != 4 or shape[2] != shape[3]:
            raise ValueError(f"the bilinear filler is for square kernels, weights of (…, …, k, k); got shape {shape}")
        k = shape[3]
        f = math.ceil(k / 2)
        line = 1 - np.abs(np.arange(k) / f - (k - 1) / (2 * f))
        return np.broadcast_to(np.outer(line, line), shape).copy()


class ByShape(Initializer):
    """What ``filler`` makes of Caffe's fans: fan_in = size / shape[0], fan_out = size / shape[1] (of vectors, size).

    They differ from handbrew's for groups, and for ``ConvTranspose2D``, whose first axis is the input.
    """

    def __init__(self, filler: Initializer) -> None:
        self.filler = filler

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        size = math.prod(shape)
        fans = size // max(shape[0], 1), size // max(shape[1], 1) if len(shape) > 1 else size
        return self.filler.sample(rng, shape, *fans)


class Transposed(Initializer):
    """The transpose of what ``filler`` makes for the transposed shape: a blob is an ``Affine`` W's transpose."""

    def __init__(self, filler: Initializer) -> None:
        self.filler = filler

    def sample(self, rng: np.random.Generator, shape: Shape, fan_in: int | None, fan_out: int | None) -> Array:
        return self.filler.sample(rng, shape[::-1], fan_in, fan_out).T


def initializer(filler: Any, transposed: bool = False, same_fans: bool = False) -> Initializer:
    """Return what does as a FillerParameter says.

    ``transposed``: the array is the blob's transpose. ``same_fans``: the layer's fan_in and fan_out are Caffe's.

    Raises
    ------
    FileFormatError
        If there is no such filler.
    """
    kind = filler.type
    if kind == "constant":
        return Constant(short(filler.value)) if filler.value else Zeros()
    if kind == "uniform":
        return Uniform(short(filler.min), short(filler.max))
    made: Initializer
    if kind in ("xavier", "msra"):
        made = (CaffeXavier if kind == "xavier" else CaffeMSRA)(NORMS[filler.variance_norm])
        if same_fans:
            return made
        made = ByShape(made)
    elif kind == "gaussian":
        if filler.sparse < 0:
            return Normal(short(filler.mean), short(filler.std))
        made = SparseNormal(filler.sparse, short(filler.mean), short(filler.std))
    elif kind == "positive_unitball":
        made = PositiveUnitBall()
    elif kind == "bilinear":
        made = Bilinear()
    else:
        known = "constant, uniform, gaussian, positive_unitball, xavier, msra, bilinear"
        raise FileFormatError(f"unknown filler type {kind!r:.60}; Caffe knows {known}")
    return Transposed(made) if transposed else made


def describe_filler(init: Initializer, filler: Any, swapped_fans: bool = False) -> None:
    """Fill in a FillerParameter, where Caffe has a filler that does the same.

    ``swapped_fans``: Caffe's fan_in is the layer's fan_out, and the other way round.
    """
    while isinstance(init, (ByShape, Transposed)):
        swapped_fans = swapped_fans and not isinstance(init, ByShape)
        init = init.filler
    if isinstance(init, Constant):
        filler.value = init.value
    elif isinstance(init, Uniform):
        filler.type, filler.min, filler.max = "uniform", init.low, init.high
    elif isinstance(init, Normal):
        filler.type, filler.mean, filler.std = "gaussian", init.mean, init.std
    elif isinstance(init, SparseNormal):
        filler.type, filler.mean, filler.std, filler.sparse = "gaussian", init.mean, init.std, init.kept
    elif isinstance(init, PositiveUnitBall):
        filler.type = "positive_unitball"
    elif isinstance(init, Bilinear):
        filler.type = "bilinear"
    elif isinstance(init, CaffeXavier):
        filler.type = "msra" if isinstance(init, CaffeMSRA) else "xavier"
        filler.variance_norm = NORMS.index(init.variance_norm)
    elif isinstance(init, He) and init.distribution == "normal":
        filler.type = "msra"
    elif isinstance(init, (LeCun, Glorot)) and init.distribution == "uniform":
        filler.type = "xavier"
        filler.variance_norm = NORMS.index("average" if isinstance(init, Glorot) else "fan_in")
    if swapped_fans and filler.type in ("xavier", "msra") and filler.variance_norm < 2:
        filler.variance_norm = 1 - filler.variance_norm
