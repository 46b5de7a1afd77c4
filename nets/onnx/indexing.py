"""Layers that pick elements out of an array, and put the gradients back where these came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers, is_float


class OnnxSlice(OnnxLayer):
    """y = x[start:stop:step] along some axes, as in Python, backwards too;  dx = dy there, 0 elsewhere.

    What is not given here is a further input: starts, stops, axes, steps, of which the last two may be empty.

    Parameters
    ----------
    starts, stops : sequence of int
    axes : sequence of int, optional
        The first ones, unless given.
    steps : sequence of int, optional
        All 1, unless given.

    Raises
    ------
    ShapeError
        If an axis is not there, or a step is 0.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, starts: Any = None, stops: Any = None, axes: Any = None, steps: Any = None) -> None:
        self.starts, self.stops = (None if v is None else integers(v) for v in (starts, stops))
        self.axes, self.steps = (None if v is None else integers(v) for v in (axes, steps))

    def forward(self, x: Array, *given: Array) -> Array:
        c = self.cache
        starts, stops, axes, steps = (
            (integers(a) if a.size else None for a in (*given, *[np.zeros(0, int)] * 2)[:4])
            if given
            else (self.starts, self.stops, self.axes, self.steps)
        )
        starts, stops = starts or (), stops or ()
        axes = counted(range(len(starts)) if axes is None else axes, x.ndim, self.where)
        steps = (1,) * len(starts) if steps is None else steps
        if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
            raise ShapeError(
                f"{self.where}: expected a start, a stop and a step other than 0 for each axis, "
                f"got {starts}, {stops}, {axes}, {steps}"
            )
        part = [slice(None)] * x.ndim
        for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
            part[axis] = _slice(start, stop, step, x.shape[axis])
        c.shape, c.part, c.given = x.shape, tuple(part), len(given)
        return x[c.part]

    def backward(self, dy: Array) -> Any:
        c, dx = self.cache, None
        if dy.dtype.kind == "f":
            dx = np.zeros_like(dy, shape=c.shape)
            dx[c.part] = dy
        return (dx, *(None,) * c.given) if c.given else dx

    def flops(self) -> int:
        return 0


def _slice(start: int, stop: int, step: int, size: int) -> slice:
    """ONNX's stop: far below 0, going backwards, is beyond the first element, where Python's None is."""
    if step < 0 and stop < -size:
        return slice(start, None, step)
    return slice(start, stop, step)


class OnnxGather(OnnxLayer):
    """y = x[…, indices, …] along ``axis``;  dx[…, i, …] = the sum of dy over the places where i was taken.

    The second input holds the indices, any array of integers; negative ones count from the end. With ``along`` they
    have as many axes as x, and each picks from its own line: y[i, j] = x[index[i, j], j] for axis 0
    [ONNX: GatherElements].

    Raises
    ------
    ShapeError
        If an index is out of range.
    """

    backward_uses = ()

    def __init__(self, axis: int = 0, along: bool = False) -> None:
        self.axis, self.along = axis, along

    def forward(self, x: Array, indices: Array) -> Array:
        c = self.cache
        (at,) = counted((self.axis,), x.ndim, self.where)
        found = _from_front(indices, x.shape[at], self.where)
        if self.along:
            c.index = _along(found, at)
        else:
            self.allow((*x.shape[:at], *found.shape, *x.shape[at + 1 :]), x, found)
            c.index = (slice(None),) * at + (found,)
        c.shape = x.shape
        return np.asarray(x[c.index])

    def backward(self, dy: Array) -> tuple[Array | None, None]:
        c = self.cache
        if dy.dtype.kind != "f":
            return None, None
        dx = np.zeros_like(dy, shape=c.shape)
        np.add.at(dx, c.index, dy)
        return dx, None

    def flops(self) -> int:
        return 0


class OnnxScatter(OnnxLayer):
    """y = x with the updates, the third input, put to y[index[i, j], j] for axis 0  [ONNX: ScatterElements].

    dx = dy where nothing was put, else 0; the updates get dy from where they were put. Of several put to one place the
    last stays, and it alone gets the gradient.

    Raises
    ------
    ShapeError
        If an index is out of range.
    """

    backward_uses = ()

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Array, indices: Array, updates: Array) -> Array:
        c = self.cache
        (at,) = counted((self.axis,), x.ndim, self.where)
        if indices.ndim != x.ndim or indices.shape != updates.shape:
            raise ShapeError(f"{self.where}: indices of {indices.shape} do not fit {x.shape} and {updates.shape}")
        c.index = _along(_from_front(indices, x.shape[at], self.where), at)
        y = x.copy()
        y[c.index] = updates
        c.shape = updates.shape
        return y

    def backward(self, dy: Array) -> tuple[Array | None, None, Array | None]:
        c = self.cache
        if dy.dtype.kind != "f":
            return None, None, None
        mine = np.arange(int(np.prod(c.shape))).reshape(c.shape)
        owner = np.zeros(dy.shape, np.intp)
        owner[c.index] = mine
        dx = dy.copy()
        dx[c.index] = 0
        return dx, None, dy[c.index] * (owner[c.index] == mine)

    def flops(self) -> int:
        return 0


def _from_front(indices: Array, size: int, where: str) -> Array:
    """Indices counted from the front, checked."""
    if indices.dtype.kind not in "iu":
        raise ShapeError(f"{where}: expected integers as indices, got {indices.dtype}")
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise ShapeError(
            f"{where}: expected indices below the {size} elements of the axis, got {indices.min()} to {indices.max()}"
        )
    return np.where(indices < 0, indices + size, indices)


def _along(indices: Array, axis: int) -> tuple[Array, ...]:
    """An index for each axis: those given for one, and the place of each of them for the others."""
    places = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    places[axis] = indices
    return tuple(places)


class OnnxPad(OnnxLayer):
    """y = x with a border;  dx = dy inside, and what the border repeats gets the border's gradient too.

    What is not given here is a further input: pads, value, axes, of which the last two may be empty.

    Parameters
    ----------
    pads : sequence of int
        Of all axes before, then of all axes after; a negative one cuts off.
    mode : "constant", "edge", "reflect" or "wrap"
        What the border holds: ``value``; the nearest element; what lies as far inside; what comes from the other end.
    value : float
    axes : sequence of int, optional
        Those that the pads belong to; all, unless given.

    Raises
    ------
    ShapeError
        If the pads are not two for each axis, or nothing is there to repeat.
    """

    backward_uses = ()
    shaped_by = 1

    def __init__(self, pads: Any = None, mode: str = "constant", value: float = 0.0, axes: Any = None) -> None:
        if mode not in ("constant", "edge", "reflect", "wrap"):
            raise ValueError(f'OnnxPad: mode: expected "constant", "edge", "reflect" or "wrap", got {mode!r:.40}')
        self.pads, self.axes = (None if v is None else integers(v) for v in (pads, axes))
        self.mode, self.value = mode, value

    def forward(self, x: Array, *given: Array) -> Array:
        c = self.cache
        pads, value, axes = self.pads or (), self.value, self.axes
        if given:
            pads = integers(given[0])
            value = given[1].reshape(-1)[0] if len(given) > 1 and given[1].size else self.value
            axes = integers(given[2]) if len(given) > 2 and given[2].size else None
        at = counted(range(x.ndim) if axes is None else axes, x.ndim, self.where)
        if len(pads) != 2 * len(at):
            raise ShapeError(f"{self.where}: expected two pads for each of the axes {at}, got {pads}")
        widths = {axis: (pads[i], pads[i + len(at)]) for i, axis in enumerate(at)}
        self.allow([max(0, n + sum(widths.get(axis, (0, 0)))) for axis, n in enumerate(x.shape)], x)
        c.given, c.steps = len(given), []
        for axis, (before, after) in widths.items():
            source, inside = self._sources(before, after, x.shape[axis])
            c.steps.append((axis, source, inside, x.shape))
            x = x.take(source, axis)
            if not inside.all():
                x[(slice(None),) * axis + (~inside,)] = value
        return x

    def backward(self, dy: Array) -> Any:
        c, dx = self.cache, None
        if dy.dtype.kind == "f":
            dx = dy
            for axis, source, inside, shape in reversed(c.steps):
                part, dx = dx, np.zeros_like(dy, shape=shape)
                at = (slice(None),) * axis
                np.add.at(dx, (*at, source[inside]), part[(*at, inside)])
        return (dx, *(None,) * c.given) if c.given else dx

    def flops(self) -> int:
        return 0

    def _sources(self, before: int, after: int, size: int) -> tuple[Array, Array]:
        """Where each element of y comes from along an axis, and which of them come from anywhere."""
        place = np.arange(-before, max(size + after, -before))
        inside = (place >= 0) & (place < size)
        if not size and (len(place) or self.mode != "constant"):
            raise ShapeError(f"{self.where}: there is nothing to put a border around: an axis of size 0")
        if self.mode == "constant":
            return place.clip(0, size - 1), inside
        if self.mode == "edge":
            place = place.clip(0, size - 1)
        elif self.mode == "wrap":
            place %= size
        else:
            place = abs((place + size - 1) % max(1, 2 * (size - 1)) - (size - 1))
        return place, np.ones(len(place), bool)


class OnnxMaxUnpool(OnnxLayer):
    """y = x at the places in ``indices``, which count through all of y, 0 elsewhere;  dx = dy at these places.

    y's shape is (N, C, (size - 1) stride + kernel - pads, …), or a third input; indices from 0 on.

    Raises
    ------
    ShapeError
        If an index leads out of y.
    """

    shaped_by = 2

    def __init__(self, kernel_shape: Any, strides: Any, pads: Any) -> None:
        self.kernel_shape, self.strides, self.pads = map(integers, (kernel_shape, strides, pads))

    def forward(self, x: Array, indices: Array, shape: Array | None = None) -> Array:
        c, k = self.cache, len(self.kernel_shape)
        natural = (
            *x.shape[:2],
            *(
                (n - 1) * s + size - a - b
                for n, s, size, a, b in zip(
                    x.shape[2:], self.strides, self.kernel_shape, self.pads[:k], self.pads[k:], strict=True
                )
            ),
        )
        sizes = natural if shape is None else integers(shape)
        self.allow(sizes, x)
        y = np.zeros(sizes, x.dtype)
        if indices.size and not 0 <= indices.min() <= indices.max() < np.prod(natural):
            raise ShapeError(f"{self.where}: expected indices below {np.prod(natural)}, got up to {indices.max()}")
        places = np.unravel_index(indices, natural)
        if any(place.size and place.max() >= n for place, n in zip(places, sizes, strict=True)):
            raise ShapeError(f"{self.where}: the indices lead out of an output of shape {sizes}")
        c.places, c.given = places, shape is not None
        y[places] = x
        return y

    def backward(self, dy: Array) -> Any:
        c = self.cache
        dx = dy[c.places] if is_float(dy) else None
        return (dx, None, None) if c.given else (dx, None)
