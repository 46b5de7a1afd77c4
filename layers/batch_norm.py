"""``BatchNorm``: each channel normalised over the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._images import samples_first, samples_last
from ._normalization import Normalization
from ._normalize import Statistics, normalize, rescale
from .errors import ShapeError
from .initializers import Constant
from .param import Array
from .threads import PIECE


class BatchNorm(Normalization):
    """y = gamma x̂ + beta,  x̂ = (x - m) / sqrt(v + eps);  m, v: a channel's mean and variance over the batch.

    x is (N, C), (N, C, L), (N, C, H, W) or any (N, C, …): channels are on axis 1, each has a gamma and a beta, and
    m and v are taken over all other axes. With Σ over these, M elements, and s = sqrt(v + eps):

        dgamma = Σ dy x̂,    dbeta = Σ dy,    dx = gamma / s (dy - Σ dy / M - x̂ Σ dy x̂ / M).

    The last two terms are there because m and v depend on x too.

    In training v is the biased variance, Σ (x - m)² / M, and the *running* statistics, the buffers ``mean`` and
    ``var``, follow: running = momentum running + (1 - momentum) batch, with the unbiased Σ (x - m)² / (M - 1). In
    use m and v are the running ones, so that samples do not depend on each other, and dx = gamma / s dy.

    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", 2015  [Caffe: BatchNorm, which has no gamma and beta, followed by Scale].

    Parameters
    ----------
    momentum : float
        How much of the running statistics stays; PyTorch's momentum is 1 minus this.
    eps : float
    affine : bool
        Without, y = x̂. Weight decay pulls gamma and beta as any parameter, as in PyTorch; ``decay_mult = 0``
        spares them.
    frozen_statistics : bool
        Use the running statistics in training as well, and leave them as they are: for fine-tuning on small
        batches, or on few data  [Caffe: use_global_stats]. The attribute may be set at any time. Gamma and beta
        go on learning; their ``trainable`` stops that.

    Raises
    ------
    ShapeError
        If the input has no channels, or not as many as it was built for; or if in training a channel holds a
        single number, which says nothing of a variance.
    """

    def __init__(
        self, momentum: float = 0.9, eps: float = 1e-5, affine: bool = True, frozen_statistics: bool = False
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: expected a momentum in [0, 1], got {momentum}")
        self.momentum, self.eps, self.affine = momentum, eps, affine
        self.frozen_statistics = frozen_statistics

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return not self.frozen_statistics

    def build(self, in_shape: Any) -> Any:
        if not in_shape:
            raise ShapeError(f"{self.where}: expected (N, channels, …), got a vector; a single sample is x[None, :]")
        channels = in_shape[0]
        self.learn(channels)
        self.mean = self.buffer("mean", (channels,))
        self.var = self.buffer("var", (channels,), Constant(1.0))
        return in_shape

    def forward(self, x: Array) -> Array:
        c = self.cache
        x = self.enter(x)
        c.fixed = self.frozen_statistics or not self.training
        c.features = x.ndim == 2 and x.flags.c_contiguous
        c.x = self.split(x)
        gamma, beta = self.affinity(c.x)
        if c.fixed:
            mean, var = (self.along(b.data.copy(), c.x) for b in (self.mean, self.var))
            factor = (1 if gamma is None else gamma) / np.sqrt(var + self.eps)
            y = rescale(c.x, factor, (0 if beta is None else beta) - mean * factor)
            c.statistics = Statistics(mean, var)
        else:
            self._refuse_single(x)
            y, c.statistics = normalize(c.x, self.rate(), gamma, beta)
            self._follow(c.statistics, x.size // x.shape[1])
        return self.join(y, x.shape)

    def check(self, in_shape: Any) -> None:
        channels = self.mean.shape
        if in_shape[:1] != channels:
            raise ShapeError(f"{self.where}: expected {channels[0]} channels, got input of shape (N, …) {in_shape}")

    def split(self, x: Array) -> Array:
        """Channels one by one, large images row by row; features, which lie sample by sample, as lanes."""
        if self.cache.features:
            return np.ascontiguousarray(x).reshape(1, len(x), 1, x.shape[1])
        lines = samples_last(x)
        size = lines[0].size
        rows = lines.shape[1] if size > PIECE else 1
        return lines.reshape(len(lines), rows, size // rows, 1)

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        return y.reshape(shape) if self.cache.features else samples_first(y.reshape(*shape[1:], shape[0]))

    def along(self, v: Array, x: Array) -> Array:
        return v.reshape((1, 1, 1, -1) if self.cache.features else (-1, 1, 1, 1))

    def convert(self, x: Array) -> Array:
        return self.cast(x)

    def _follow(self, batch: Statistics, count: int) -> None:
        """Move the running statistics towards the batch's; an empty batch has none."""
        if count == 0:
            return
        unbiased = count / (count - 1)
        for running, now, factor in ((self.mean, batch.mean, 1.0), (self.var, batch.var, unbiased)):
            running.data *= self.momentum
            running.data += (1 - self.momentum) * factor * now.reshape(running.shape)

    def _refuse_single(self, x: Array) -> None:
        if x.size == x.shape[1]:
            raise ShapeError(
                f"{self.where}: expected several numbers in each channel, got input of shape {x.shape}: a single one "
                f"has no variance to train with; drop_last=True leaves out a last batch that is too small, and "
                f"frozen_statistics=True trains without batch statistics"
            )
