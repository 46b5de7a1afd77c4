"""Matrix products of two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, is_float, reduced


class OnnxMatMul(OnnxLayer):
    """y = a b,  da = dy bᵀ,  db = aᵀ dy, for matrices, or stacks of them that are broadcast against each other.

    As NumPy's ``matmul``: a vector is a row on the left and a column on the right, and the axis is taken off again.
    """

    backward_uses = ("input",)

    def forward(self, a: Array, b: Array) -> Array:
        self.cache.a, self.cache.b = a, b
        if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2:][0]:
            raise ShapeError(f"{self.where}: expected matrices to multiply, got shapes {a.shape} and {b.shape}")
        stack = self.broadcast(a.shape[:-2], b.shape[:-2])
        self.allow((*stack, *a.shape[-2:-1], *b.shape[1:][-1:]), a, b)
        return np.asarray(np.matmul(a, b))

    def backward(self, dy: Array) -> tuple[Array | None, Array | None]:
        a, b = self.cache.a, self.cache.b
        if not is_float(a):
            return None, None
        left = a[None] if a.ndim == 1 else a
        right = b[:, None] if b.ndim == 1 else b
        if a.ndim == 1:
            dy = dy[..., None, :] if b.ndim > 1 else dy.reshape(1)
        if b.ndim == 1:
            dy = dy[..., None]
        da = reduced(dy @ right.swapaxes(-1, -2), left.shape).reshape(a.shape)
        return da, reduced(left.swapaxes(-1, -2) @ dy, right.shape).reshape(b.shape)


class OnnxGemm(OnnxLayer):
    """y = alpha A B + beta C,  dA = alpha dy Bᵀ,  dB = alpha Aᵀ dy,  dC = beta dy, summed over what C was broadcast to.

    C is a third input, or missing. With ``transA`` A is turned first, and so is B with ``transB``.
    """

    backward_uses = ("input",)

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, transA: bool = False, transB: bool = False) -> None:
        self.alpha, self.beta, self.transA, self.transB = float(alpha), float(beta), transA, transB

    def forward(self, A: Array, B: Array, C: Array | None = None) -> Array:
        c = self.cache
        if A.ndim != 2 or B.ndim != 2:
            raise ShapeError(f"{self.where}: expected two matrices, got shapes {A.shape} and {B.shape}")
        c.A, c.B, c.C = A.T if self.transA else A, B.T if self.transB else B, C
        shape = len(c.A), c.B.shape[1]
        if c.A.shape[1] != len(c.B) or (C is not None and self.broadcast(C.shape, shape) != shape):
            told = "" if C is None else f", and an addend of shape {C.shape}"
            raise ShapeError(f"{self.where}: shapes {c.A.shape} and {c.B.shape} do not fit as factors{told}")
        self.allow(shape, A, B)
        y = (self.alpha * (c.A @ c.B)).astype(A.dtype, copy=False)
        return y if C is None else np.asarray(y + self.beta * C, y.dtype)

    def backward(self, dy: Array) -> tuple[Array, ...]:
        c = self.cache
        dA, dB = self.alpha * (dy @ c.B.T), self.alpha * (c.A.T @ dy)
        grads = (dA.T if self.transA else dA, dB.T if self.transB else dB)
        return grads if c.C is None else (*grads, self.beta * reduced(dy, c.C.shape))

    def flops(self) -> int:
        columns: Any = self.in_shape[0] if self.in_shape and isinstance(self.in_shape[0], tuple) else (1,)
        return 2 * super().flops() * int(np.prod(columns))
