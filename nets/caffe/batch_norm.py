"""Caffe's BatchNorm: statistics as sums, and no gamma and beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import BatchNorm, Buffer, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class CaffeBatchNorm(BatchNorm):
    """y = (x - m) / s,  s = sqrt(v + eps);  m, v: a channel's mean and variance  [Caffe: BatchNorm].

    dx = (dy - Σ dy / M - y Σ dy y / M) / s in training, and dy / s with the running statistics, as in ``BatchNorm``,
    of which it differs in how these are kept. Caffe keeps sums in which older batches fade, with f the
    ``moving_average_fraction`` and m, v those of a batch of M numbers a channel::

        weight = f weight + 1,  sum_mean = f sum_mean + m,  sum_var = f sum_var + M / (M - 1) v  (v where M = 1)

    and in use m = sum_mean / weight, v = sum_var / weight (both 0 as long as the weight is). ``Scale(bias=True)``
    behind it has the gamma and beta.

    Parameters
    ----------
    moving_average_fraction, eps : float
    use_global_stats : bool or None
        Whether the running statistics are used, and not changed; ``None``: in use they are, in training not. With
        ``False`` those of the batch are used always (but only training changes the sums; Caffe does so always).

    Attributes
    ----------
    sum_mean, sum_var, weight : Buffer
        Caffe's three blobs, of shapes (C,), (C,) and (1,).

    Raises
    ------
    ShapeError
        If the input has no channels, or not as many as it was built for.
    """

    affine = False

    def __init__(
        self, moving_average_fraction: float = 0.999, eps: float = 1e-5, use_global_stats: bool | None = None
    ) -> None:
        self.moving_average_fraction, self.eps = float(moving_average_fraction), float(eps)
        self.use_global_stats = use_global_stats

    @property
    def frozen_statistics(self) -> bool:
        return bool(self.use_global_stats)

    @frozen_statistics.setter
    def frozen_statistics(self, value: bool) -> None:
        self.use_global_stats = True if value else None

    @property
    def fixed(self) -> bool:
        return not self.training if self.use_global_stats is None else bool(self.use_global_stats)

    def build(self, in_shape: Any) -> Any:
        if not in_shape:
            raise ShapeError(f"{self.where}: expected (N, channels, …), got a vector; a single sample is x[None, :]")
        self.sum_mean = self.buffer("sum_mean", in_shape[:1])
        self.sum_var = self.buffer("sum_var", in_shape[:1])
        self.weight = self.buffer("weight", (1,))
        return in_shape

    @property
    def mean(self) -> Buffer:  # type: ignore[override]
        """The running mean, worked out from the sums."""
        return Buffer("mean", self._averaged(self.sum_mean))

    @property
    def var(self) -> Buffer:  # type: ignore[override]
        """The running variance, worked out from the sums."""
        return Buffer("var", self._averaged(self.sum_var))

    def _averaged(self, sums: Buffer) -> Array:
        weight = self.weight.data[0]
        return sums.data / weight if weight else np.zeros_like(sums.data)

    def _follow(self, count: int, mean: Array, var: Array, shape: tuple[int, ...]) -> None:
        if not self.training or not count:
            return
        unbiased = count / (count - 1) if count > 1 else 1.0
        for sums, now in ((self.weight, 1.0), (self.sum_mean, mean), (self.sum_var, unbiased * var)):
            sums.data *= self.moving_average_fraction
            sums.data += now
