"""Borders around images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._images import check_gradient, check_images, empty_images
from .errors import ShapeError
from .layer import Layer, Shape
from .param import Array


class Pad2D(Layer):
    """y = x with a border around it;  dx = dy inside the border, plus the border's share.

    The border holds a constant, and then has no share; or copies of pixels, and the gradient of a copy
    goes to its original.

    Parameters
    ----------
    padding : int, or two or four of them
        The border's width: the same everywhere, (height, width) or (top, bottom, left, right).
    value : float
        What a constant border holds.
    mode : "constant", "replicate" or "reflect"
        The last two copy the outermost pixel, or mirror the image at it without repeating it.

    Raises
    ------
    ShapeError
        If the input is not images, or is not larger than the border that mirrors it.
    """

    backward_uses = ()

    def __init__(self, padding: int | Sequence[int], value: float = 0.0, mode: str = "constant") -> None:
        if mode not in ("constant", "replicate", "reflect"):
            raise ValueError(f'Pad2D: mode: expected "constant", "replicate" or "reflect", got {mode!r:.40}')
        self.padding, self.value, self.mode = padding, float(value), mode
        _widths(padding)  # refuses what it cannot be

    def build(self, in_shape: Any) -> Any:
        return self._padded(in_shape)

    def forward(self, x: Array) -> Array:
        c, (h, w) = self.cache, x.shape[-2:]
        y = empty_images((len(x), *self._padded(x.shape[1:])), x.dtype)
        (top, _), (left, _) = _widths(self.padding)
        c.shape, c.inside = y.shape, (..., slice(top, top + h), slice(left, left + w))
        c.border = self._border(h, w)
        y[c.inside] = x
        for line, original in c.border:
            y[line] = self.value if self.mode == "constant" else y[original]
        return y

    def backward(self, dy: Array) -> Array:
        c = self.cache
        check_gradient(self.where, dy, c.shape)
        if self.mode != "constant":
            dy = dy.copy(order="K")
            for line, original in c.border:
                dy[original] += dy[line]
        return dy[c.inside]

    def flops(self) -> int:
        return 0

    def _padded(self, in_shape: Shape) -> Shape:
        check_images(self.where, in_shape)
        (channels, h, w), (rows, columns) = in_shape, _widths(self.padding)
        if self.mode == "reflect" and (max(rows) >= h or max(columns) >= w):
            raise ShapeError(
                f"{self.where}: expected images larger than the border that mirrors them, padding={self.padding}, "
                f"got {h} x {w}"
            )
        return channels, h + sum(rows), w + sum(columns)

    def _border(self, h: int, w: int) -> list[tuple[Any, Any]]:
        """Index the border's lines in y, and the line each copies: rows, then columns, which fill the corners."""
        lines: list[tuple[Any, Any]] = []
        rows, columns = _widths(self.padding)
        for (before, after), size, rest in ((rows, h, (slice(None),)), (columns, w, ())):
            end = before + size
            for i in (*range(before), *range(end, end + after)):
                edge = before if i < before else end - 1
                original = edge if self.mode == "replicate" else 2 * edge - i
                lines.append(((..., i, *rest), (..., original, *rest)))
        return lines


def _widths(padding: int | Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The border's width as (top, bottom), (left, right)."""
    each = list(padding) if isinstance(padding, (Sequence, np.ndarray)) else [padding]
    if len(each) in (1, 2):
        each = [each[0], each[0], each[-1], each[-1]]
    if len(each) != 4 or not all(_is_width(n) for n in each):
        raise ShapeError(
            f"Pad2D: padding: expected a width from 0 on, (height, width) or (top, bottom, left, right), "
            f"got {padding!r:.60}"
        )
    top, bottom, left, right = map(int, each)
    return (top, bottom), (left, right)


def _is_width(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool) and int(n) >= 0
