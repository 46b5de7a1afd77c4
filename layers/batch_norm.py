"""``BatchNorm``: each channel normalised over the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _batch_norm as batch
from . import _batch_norm_across as shared
from ._axes import refuse_vectors
from .errors import ShapeError
from .initializers import Constant, Zeros
from .layer import Layer
from .param import Array


class BatchNorm(Layer):
    """y = gamma x̂ + beta,  x̂ = (x - m) / s,  s = sqrt(v + eps);  m, v: a channel's mean and variance in the batch.

    x is (N, C), (N, C, L), (N, C, H, W) or any (N, C, …): channels are on axis 1, each has a gamma and a beta, and
    m and v are taken over all other axes. With Σ over these, M elements::

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
        Without, y = x̂. Weight decay pulls gamma and beta like any parameter, as in PyTorch; ``decay_mult = 0``
        spares them.
    frozen_statistics : bool
        Use the running statistics in training as well, and leave them as they are: for fine-tuning with small
        batches or few data  [Caffe: use_global_stats]. The attribute may be set at any time. Gamma and beta go
        on learning; their ``trainable`` stops that.

    Attributes
    ----------
    across : callable or None
        Set where several processes share out each batch (``sync_batch_norm=True``, see the solvers): given an array,
        it returns those of all processes, stacked. Then m, v and the sums in dx are over the samples of all of them.
        Copies and files leave it out.

    Raises
    ------
    ShapeError
        If the input has no channels, or not as many as it was built for; or if in training a channel holds a
        single number, which has no variance.
    """

    backward_uses = ("input",)
    across: Callable[[Array], Array] | None = None

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

    @property
    def fixed(self) -> bool:
        """Whether the running statistics are used, and left as they are."""
        return self.frozen_statistics or not self.training

    def build(self, in_shape: Any) -> Any:
        refuse_vectors(self.where, in_shape)
        channels = in_shape[:1]
        if self.affine:
            self.gamma = self.param("gamma", channels, Constant(1.0))
            self.beta = self.param("beta", channels, Zeros())
        self.mean = self.buffer("mean", channels)
        self.var = self.buffer("var", channels, Constant(1.0))
        return in_shape

    def forward(self, x: Array) -> Array:
        c = self.cache
        x = self.cast(x)
        if x.shape[1:2] != self.mean.shape:
            raise ShapeError(f"{self.where}: expected {self.mean.shape[0]} channels, got input of shape {x.shape}")
        c.layout = layout = batch.FEATURES if x.ndim == 2 and x.flags.c_contiguous else batch.LINES
        c.x = layout.view(x)
        c.fixed = self.fixed
        gamma, beta = (self.gamma.data, self.beta.data) if self.affine else (None, None)
        if c.fixed:
            c.mean = self.mean.data.copy()
            c.rate = 1 / np.sqrt(self.var.data + self.eps)
            factor = c.rate if gamma is None else c.rate * gamma
            shift = -c.mean * factor
            y = batch.rescale(c.x, layout, factor, shift if beta is None else shift + beta)
        elif self.across is None:
            y, c.mean, var = batch.normalize(c.x, layout, self.eps, gamma, beta)
            c.rate = 1 / np.sqrt(var + self.eps)
            self._follow(x.size // len(c.mean), c.mean, var, x.shape)
        else:
            c.count, c.mean, var = shared.statistics(c.x, layout, self.across)
            c.rate = 1 / np.sqrt(var + self.eps)
            self._follow(c.count, c.mean, var, x.shape)
            y = batch.rescale(c.x, layout, c.rate if gamma is None else c.rate * gamma, beta, c.mean)
        return layout.back(y, x.shape)

    def backward(self, dy: Array) -> Array | None:
        c, gamma = self.cache, self.gamma.data if self.affine else None
        grad, learned = c.layout.view(self.cast(dy)), self.affine and (self.gamma.trainable or self.beta.trainable)
        dx = dots = totals = None
        if self.input_grad and not c.fixed:
            statistics = c.x, c.layout, c.mean, c.rate, gamma
            if self.across is None:
                dx, dots, totals = batch.backward(grad, *statistics)
            else:
                dx, dots, totals = shared.backward(grad, *statistics, c.count, self.across)
        elif learned:
            dots, totals = batch.sums(grad, c.x, c.layout, c.mean)
        if self.input_grad and c.fixed:
            dx = batch.rescale(grad, c.layout, c.rate if gamma is None else c.rate * gamma)
        if learned and dots is not None and totals is not None:
            if self.gamma.trainable:
                self.gamma.add_grad(dots * c.rate)
            if self.beta.trainable:
                self.beta.add_grad(totals)
        return None if dx is None else c.layout.back(dx, dy.shape)

    def flops(self) -> int:
        return 2 * super().flops()

    def _follow(self, count: int, mean: Array, var: Array, shape: tuple[int, ...]) -> None:
        """Move the running statistics towards those of a batch; an empty one has none."""
        if count == 1:
            raise ShapeError(
                f"{self.where}: expected several numbers in each channel, got input of shape {shape}: a single one "
                f"has no variance to train with; drop_last=True leaves out a last batch that is too small, and "
                f"frozen_statistics=True trains without batch statistics"
            )
        for running, now, factor in ((self.mean, mean, 1.0), (self.var, var, count / max(1, count - 1))):
            if count:
                running.data *= self.momentum
                running.data += (1 - self.momentum) * factor * now

    def __getstate__(self) -> dict[str, Any]:
        # A copy (to profile, say) runs on one process alone, where to wait for the others would be for ever.
        return {name: value for name, value in super().__getstate__().items() if name != "across"}
