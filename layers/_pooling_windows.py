"""Where the windows of a pooling layer lie along one axis."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Line(NamedTuple):
    """The windows along one axis: ``out`` of them over ``size`` pixels.

    Offset k of window i is pixel i * stride + k - pad. With the pixels dealt out to as many *phases* as the stride
    is long, that is the (i + k // stride)-th of phase k % stride: neighbouring windows find theirs side by side.
    """

    size: int
    kernel: int
    stride: int
    pad: int
    out: int

    @property
    def length(self) -> int:
        """Of a phase: as far as the last window reaches, the padding included."""
        return self.out + (self.kernel - 1) // self.stride

    def phase(self, number: int) -> tuple[slice, slice]:
        """The part of a phase that lies inside the image, and its pixels."""
        shift = number - self.pad
        first = max(0, -(shift // self.stride))
        last = max(first, min(self.length, (self.size - 1 - shift) // self.stride + 1))
        start = first * self.stride + shift
        return slice(first, last), slice(start, start + (last - first) * self.stride, self.stride)

    @property
    def whole(self) -> bool:
        """Whether the phases hold every pixel and nothing else."""
        return self.pad == 0 and self.size == self.length * self.stride

    def lengths(self, count_pad: bool) -> Array:
        """How many pixels each window has, with or without the padding; what lies beyond it never counts."""
        start = np.arange(self.out) * self.stride - self.pad
        low, high = (-self.pad, self.size + self.pad) if count_pad else (0, self.size)
        return np.minimum(start + self.kernel, high) - np.maximum(start, low)
