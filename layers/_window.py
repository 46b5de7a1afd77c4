"""How a kernel moves over an image."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple

from ._images import pair
from .errors import ShapeError

Pair = tuple[int, int]


class Window(NamedTuple):
    """Each pair is (vertical, horizontal)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    start: Pair  # zeros above and to the left of the image
    end: Pair  # zeros below and to the right

    @property
    def extent(self) -> Pair:
        """How much of the image the kernel spans."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    def outputs(self, size: Pair, where: str) -> Pair:
        """The size of what a convolution makes of an image.

        Raises
        ------
        ShapeError
            If the kernel does not fit in.
        """
        _refuse_empty(size, where)
        padded = size[0] + self.start[0] + self.end[0], size[1] + self.start[1] + self.end[1]
        (kh, kw), (sh, sw) = self.extent, self.stride
        if kh > padded[0] or kw > padded[1]:
            raise ShapeError(
                f"{where}: the kernel spans {(kh, kw)}, more than the padded image's {padded}; "
                f"use a smaller kernel or more padding, or, if the channels come last, x.transpose(0, 3, 1, 2)"
            )
        return (padded[0] - kh) // sh + 1, (padded[1] - kw) // sw + 1

    def inputs(self, size: Pair, more: Pair, where: str) -> Pair:
        """The size of the image that a convolution makes such outputs of, with ``more`` rows and columns left over.

        Raises
        ------
        ShapeError
            If there is none.
        """
        _refuse_empty(size, where)
        h, w = (
            s * (n - 1) + k - a - b + m
            for n, s, k, a, b, m in zip(size, self.stride, self.extent, self.start, self.end, more, strict=True)
        )
        if min(h, w) < 1:
            raise ShapeError(f"{where}: an input of size {tuple(size)} would give one of {(h, w)}; use less padding")
        return h, w

    def phase(self, axis: int, first: int) -> tuple[slice, int, int]:
        """Which taps reach the inputs first, first + stride, …: turned, with the dilation and start of a window on y.

        Input h = stride u + first gets W[i] dy[(h + start - dilation i) / stride] from those taps i for which that is
        a whole number: every q-th, from the first one on, where q = stride / gcd(stride, dilation).
        """
        step, dilation = self.stride[axis], self.dilation[axis]
        every = step // gcd(step, dilation)
        reach = first + self.start[axis]
        tap = next((i for i in range(every) if (reach - i * dilation) % step == 0), self.kernel[axis])
        taps = range(tap, self.kernel[axis], every)
        spread = every * dilation // step
        start = (len(taps) - 1) * spread - (reach - tap * dilation) // step
        return slice(tap, None, every), spread, start

    def taps(self, axis: int, tap: int, size: int, limit: int) -> tuple[slice, slice]:
        """Which of the outputs find their input of one tap inside the image, and where those inputs lie."""
        step, offset = self.stride[axis], tap * self.dilation[axis] - self.start[axis]
        first = max(0, -(offset // step))
        last = max(first, min(size, -(-(limit - offset) // step)))
        begin = first * step + offset
        return slice(first, last), slice(begin, begin + (last - first - 1) * step + 1 if last > first else begin, step)


def make_window(kernel_size: Any, stride: Any, padding: Any, dilation: Any, owner: str) -> Window:
    """A layer's options as a window; ``owner`` is what errors call the layer.

    Raises
    ------
    ShapeError
        If one of them is not what it should be.
    """
    kernel, strides = pair(kernel_size, owner, "kernel_size"), pair(stride, owner, "stride")
    window = Window(kernel, strides, pair(dilation, owner, "dilation"), (0, 0), (0, 0))
    top, bottom, left, right = _around(padding, window, owner)
    return window._replace(start=(top, left), end=(bottom, right))


def _refuse_empty(size: Pair, where: str) -> None:
    if min(size) < 1:
        raise ShapeError(f"{where}: got images of {size[0]} x {size[1]}, which have no pixels")


window_of = lru_cache(maxsize=256)(make_window)  # of options made before; to it, 3.0 and 3 are the same


def _around(padding: Any, window: Window, owner: str) -> tuple[int, int, int, int]:
    """(top, bottom, left, right)."""
    if padding == "same":
        if window.stride != (1, 1):
            raise ShapeError(f'{owner}: padding="same" keeps the size, so the stride has to be 1, got {window.stride}')
        h, w = (extent - 1 for extent in window.extent)
        return h // 2, h - h // 2, w // 2, w - w // 2
    try:
        if isinstance(padding, tuple) and len(padding) == 4:
            return *pair(padding[:2], owner, "padding", 0), *pair(padding[2:], owner, "padding", 0)
        h, w = pair(padding, owner, "padding", 0)
    except ShapeError:
        raise ShapeError(
            f'{owner}: padding: expected an integer from 0 on, a pair, (top, bottom, left, right) or "same", '
            f"got {padding!r:.60}"
        ) from None
    return h, h, w, w
