"""Layers that give an array's axes, or its channels and pixels, another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers


class OnnxTranspose(OnnxLayer):
    """y = x with its axes in the given order, axis 0 among them;  dx = dy with its axes put back.

    Without an order, ``perm``, they are turned round.
    """

    backward_uses = ()

    def __init__(self, perm: Any = None) -> None:
        self.perm = None if perm is None else integers(perm)

    def forward(self, x: Array) -> Array:
        order = tuple(range(x.ndim))[::-1] if self.perm is None else counted(self.perm, x.ndim, self.where)
        if len(order) != x.ndim:
            raise ShapeError(f"{self.where}: expected an input of {len(order)} axes, got shape {x.shape}")
        self.cache.back = tuple(order.index(axis) for axis in range(x.ndim))
        return x.transpose(order)

    def backward(self, dy: Array) -> Array:
        return dy.transpose(self.cache.back)

    def flops(self) -> int:
        return 0


class OnnxDepthToSpace(OnnxLayer):
    """y: each b x b pixels of it hold b² channels of one pixel of x, b = ``blocksize``;  dx = dy put back.

    x is (N, C b², H, W), y is (N, C, H b, W b). In the mode "DCR" the channels are (b, b, C), in "CRD" (C, b, b).
    ``back`` turns it round: x is (N, C, H b, W b), y is (N, C b², H, W)  [ONNX: SpaceToDepth].

    Raises
    ------
    ShapeError
        If the blocks do not divide the input.
    """

    batch_coupled = False
    backward_uses = ()

    def __init__(self, blocksize: int, mode: str = "DCR", back: bool = False) -> None:
        if blocksize < 1 or mode not in ("DCR", "CRD"):
            raise ValueError(f'OnnxDepthToSpace: expected blocks from 1 on, "DCR" or "CRD", got {blocksize}, {mode}')
        self.blocksize, self.mode, self.back = blocksize, mode, back

    def build(self, in_shape: Any) -> Any:
        x = np.broadcast_to(np.zeros((), np.float32), (0, *in_shape))  # an empty batch
        return type(self).forward(self, x).shape[1:]

    def forward(self, x: Array) -> Array:
        return self._gather(x) if self.back else self._spread(x)

    def backward(self, dy: Array) -> Array:
        return self._spread(dy) if self.back else self._gather(dy)

    def flops(self) -> int:
        return 0

    def _spread(self, x: Array) -> Array:
        b = self.blocksize
        if x.ndim != 4 or x.shape[1] % (b * b):
            raise ShapeError(f"{self.where}: expected images of k {b * b} channels, got shape {x.shape}")
        n, c, h, w = x.shape
        if self.mode == "DCR":
            parts = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            parts = x.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
        return parts.reshape(n, c // (b * b), h * b, w * b)

    def _gather(self, x: Array) -> Array:
        b = self.blocksize
        if x.ndim != 4 or x.shape[2] % b or x.shape[3] % b:
            raise ShapeError(f"{self.where}: expected images of k {b} by l {b} pixels, got shape {x.shape}")
        n, c, h, w = x.shape
        parts = x.reshape(n, c, h // b, b, w // b, b)
        order = (0, 3, 5, 1, 2, 4) if self.mode == "DCR" else (0, 1, 3, 5, 2, 4)
        return parts.transpose(order).reshape(n, c * b * b, h // b, w // b)
