"""Caffe's layers that pick samples, or rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Embedding, Initializer, LabelError, Layer, Normal, ShapeError, Zeros

from .arguments import check_gradient, no_gradient, whole_numbers

Array = np.ndarray[Any, np.dtype[Any]]


class BatchReindex(Layer):
    """y[j] = x[i_j],  dx[n] = sum of dy[j] over the j with i_j = n  [Caffe's].

    i is a vector of as many sample numbers as y shall have samples; they may repeat.

    Raises
    ------
    ShapeError
        If i is no vector.
    LabelError
        If there is no such sample.
    """

    backward_uses = ()
    batch_coupled = True

    def build(self, in_shape: Any) -> Any:
        return in_shape[0]

    def forward(self, x: Array, index: Array) -> Array:
        c = self.cache
        rows = whole_numbers(self.where, index)
        if rows.ndim != 1:
            raise ShapeError(f"{self.where}: expected a vector of sample numbers, got shape {rows.shape}")
        if rows.size and not (rows.min() >= 0 and rows.max() < len(x)):
            raise LabelError(
                f"{self.where}: expected numbers of samples from 0 to {len(x) - 1}, got {rows.min()} to {rows.max()}"
            )
        c.rows, c.shape, c.rest = rows, x.shape, no_gradient(index)
        c.y_shape = (len(rows), *x.shape[1:])
        return x[rows]

    def backward(self, dy: Array) -> tuple[Array, Array | None]:
        c = self.cache
        check_gradient(self.where, dy, c.y_shape)
        dx = np.zeros_like(dy, shape=c.shape)
        np.add.at(dx, c.rows, dy)
        return dx, c.rest

    def flops(self) -> int:
        return 0


class Filter(Layer):
    """y = the samples of x whose selector is not 0,  dx = dy there, 0 elsewhere  [Caffe's].

    ``forward(x1, x2, …, selector)`` returns the chosen samples of each x, as a tuple if there are several. The
    selector holds one number for each sample.

    Raises
    ------
    ShapeError
        If the inputs do not hold as many samples as the selector has numbers.
    """

    backward_uses = ()
    batch_coupled = True

    def build(self, in_shape: Any) -> Any:
        self._check(len(in_shape))
        *shapes, _ = in_shape
        return tuple(shapes) if len(shapes) > 1 else shapes[0]

    def forward(self, *inputs: Array) -> Any:
        self._check(len(inputs))
        c, (*data, selector) = self.cache, inputs
        if selector.size != len(selector) or any(len(x) != len(selector) for x in data):
            raise ShapeError(
                f"{self.where}: expected a selector of one number for each sample, got shape {selector.shape} "
                f"for inputs of shape {', '.join(str(x.shape) for x in data)}"
            )
        c.kept = np.flatnonzero(selector)
        c.shapes, c.rest = [x.shape for x in data], no_gradient(selector)
        ys = tuple(x[c.kept] for x in data)
        return ys if len(ys) > 1 else ys[0]

    def backward(self, dy: Any) -> tuple[Array | None, ...]:
        c = self.cache
        gradients: list[Array | None] = []
        for part, shape in zip(dy if isinstance(dy, tuple) else (dy,), c.shapes, strict=True):
            if part is None:
                gradients.append(None)
                continue
            check_gradient(self.where, part, (len(c.kept), *shape[1:]))
            dx = np.zeros_like(part, shape=shape)
            dx[c.kept] = part
            gradients.append(dx)
        return (*gradients, c.rest)

    def flops(self) -> int:
        return 0

    def _check(self, count: int) -> None:
        if count < 2:
            raise ShapeError(f"{self.where}: expected at least two inputs, the last of them the selector, got {count}")


class CaffeEmbed(Embedding):
    """``Embedding`` with a bias by default, that takes floating-point numbers too  [Caffe: Embed].

    Their fraction is cut off; their gradient is 0.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        bias: bool = True,
        weight_init: Initializer = Normal(std=1.0),
        bias_init: Initializer = Zeros(),
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, bias, weight_init, bias_init)

    def forward(self, x: Array) -> Array:
        y = super().forward(whole_numbers(self.where, x))
        self.cache.rest = no_gradient(x)
        return y

    def backward(self, dy: Array) -> Array | None:  # type: ignore[override]
        super().backward(dy)
        return self.cache.rest
