"""``LRN``: each number divided by those around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._axes import refuse_vectors
from ._images import check_images, samples_first, samples_last
from .errors import ShapeError
from .layer import Layer
from .param import Array
from .threads import PIECE, share


class LRN(Layer):
    """y = x s^-beta,  s = k + alpha mean of x² over the n channels around: local response normalisation.

    x is (N, C, …). For an odd n = ``size``, the window of channel c is c - (n - 1) / 2 to c + (n - 1) / 2; for an
    even one it begins one channel before that. Channels that are not there count as zeros, and n is divided by
    all the same. With the *sum* over the windows that x_i lies in,

        dx_i = dy_i s_i^-beta - 2 alpha beta / n x_i Σ dy_j x_j s_j^(-beta - 1).

    Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", 2012: alpha 1e-4 with
    ``average=False``, n = 5, k = 2.

    Parameters
    ----------
    size : int
        n  [Caffe: local_size].
    alpha, beta, k : float
        The defaults are PyTorch's; Caffe's alpha is 1.
    within_channel : bool
        The window is n x n pixels of the same channel, and the mean is that of n² squares, those outside the image
        being zeros  [Caffe: norm_region WITHIN_CHANNEL, which ignores k and takes 1].
    average : bool
        False: alpha times the sum, as in the paper, instead of the mean, as in Caffe and PyTorch.

    Raises
    ------
    ShapeError
        If the input has no channels or, within channels, is no images; or if the size is not at least 1.
    """

    backward_uses = ("input",)

    def __init__(
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        within_channel: bool = False,
        average: bool = True,
    ) -> None:
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
            raise ShapeError(f"LRN: size: expected an integer from 1 on, got {size!r:.40}")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.within_channel, self.average = within_channel, average

    def build(self, in_shape: Any) -> Any:
        self._check(in_shape)
        return in_shape

    def forward(self, x: Array) -> Array:
        c = self.cache
        self._check(x.shape[1:])
        if x.dtype.kind != "f":
            x = self.cast(x)
        c.x = view = self._view(x)
        c.factor, y = np.empty_like(view), np.empty_like(view)

        def block(at: Any) -> None:
            factor = np.power(self._scale(view[at]), -self.beta, out=c.factor[at])
            np.multiply(view[at], factor, out=y[at])

        share([lambda at=at: block(at) for at in self._blocks(view)])
        return self._back(y, x.shape)

    def backward(self, dy: Array) -> Array:
        c, view = self.cache, self._view(dy)
        dx = np.empty_like(view)

        def block(at: Any) -> None:
            grad, x = view[at], c.x[at]
            out = np.multiply(grad, c.factor[at], out=dx[at])  # dy s^-beta
            shared = self._window_sum(out * x / self._scale(x), turned=True)
            shared *= -2 * self.beta * self._strength
            shared *= x
            out += shared

        share([lambda at=at: block(at) for at in self._blocks(view)])
        return self._back(dx, dy.shape)

    def flops(self) -> int:
        return super().flops() * (len(self._axes) * self.size + 3)

    def _check(self, in_shape: Any) -> None:
        if self.within_channel:
            check_images(self.where, in_shape)
        else:
            refuse_vectors(self.where, in_shape)

    @property
    def _axes(self) -> tuple[int, ...]:
        return (1, 2) if self.within_channel else (0,)

    @property
    def _strength(self) -> float:
        return self.alpha / self.size ** len(self._axes) if self.average else self.alpha

    def _scale(self, x: Array) -> Array:
        scale = self._window_sum(x * x)
        scale *= self._strength
        scale += self.k
        return scale

    def _window_sum(self, a: Array, turned: bool = False) -> Array:
        """Σ over the window of each element; ``turned``, over the windows that the element lies in."""
        before, after = self.size // 2, (self.size - 1) // 2
        if turned:
            before, after = after, before
        for axis in self._axes:
            lines = np.moveaxis(a, axis, 0)
            a = a.copy()
            total = np.moveaxis(a, axis, 0)
            for d in range(1, min(before, len(lines) - 1) + 1):
                total[d:] += lines[:-d]
            for d in range(1, min(after, len(lines) - 1) + 1):
                total[:-d] += lines[d:]
        return a

    def _view(self, x: Array) -> Array:
        """(C, H, W, N), or (C, all others) if the window runs over channels."""
        last = samples_last(x)
        return last if self.within_channel else last.reshape(len(last), last.size // max(1, len(last)))

    def _back(self, y: Array, shape: tuple[int, ...]) -> Array:
        return samples_first(y.reshape(*shape[1:], shape[0]))

    def _blocks(self, view: Array) -> list[Any]:
        """Stretches that no window reaches out of."""
        if self.within_channel:
            step = max(1, PIECE * len(view) // max(1, view.size))
            return [slice(c, c + step) for c in range(0, len(view), step)]
        step = max(256, PIECE // max(1, len(view)))
        return [(slice(None), slice(m, m + step)) for m in range(0, view.shape[1], step)]
