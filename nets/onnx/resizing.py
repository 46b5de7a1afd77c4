"""Resizing along any axes, by interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from handbrew.layers import ShapeError

from .base import Array, OnnxLayer, counted, integers

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "crop")
ROUNDINGS: Mapping[str, Callable[[Any], Any]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


class OnnxResize(OnnxLayer):
    """y = A1 A2 … x, a matrix of interpolation along each axis;  dx = A1ᵀ A2ᵀ … dy.

    Row i of a matrix holds the weights of the elements around the place in x that the i-th output comes from. What is
    not given here are further inputs: roi, scales and sizes, empty if they are missing.

    Parameters
    ----------
    mode : "nearest", "linear" or "cubic"
    coordinates : str
        Where an output comes from: "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", or "crop", out of a region ``roi``  [tf_crop_and_resize].
    nearest : "round_prefer_floor", "round_prefer_ceil", "floor" or "ceil"
    a : float
        The cubic's coefficient  [cubic_coeff_a].
    inside : bool
        What lies outside x has no weight, and the others more  [exclude_outside]; else the nearest inside gets it.
    extrapolation : float
        What is put where "crop" leads out of x.
    antialias : bool
        Take more elements into account where y is smaller than x.
    policy : "stretch", "not_larger" or "not_smaller"
        What to do with sizes that change the proportions.
    axes : sequence of int, optional
        Those that scales and sizes belong to; all, unless given.
    scales, sizes, roi : sequence, optional

    Raises
    ------
    ShapeError
        If scales or sizes are not one for each axis, or nothing is left.
    """

    shaped_by = 1

    def __init__(
        self,
        mode: str = "nearest",
        coordinates: str = "half_pixel",
        nearest: str = "round_prefer_floor",
        a: float = -0.75,
        inside: bool = False,
        extrapolation: float = 0.0,
        antialias: bool = False,
        policy: str = "stretch",
        axes: Any = None,
        scales: Any = None,
        sizes: Any = None,
        roi: Any = None,
    ) -> None:
        known = mode in ("nearest", "linear", "cubic") and coordinates in COORDINATES and nearest in ROUNDINGS
        if not known or policy not in ("stretch", "not_larger", "not_smaller"):
            raise ValueError(f"OnnxResize: no such way to resize: {mode}, {coordinates}, {nearest}, {policy}")
        self.mode, self.coordinates, self.nearest, self.a, self.inside = mode, coordinates, nearest, a, inside
        self.extrapolation, self.antialias, self.policy, self.axes = extrapolation, antialias, policy, axes
        self.scales, self.sizes, self.roi = scales, sizes, roi

    def forward(self, x: Array, *given: Array) -> Array:
        c = self.cache
        roi, scales, sizes = given if given else (self.roi, self.scales, self.sizes)
        axes = counted(range(x.ndim) if self.axes is None else self.axes, x.ndim, self.where)
        plans = self._plans([x.shape[axis] for axis in axes], scales, sizes)
        region = np.asarray([0.0] * len(axes) + [1.0] * len(axes) if roi is None or not np.size(roi) else roi, float)
        if len(region) != 2 * len(axes):
            raise ShapeError(f"{self.where}: expected a start and an end of roi for each axis, got {region.tolist()}")
        out = {axis: size for axis, (size, _) in zip(axes, plans, strict=True)}
        self.allow([out.get(axis, n) for axis, n in enumerate(x.shape)], x)
        c.steps, c.given, y, beyond = [], len(given), x, []
        for i, (axis, (size, scale)) in enumerate(zip(axes, plans, strict=True)):
            n = x.shape[axis]
            if (size, scale) == (n, 1) and self.coordinates != "crop":
                continue
            self.allow((size, n), x)
            places = self._places(n, size, scale, region[i], region[i + len(axes)])
            A = self._matrix(places, n, scale).astype(x.dtype if x.dtype.kind == "f" else float)
            if self.coordinates == "crop":
                beyond.append((slice(None),) * axis + ((places < 0) | (places > n - 1),))
            c.steps.append((axis, A))
            y = _along(A, y, axis)
        c.beyond = beyond
        y = np.array(y, x.dtype) if beyond else np.asarray(y, x.dtype)
        for part in beyond:
            y[part] = self.extrapolation
        return y

    def backward(self, dy: Array) -> Any:
        c = self.cache
        dx = dy.copy() if c.beyond else dy
        for part in c.beyond:
            dx[part] = 0
        for axis, A in reversed(c.steps):
            dx = _along(A.T, dx, axis)
        return (dx, *(None,) * c.given) if c.given else dx

    def _plans(self, old: list[int], scales: Any, sizes: Any) -> list[tuple[int, float]]:
        """The size and the scale of each axis."""
        if sizes is not None and np.size(sizes):
            new = integers(sizes)
            if len(new) == len(old) and min(old, default=1) > 0:
                ratios = [m / n for m, n in zip(new, old, strict=True)]
                if self.policy == "stretch":
                    return self._checked([*zip(new, ratios, strict=True)])
                scale = (min if self.policy == "not_larger" else max)(ratios)
                return self._checked([(math.floor(scale * n + 0.5), scale) for n in old])
        factors = [] if scales is None else np.asarray(scales, float).reshape(-1).tolist()
        if len(factors) != len(old) or not all(0 < factor < 2**31 for factor in factors):
            raise ShapeError(f"{self.where}: expected a positive scale, or a size, for each of {len(old)} axes")
        return self._checked([(math.floor(n * factor), factor) for n, factor in zip(old, factors, strict=True)])

    def _checked(self, plans: list[tuple[int, float]]) -> list[tuple[int, float]]:
        if any(size < 1 for size, _ in plans):
            raise ShapeError(f"{self.where}: would make an axis of size {min(plans)[0]}")
        return plans

    def _places(self, n: int, size: int, scale: float, start: float, end: float) -> Array:
        """Where each output comes from."""
        i = np.arange(size)
        whole = scale * n
        match self.coordinates:
            case "asymmetric":
                return i / scale
            case "align_corners":
                return i * ((n - 1) / (whole - 1)) if whole != 1 else 0.0 * i
            case "crop":
                if size == 1:
                    return 0.5 * (start + end) * (n - 1) + 0.0 * i
                return start * (n - 1) + i * ((end - start) * (n - 1) / (size - 1))
            case "pytorch_half_pixel" if size == 1:
                return 0.0 * i
            case "half_pixel_symmetric":
                return n / 2 * (1 - size / whole) + (i + 0.5) / scale - 0.5
        return (i + 0.5) / scale - 0.5

    def _matrix(self, places: Array, n: int, scale: float) -> Array:
        """The weights, (outputs, n)."""
        A = np.zeros((len(places), n))
        rows = np.arange(len(places))
        if self.mode == "nearest":
            A[rows, ROUNDINGS[self.nearest](places).astype(int).clip(0, n - 1)] = 1
            return A
        shrink = min(1.0, scale) if self.antialias else 1.0
        reach = math.ceil((1 if self.mode == "linear" else 2) / shrink)
        first = np.floor(places).astype(int)
        near = first[:, None] + np.arange(1 - reach, 1 + reach)
        distance = np.abs(near - places[:, None]) * shrink
        weights = np.maximum(0, 1 - distance) if self.mode == "linear" else self._cubic(distance)
        if self.inside:
            weights *= (near >= 0) & (near < n)
        if self.inside or shrink < 1:
            weights /= weights.sum(axis=1, keepdims=True)
        np.add.at(A, (rows[:, None], near.clip(0, n - 1)), weights)
        return A

    def _cubic(self, d: Array) -> Array:
        a = self.a
        close = ((a + 2) * d - (a + 3)) * d * d + 1
        far = a * (((d - 5) * d + 8) * d - 4)
        return np.where(d <= 1, close, np.where(d < 2, far, 0))


def _along(A: Array, x: Array, axis: int) -> Array:
    return np.moveaxis(np.tensordot(A, x, (1, axis)), 0, axis)
