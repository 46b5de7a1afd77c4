"""Windows that move over arrays (N, C, D1, D2, …) of any number of axes."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from handbrew.layers import ShapeError

from .base import Array, integers

AUTOMATIC = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


class Geometry(NamedTuple):
    """One number for each axis of the image."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]  # padding
    after: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """How much of the image the kernel spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def spanned(self) -> tuple[int, ...]:
        """What all windows together span."""
        return tuple(s * (n - 1) + e for n, s, e in zip(self.out, self.strides, self.extent, strict=True))


class Moves:
    """How windows move: an operator's attributes, each as long as the image has axes, or ``None``."""

    def __init__(
        self, kernel_shape: Any, strides: Any, pads: Any, dilations: Any, auto_pad: str, ceil_mode: bool = False
    ) -> None:
        if auto_pad not in AUTOMATIC:
            raise ValueError(f"auto_pad: expected one of {', '.join(AUTOMATIC)}, got {auto_pad!r:.40}")
        self.kernel, self.auto_pad, self.ceil_mode = integers(kernel_shape), auto_pad, ceil_mode
        n = len(self.kernel)
        self.strides = (1,) * n if strides is None else integers(strides)
        self.dilations = (1,) * n if dilations is None else integers(dilations)
        self.pads = (0,) * (2 * n) if pads is None else integers(pads)
        sizes = (*self.kernel, *self.strides, *self.dilations)
        if len(sizes) != 3 * n or len(self.pads) != 2 * n or min(sizes, default=1) < 1 or min(self.pads, default=0) < 0:
            raise ValueError(
                f"expected for each axis of the kernel {self.kernel} a stride, a dilation and two pads, "
                f"got {self.strides}, {self.dilations} and {self.pads}"
            )

    def over(self, shape: tuple[int, ...], where: str) -> Geometry:
        """The windows over images of this shape, (N, C, …).

        Raises
        ------
        ShapeError
            If the kernel does not fit into the padded image.
        """
        n, sizes = len(self.kernel), shape[2:]
        if len(sizes) != n:
            raise ShapeError(f"{where}: expected input of {n + 2} axes, got shape {shape}")
        rows = [self._along(*each) for each in zip(sizes, range(n), strict=True)]
        before, after, out = (tuple(row[i] for row in rows) for i in range(3))
        if min(out, default=1) < 1 or min(sizes, default=1) < 1:
            raise ShapeError(f"{where}: a kernel of {self.kernel} does not fit into an image of {sizes}")
        return Geometry(self.kernel, self.strides, self.dilations, before, after, out)

    def _along(self, size: int, axis: int) -> tuple[int, int, int]:
        """Padding before and after, and how many windows."""
        stride, extent = self.strides[axis], self.dilations[axis] * (self.kernel[axis] - 1) + 1
        if self.auto_pad.startswith("SAME"):
            out = -(-size // stride)
            both = max(0, (out - 1) * stride + extent - size)
            less, more = both // 2, both - both // 2
            return (less, more, out) if self.auto_pad == "SAME_UPPER" else (more, less, out)
        n = len(self.kernel)
        before, after = (0, 0) if self.auto_pad == "VALID" else (self.pads[axis], self.pads[axis + n])
        steps = size + before + after - extent
        out = (-(-steps // stride) if self.ceil_mode else steps // stride) + 1
        if self.ceil_mode and (out - 1) * stride >= size + before:
            out -= 1  # it would begin beyond the image, in the padding or after it
        return before, after, out


def padded(x: Array, g: Geometry, value: float) -> Array:
    """The image with its padding and what hangs over, cut to what the windows span."""
    widths = [(0, 0), (0, 0)]
    for size, before, spanned in zip(x.shape[2:], g.before, g.spanned, strict=True):
        widths.append((before, max(0, spanned - before - size)))
    if any(w != (0, 0) for w in widths):
        x = np.pad(x, widths, constant_values=value)
    inside: Any = (..., *(slice(n) for n in g.spanned))
    return x[inside]


def unfold(x: Array, g: Geometry) -> Array:
    """The windows of a padded image, (N, C, *out, *kernel): a view."""
    k = len(g.kernel)
    view = sliding_window_view(x, g.extent, axis=tuple(range(2, 2 + k)))
    steps: Any = tuple(slice(None, None, step) for step in (*g.strides, *g.dilations))
    return view[(slice(None), slice(None), *steps)]


def fold(parts: Array, g: Geometry, sizes: tuple[int, ...]) -> Array:
    """The image, (N, C, *sizes), that is the sum of its windows' parts, (N, C, *out, *kernel): ``unfold`` backwards."""
    room = tuple(max(n, b + size) for n, b, size in zip(g.spanned, g.before, sizes, strict=True))
    whole = np.zeros((*parts.shape[:2], *room), parts.dtype)
    for tap in product(*map(range, g.kernel)):
        steps = zip(tap, g.dilations, g.strides, g.out, strict=True)
        lines: Any = (..., *(slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in steps))
        part: Any = (..., *tap)
        whole[lines] += parts[part]
    inside: Any = (..., *(slice(b, b + n) for b, n in zip(g.before, sizes, strict=True)))
    return whole[inside]


def pixels(g: Geometry, sizes: tuple[int, ...], count_pad: bool) -> Array:
    """How many pixels each window has: padding counts if it is to, what hangs over it does not."""
    found = np.ones((), np.int64)
    for axis, size in enumerate(sizes):
        first = np.arange(g.out[axis])[:, None] * g.strides[axis] - g.before[axis]
        places = first + np.arange(g.kernel[axis]) * g.dilations[axis]
        least, most = (-g.before[axis], size + g.after[axis]) if count_pad else (0, size)
        found = np.multiply.outer(found, ((places >= least) & (places < most)).sum(axis=1))
    return found


def volume(g: Geometry) -> int:
    """The pixels of a kernel."""
    return math.prod(g.kernel)
