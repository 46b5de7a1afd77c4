"""Pooling in any number of axes, with dilations, paddings that differ, and all of ONNX's ways to say them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, OnnxLayer
from .windows import Moves, fold, padded, pixels, unfold, volume


class _Pool(OnnxLayer):
    """The windows of all kinds of pooling. The attributes are the operator's."""

    batch_coupled = False
    backward_uses = ()

    def __init__(
        self,
        kernel_shape: Any,
        strides: Any = None,
        pads: Any = None,
        dilations: Any = None,
        ceil_mode: bool = False,
        auto_pad: str = "NOTSET",
    ) -> None:
        self.kernel_shape, self.strides, self.pads, self.dilations = kernel_shape, strides, pads, dilations
        self.ceil_mode, self.auto_pad = ceil_mode, auto_pad
        self.moves()  # refuses what it cannot be

    def moves(self) -> Moves:
        """The attributes as they are now."""
        return Moves(self.kernel_shape, self.strides, self.pads, self.dilations, self.auto_pad, self.ceil_mode)

    def build(self, in_shape: Any) -> Any:
        return (*in_shape[:1], *self.moves().over((1, *in_shape), self.where).out)

    def windows(self, x: Array, value: float) -> Array:
        """(N, C, *out, pixels)."""
        c = self.cache
        c.geometry, c.sizes = self.moves().over(x.shape, self.where), x.shape[2:]
        self.allow((*x.shape[:2], *c.geometry.spanned), x)
        view = unfold(padded(x, c.geometry, value), c.geometry)
        return view.reshape(*view.shape[: x.ndim], volume(c.geometry))

    def back(self, parts: Array) -> Array:
        """The sum over the windows of (N, C, *out, pixels)."""
        c = self.cache
        return fold(parts.reshape(*parts.shape[:-1], *c.geometry.kernel), c.geometry, c.sizes)


class OnnxMaxPool(_Pool):
    """y = the maximum of x over each window;  dx = sum of dy over the windows whose maximum is there, of equal ones the
    first.

    ``indices`` adds a second output: where each maximum is, counted through all of x, or with ``storage_order=1``
    through x with the image's axes turned round.
    """

    def __init__(
        self,
        kernel_shape: Any,
        strides: Any = None,
        pads: Any = None,
        dilations: Any = None,
        ceil_mode: bool = False,
        auto_pad: str = "NOTSET",
        indices: bool = False,
        storage_order: int = 0,
    ) -> None:
        super().__init__(kernel_shape, strides, pads, dilations, ceil_mode, auto_pad)
        self.indices, self.storage_order = indices, storage_order

    def build(self, in_shape: Any) -> Any:
        out_shape = super().build(in_shape)
        return (out_shape, out_shape) if self.indices else out_shape

    def forward(self, x: Array) -> Any:
        c = self.cache
        parts = self.windows(x, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
        c.at = parts.argmax(axis=-1)[..., None]
        y = np.take_along_axis(parts, c.at, -1)[..., 0]
        return (y, self._places(x.shape)) if self.indices else y

    def backward(self, dy: Any) -> Array | None:
        dy = dy[0] if self.indices else dy
        if dy.dtype.kind != "f":
            return None
        parts = np.zeros((*dy.shape, volume(self.cache.geometry)), dy.dtype)
        np.put_along_axis(parts, self.cache.at, dy[..., None], -1)
        return self.back(parts)

    def _places(self, shape: tuple[int, ...]) -> Array:
        c, g = self.cache, self.cache.geometry
        taps = np.unravel_index(c.at[..., 0], g.kernel)
        grid = np.ogrid[tuple(slice(n) for n in c.at.shape[:-1])]
        places = [
            (w * s + tap * d - b).clip(0, size - 1)  # where all is -inf, the padding has won
            for w, tap, s, d, b, size in zip(grid[2:], taps, g.strides, g.dilations, g.before, shape[2:], strict=True)
        ]
        sizes = shape[2:]
        if self.storage_order:
            places, sizes = places[::-1], sizes[::-1]
        return np.ravel_multi_index(np.broadcast_arrays(*grid[:2], *places), (*shape[:2], *sizes))


class OnnxAveragePool(_Pool):
    """y = the sum of x over each window / its pixels;  dx = sum of dy / pixels over the windows that are there.

    Parameters
    ----------
    kernel_shape, strides, pads, dilations, ceil_mode, auto_pad
        The operator's attributes.
    count_include_pad : bool
        Whether padding counts as pixels; what hangs over it in ``ceil_mode`` does not.
    """

    def __init__(
        self,
        kernel_shape: Any,
        strides: Any = None,
        pads: Any = None,
        dilations: Any = None,
        ceil_mode: bool = False,
        auto_pad: str = "NOTSET",
        count_include_pad: bool = False,
    ) -> None:
        super().__init__(kernel_shape, strides, pads, dilations, ceil_mode, auto_pad)
        self.count_include_pad = count_include_pad

    def forward(self, x: Array) -> Array:
        sums = self.windows(x, 0).sum(axis=-1)
        self.cache.area = pixels(self.cache.geometry, x.shape[2:], self.count_include_pad).astype(x.dtype)
        return sums / self.cache.area

    def backward(self, dy: Array) -> Array:
        parts = (dy / self.cache.area)[..., None]
        return self.back(np.broadcast_to(parts, (*dy.shape, volume(self.cache.geometry))))


class OnnxLpPool(_Pool):
    """y = (Σ |x|ᵖ over each window)^(1/p);  dx = sum of dy sign(x) (|x| / y)^(p - 1) over the windows it is in."""

    def __init__(
        self,
        kernel_shape: Any,
        strides: Any = None,
        pads: Any = None,
        dilations: Any = None,
        ceil_mode: bool = False,
        auto_pad: str = "NOTSET",
        p: int = 2,
    ) -> None:
        super().__init__(kernel_shape, strides, pads, dilations, ceil_mode, auto_pad)
        self.p = p

    def forward(self, x: Array) -> Array:
        c = self.cache
        c.parts = self.windows(x, 0)
        c.y = (np.abs(c.parts) ** self.p).sum(axis=-1) ** x.dtype.type(1 / self.p)
        return c.y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        ratio = np.abs(c.parts) / np.where(c.y == 0, 1, c.y)[..., None]
        return self.back(dy[..., None] * np.sign(c.parts) * ratio ** (self.p - 1))
