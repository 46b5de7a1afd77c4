"""Layers without inputs, and arrays that are made from a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Normal

from .base import Array, OnnxLayer, integers


class OnnxParameter(OnnxLayer):
    """y = the learned array ``value``,  dvalue = dy: a weight that an operator reads as an input.

    Parameters
    ----------
    *shape : int
        Axis 0 included.
    """

    backward_uses = ()

    def __init__(self, *shape: int) -> None:
        self.shape = integers(shape)

    def build(self, in_shape: Any) -> Any:
        self.value = self.param("value", self.shape, Normal(0.01))
        return self.shape[1:]

    def forward(self) -> Array:
        return self.value.data

    def backward(self, dy: Array) -> tuple[()]:
        if self.value.trainable:
            self.value.add_grad(dy)
        return ()

    def flops(self) -> int:
        return 0


class OnnxConstant(OnnxLayer):
    """y = a fixed array; floating-point numbers in the net's precision."""

    backward_uses = ()

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)

    def build(self, in_shape: Any) -> Any:
        return self.value.shape[1:]

    def forward(self) -> Array:
        return self.value.astype(self.dtype, copy=False) if self.value.dtype.kind == "f" else self.value

    def backward(self, dy: Any) -> tuple[()]:
        return ()

    def flops(self) -> int:
        return 0


class OnnxFill(OnnxLayer):
    """y = ``value`` everywhere, in the shape that the input says; there is no gradient  [ONNX: ConstantOfShape]."""

    backward_uses = ()
    shaped_by = 0

    def __init__(self, value: Any = 0.0) -> None:
        self.value = np.asarray(value).reshape(())

    def forward(self, shape: Array) -> Array:
        sizes = integers(shape)
        self.allow(sizes)
        return np.full(sizes, self.value, self.dtype if self.value.dtype.kind == "f" else self.value.dtype)

    def backward(self, dy: Any) -> None:
        return None


class OnnxRange(OnnxLayer):
    """y = start, start + delta, … below the limit (above it, for a negative delta); there is no gradient."""

    backward_uses = ()
    shaped_by = 0

    def forward(self, start: Array, limit: Array, delta: Array) -> Array:
        first, end, step = (x.reshape(()).item() for x in (start, limit, delta))
        count = max(0, int(np.ceil((end - first) / step)))
        self.allow((count,))
        return (first + step * np.arange(count)).astype(start.dtype)

    def backward(self, dy: Any) -> tuple[None, None, None]:
        return None, None, None
