"""``Embedding``: a table of vectors, looked up by number."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._images import check_gradient
from .errors import LabelError, ShapeError
from .initializers import Initializer, Normal, Zeros
from .layer import Layer
from .param import Array


class Embedding(Layer):
    """y = W[i] + b,  dW[i] = sum of dy over the places that hold i,  db = sum of dy  [Caffe: Embed].

    i is an array (N, …) of integers, tokens for instance; y is (N, …, embedding_dim). W is (num_embeddings,
    embedding_dim), b (embedding_dim,). It is ``Affine`` of one-hot vectors without the multiplications. Integers
    have no gradient.

    Parameters
    ----------
    num_embeddings : int
        Rows of the table: the integers are 0 to ``num_embeddings`` - 1  [input_dim].
    embedding_dim : int
        Numbers in each row  [num_output].
    bias : bool
    weight_init, bias_init : Initializer

    Raises
    ------
    LabelError
        If the input does not hold integers, or one that is no row's.
    """

    backward_uses = ()

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        bias: bool = False,
        weight_init: Initializer = Normal(std=1.0),
        bias_init: Initializer = Zeros(),
    ) -> None:
        for what, value in (("num_embeddings", num_embeddings), ("embedding_dim", embedding_dim)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ShapeError(f"{type(self).__name__}: {what}: expected an integer of at least 1, got {value!r:.40}")
        self.num_embeddings, self.embedding_dim, self.bias = num_embeddings, embedding_dim, bias
        self.weight_init, self.bias_init = weight_init, bias_init

    def build(self, in_shape: Any) -> Any:
        n, m = int(self.num_embeddings), int(self.embedding_dim)
        self.W = self.param("W", (n, m), self.weight_init, fan_in=n, fan_out=m)
        if self.bias:
            self.b = self.param("b", (m,), self.bias_init, fan_in=n, fan_out=m)
        return (*in_shape, m)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.rows = self._check(x).ravel()
        c.y_shape = (*x.shape, self.W.shape[1])
        y = self.W.data[c.rows]
        if self.bias:
            y += self.b.data
        return y.reshape(c.y_shape)

    def backward(self, dy: Array) -> None:
        c = self.cache
        check_gradient(self.where, dy, c.y_shape)
        dy = dy.reshape(len(c.rows), self.W.shape[1])
        if self.bias and self.b.trainable:
            self.b.add_grad(dy.sum(axis=0))
        if self.W.trainable and len(c.rows):
            # Equal rows side by side, so that each sum is of one stretch.
            order = c.rows.argsort(kind="stable")
            rows, starts = np.unique(c.rows[order], return_index=True)
            self.W.grad[rows] += np.add.reduceat(dy[order], starts)

    def flops(self) -> int:
        return super().flops() if self.bias else 0

    def _check(self, x: Array) -> Array:
        if x.dtype.kind not in "iu":
            raise LabelError(
                f"{self.where}: expected integers, one for each row looked up, got {x.dtype}; pass x.astype(int)"
            )
        if x.size and (x.min() < 0 or x.max() >= self.num_embeddings):
            wrong = x[(x < 0) | (x >= self.num_embeddings)]
            raise LabelError(
                f"{self.where}: expected integers from 0 to {self.num_embeddings - 1}, got {wrong[0]} "
                f"({wrong.size} of {x.size} are out of range)"
            )
        return x
