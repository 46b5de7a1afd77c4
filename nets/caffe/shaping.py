"""Caffe's layers that give blobs another shape, cut them and join them, along the batch's axis too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from handbrew.layers import Layer, ShapeError

from .arguments import axis_of, check_gradient

Array = np.ndarray[Any, np.dtype[Any]]


class CaffeReshape(Layer):
    """y = x in another shape,  dx = dy in x's  [Caffe: Reshape]; unlike ``Reshape`` it may change the batch's axis.

    ``num_axes`` axes of x from ``axis`` on (-1: all of them) are replaced by ``shape``, where 0 copies the
    input's size in that place and one -1 stands for whatever is left. A negative axis counts from the end, -1 being
    behind the last: ``CaffeReshape((1,), axis=-1, num_axes=0)`` puts an axis of length 1 there.

    Raises
    ------
    ShapeError
        If the sizes do not fit; or from ``build`` if a sample's shape depends on how many there will be.
    """

    backward_uses = ()
    build_first = False

    def __init__(self, shape: Sequence[int], axis: int = 0, num_axes: int = -1) -> None:
        if not all(isinstance(n, (int, np.integer)) and n >= -1 for n in shape) or list(shape).count(-1) > 1:
            raise ShapeError(f"CaffeReshape: expected sizes from 0 on with at most one -1, got {shape}")
        if num_axes < -1:
            raise ShapeError(f"CaffeReshape: num_axes: expected an integer from -1 on, got {num_axes}")
        self.shape, self.axis, self.num_axes = tuple(map(int, shape)), axis, num_axes

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return self.axis == 0 and self.shape[:1] != (0,)

    def build(self, in_shape: Any) -> Any:
        _, *sample = self.new_shape((None, *in_shape)) or (None,)
        if None in sample:
            raise ShapeError(
                f"{self.where}: the shape of a sample, once {in_shape}, depends on how many there are; run forward"
            )
        return tuple(sample)

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.shape, c.y_shape = x.shape, self.new_shape(x.shape)
        if math.prod(c.y_shape) != x.size:
            raise ShapeError(f"{self.where}: expected {x.size} elements as in the input's {x.shape}, got {c.y_shape}")
        return x.reshape(c.y_shape)

    def backward(self, dy: Array) -> Array:
        check_gradient(self.where, dy, self.cache.y_shape)
        return dy.reshape(self.cache.shape)

    def flops(self) -> int:
        return 0

    def new_shape(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        """The output's shape; a size of ``None`` is not known."""
        ndim = len(sizes)
        start = self.axis + ndim + 1 if self.axis < 0 else self.axis
        end = ndim if self.num_axes == -1 else start + self.num_axes
        copied = [start + i for i, n in enumerate(self.shape) if n == 0]
        if not 0 <= start <= end <= ndim or any(i >= ndim for i in copied):
            raise ShapeError(f"{self.where}: the axes to replace, {start} to {end}, are not all there in {sizes}")
        made = [sizes[start + i] if n == 0 else n for i, n in enumerate(self.shape)]
        if -1 in made:
            # What is copied is on both sides, and falls out: so an empty batch is no riddle.
            whole = [n for i, n in enumerate(sizes[start:end], start) if i not in copied]
            known = [n for n, given in zip(made, self.shape, strict=True) if given > 0]
            known += [sizes[i] for i in copied if i >= end]
            made[made.index(-1)] = self._rest(whole, known, sizes)
        return (*sizes[:start], *made, *sizes[end:])

    def _rest(self, whole: list[Any], known: list[Any], sizes: tuple[Any, ...]) -> int | None:
        if None in whole:
            return None
        size, taken = math.prod(whole), math.prod(known)
        if not taken or size % taken:
            raise ShapeError(f"{self.where}: the sizes {self.shape} do not divide those of the input, {sizes}")
        return size // taken


class CaffeConcat(Layer):
    """y = [x1, x2, …] along ``axis``,  dx_i = the part of dy that came from x_i  [Caffe: Concat].

    Unlike ``Concat`` it takes axis 0, the samples', and a single input.

    Raises
    ------
    ShapeError
        If the inputs do not agree in all other axes, or have no such axis.
    """

    backward_uses = ()
    build_first = False

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return self.axis == 0

    def build(self, in_shape: Any) -> Any:
        shapes = in_shape if in_shape and isinstance(in_shape[0], tuple) else (in_shape,)
        at, first = self._common_axis([(None, *shape) for shape in shapes]), shapes[0]
        return first if at == 0 else (*first[: at - 1], sum(shape[at - 1] for shape in shapes), *first[at:])

    def forward(self, *inputs: Array) -> Array:
        c = self.cache
        c.axis = self._common_axis([x.shape for x in inputs])
        *c.ends, _ = accumulate(x.shape[c.axis] for x in inputs)
        y = np.concatenate(inputs, c.axis)
        c.y_shape = y.shape
        return y

    def backward(self, dy: Array) -> Any:
        check_gradient(self.where, dy, self.cache.y_shape)
        parts = tuple(np.split(dy, self.cache.ends, self.cache.axis))
        return parts if len(parts) > 1 else parts[0]

    def flops(self) -> int:
        return 0

    def _common_axis(self, shapes: list[tuple[Any, ...]]) -> int:
        at = axis_of(self.where, self.axis, shapes[0])
        if any(s[:at] + s[at + 1 :] != shapes[0][:at] + shapes[0][at + 1 :] for s in shapes):
            raise ShapeError(
                f"{self.where}: expected inputs that differ on axis {self.axis} only, got {', '.join(map(str, shapes))}"
            )
        return at


class CaffeSlice(Layer):
    """y1, y2, … = x cut along ``axis``,  dx = [dy1, dy2, …] along it  [Caffe: Slice].

    Unlike ``Split`` it takes axis 0, the samples'. ``points`` are the indices to cut before  [slice_point]; without
    any, it is cut into as many equal ``parts``. With one part y is an array and no tuple.

    Raises
    ------
    ShapeError
        If there is no such axis, or it does not hold the points, or does not divide.
    """

    backward_uses = ()

    def __init__(self, points: Sequence[int] = (), axis: int = 1, parts: int | None = None) -> None:
        if (parts is None) != (len(points) > 0) or (parts is not None and parts < 1):
            raise ShapeError(f"CaffeSlice: expected points to cut at, or a number of parts, got {points} and {parts}")
        self.points, self.axis, self.parts = points, axis, parts

    @property
    def batch_coupled(self) -> bool:  # type: ignore[override]
        return self.axis == 0

    def build(self, in_shape: Any) -> Any:
        at = axis_of(self.where, self.axis, (1, *in_shape))
        if at == 0:
            shapes = (tuple(in_shape),) * (self.parts or len(self.points) + 1)
        else:
            cuts = self._cuts(in_shape[at - 1])
            shapes = tuple((*in_shape[: at - 1], stop - start, *in_shape[at:]) for start, stop in pairwise(cuts))
        return shapes if len(shapes) > 1 else shapes[0]

    def forward(self, x: Array) -> Any:
        c = self.cache
        c.axis = axis_of(self.where, self.axis, x.shape)
        parts = tuple(np.split(x, self._cuts(x.shape[c.axis])[1:-1], c.axis))
        c.y_shapes = [part.shape for part in parts]
        return parts if len(parts) > 1 else parts[0]

    def backward(self, dy: Any) -> Array:
        parts = dy if isinstance(dy, tuple) else (dy,)
        for part, shape in zip(parts, self.cache.y_shapes, strict=True):
            check_gradient(self.where, part, shape)
        return np.concatenate(parts, self.cache.axis)

    def flops(self) -> int:
        return 0

    def _cuts(self, size: int) -> list[int]:
        if self.parts is not None and size % self.parts:
            raise ShapeError(f"{self.where}: axis {self.axis} of {size} does not divide into {self.parts} equal parts")
        points = self.points if self.parts is None else range(size // self.parts, size, max(1, size // self.parts))
        cuts = [0, *points, size]
        if any(a >= b for a, b in pairwise(cuts)) and self.parts is None:
            raise ShapeError(f"{self.where}: expected rising points inside axis {self.axis} of {size}, got {points}")
        return cuts
