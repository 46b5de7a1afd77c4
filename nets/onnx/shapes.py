"""Layers that give an array another shape, or its axes another order; and what tells shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers


class _Reshaping(OnnxLayer):
    """y = x in another shape, which a subclass tells,  dx = dy in x's; a second input may say which."""

    backward_uses = ()
    shaped_by = 1

    def forward(self, x: Array, extra: Array | None = None) -> Array:
        self.cache.shape, self.cache.given = x.shape, extra is not None
        return x.reshape(self.new_shape(x.shape, None if extra is None else integers(extra)))

    def backward(self, dy: Array) -> Any:
        dx = dy.reshape(self.cache.shape) if dy.dtype.kind == "f" else None
        return (dx, None) if self.cache.given else dx

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        raise NotImplementedError

    def flops(self) -> int:
        return 0


class OnnxIdentity(_Reshaping):
    """y = x,  dx = dy."""

    batch_coupled = False

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        return shape


class OnnxReshape(_Reshaping):
    """y = x in the given shape, axis 0 included;  dx = dy in x's.

    Parameters
    ----------
    shape : sequence of int, optional
        One -1 stands for whatever is left; a 0 copies the input's axis in that place. Without it, it is a second
        input.
    allowzero : bool
        A 0 is a size of 0.

    Raises
    ------
    ShapeError
        If the shape does not hold the input's elements.
    """

    def __init__(self, shape: Any = None, allowzero: bool = False) -> None:
        self.shape, self.allowzero = None if shape is None else integers(shape), allowzero

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        wanted = self.shape if extra is None else extra
        if wanted is None:
            raise ShapeError(f"{self.where}: expected a second input, the shape")
        there = dict(enumerate(shape))
        sizes = [n if n or self.allowzero else there.get(axis, 0) for axis, n in enumerate(wanted)]
        known = math.prod(n for n in sizes if n != -1)
        found = tuple(math.prod(shape) // max(known, 1) if n == -1 else n for n in sizes)
        if math.prod(found) != math.prod(shape) or sizes.count(-1) > 1 or min(found, default=0) < 0:
            raise ShapeError(f"{self.where}: an input of shape {shape} cannot take the shape {wanted}")
        return found


class OnnxFlatten(_Reshaping):
    """y = x as a matrix: the axes before ``axis`` are its rows, the others its columns;  dx = dy in x's shape."""

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        at = self.axis + len(shape) if self.axis < 0 else self.axis
        if not 0 <= at <= len(shape):
            raise ShapeError(f"{self.where}: expected an axis {self.axis}, got input of shape {shape}")
        return math.prod(shape[:at]), math.prod(shape[at:])


class OnnxSqueeze(_Reshaping):
    """y = x without some axes of size 1: those given here or as a second input, or all;  dx = dy in x's shape.

    Raises
    ------
    ShapeError
        If one of the axes is of another size.
    """

    def __init__(self, axes: Any = None) -> None:
        self.axes = None if axes is None else integers(axes)

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        given = self.axes if extra is None else extra
        ones = [axis for axis, n in enumerate(shape) if n == 1]
        axes = ones if given is None else counted(given, len(shape), self.where)
        if any(shape[axis] != 1 for axis in axes):
            raise ShapeError(f"{self.where}: expected axes of size 1, {tuple(axes)}, got input of shape {shape}")
        return tuple(n for axis, n in enumerate(shape) if axis not in axes)


class OnnxUnsqueeze(_Reshaping):
    """y = x with axes of size 1 put in, at the places that they have in y;  dx = dy in x's shape.

    The axes are given here or as a second input.
    """

    def __init__(self, axes: Any = None) -> None:
        self.axes = None if axes is None else integers(axes)

    def new_shape(self, shape: tuple[int, ...], extra: tuple[int, ...] | None) -> tuple[int, ...]:
        given = self.axes if extra is None else extra
        if given is None:
            raise ShapeError(f"{self.where}: expected a second input, the axes")
        ndim = len(shape) + len(given)
        axes, left = counted(given, ndim, self.where), iter(shape)
        return tuple(1 if axis in axes else next(left) for axis in range(ndim))


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


class OnnxShape(OnnxLayer):
    """y = the shape of x, from axis ``start`` to ``end`` (not included), or with ``size`` the number of elements.

    As integers, which have no gradient.
    """

    backward_uses = ()

    def __init__(self, start: int = 0, end: int | None = None, size: bool = False) -> None:
        self.start, self.end, self.size = start, end, size

    def forward(self, x: Array) -> Array:
        if self.size:
            return np.array(x.size, np.int64)
        start, end = (_within(n, x.ndim) for n in (self.start, x.ndim if self.end is None else self.end))
        return np.array(x.shape[start:end], np.int64)

    def backward(self, dy: Any) -> None:
        return None

    def flops(self) -> int:
        return 0


def _within(n: int, ndim: int) -> int:
    return max(0, min(ndim, n + ndim if n < 0 else n))


class OnnxCast(OnnxLayer):
    """y = x as numbers of another kind: "float" (of the net's precision), "int64", "bool", …;  dx = dy for floats."""

    batch_coupled = False
    backward_uses = ()

    def __init__(self, to: str) -> None:
        if to != "float" and np.dtype(to).kind not in "iub":
            raise ValueError(f'OnnxCast: expected "float", "bool" or a kind of integers, got {to!r:.40}')
        self.to = to

    def forward(self, x: Array) -> Array:
        self.cache.dtype = x.dtype
        with np.errstate(invalid="ignore"):  # nan, and what is too large, become any number
            return x.astype(self.dtype if self.to == "float" else self.to)

    def backward(self, dy: Any) -> Array | None:
        if self.cache.dtype.kind != "f":
            return None
        return dy if self.to == "float" else np.zeros(np.shape(dy), self.cache.dtype)
