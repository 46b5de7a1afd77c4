"""Where the windows of a pooling layer lie along one axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Line(NamedTuple):
    """The windows along one axis: ``out`` of them over ``size`` pixels."""

    size: int
    kernel: int
    stride: int
    pad: int
    out: int

    def offsets(self) -> Iterator[tuple[int, slice, slice]]:
        """Each offset k in the window, the windows that have a pixel there, and these pixels."""
        for k in range(self.kernel):
            shift = k - self.pad  # of window i it is the pixel i * stride + shift
            first = max(0, -(shift // self.stride))
            last = min(self.out, (self.size - 1 - shift) // self.stride + 1)
            yield k, slice(first, max(first, last)), self._pixels(first, last, shift)

    def groups(self) -> Iterator[tuple[slice, list[slice]]]:
        """Windows that have the same offsets inside the image: all the whole ones, and each at an edge by
        itself; with the pixels at these offsets.
        """
        first = 0
        while first < self.out:
            start = first * self.stride - self.pad
            whole = (self.size - self.kernel - start) // self.stride + 1  # from here on, unless this one is cut
            last = first + (max(1, min(whole, self.out - first)) if start >= 0 else 1)
            inside = range(max(0, -start), min(self.kernel, self.size - start))
            yield slice(first, last), [self._pixels(first, last, k - self.pad) for k in inside]
            first = last

    def _pixels(self, first: int, last: int, shift: int) -> slice:
        if first >= last:
            return slice(0)
        start = first * self.stride + shift
        return slice(start, start + (last - first - 1) * self.stride + 1, self.stride)

    def lengths(self, count_pad: bool) -> Array:
        """How many pixels each window has, with or without the padding; what lies beyond it never counts."""
        start = np.arange(self.out) * self.stride - self.pad
        low, high = (-self.pad, self.size + self.pad) if count_pad else (0, self.size)
        return np.minimum(start + self.kernel, high) - np.maximum(start, low)

    @property
    def tiles(self) -> bool:
        """Whether every pixel is in exactly one window."""
        return self.stride == self.kernel and self.pad == 0 and self.size == self.out * self.stride
