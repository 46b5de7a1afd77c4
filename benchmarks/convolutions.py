"""Every kernel of convolution where it could be used, beside what ``layers/_convolve.py`` chooses.

    python benchmarks/convolutions.py [--rounds N]

For whoever changes a kernel or the estimate behind the choice: microseconds of a forward pass and of the weights'
gradient (an input's gradient is a forward pass with other weights). A star marks the choice for the forward pass;
the last columns are how many times slower than tiles the direct way is there, as estimated and as measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("HANDBREW_THREADS", "2")

import numpy as np
import products
from harness import interleave

from handbrew.layers import _convolve, _direct, _pointwise, _winograd, worker_threads
from handbrew.layers._window import Window, window_of

Array = np.ndarray[Any, np.dtype[Any]]
KERNELS = {"direct": _direct, "tiles": _winograd, "pointwise": _pointwise}


class Case(NamedTuple):
    """Channels in and out, kernel, image, samples and options."""

    C: int
    O: int
    k: int
    size: int
    N: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    def __str__(self) -> str:
        options = f" stride {self.stride}" * (self.stride > 1) + f" dilation {self.dilation}" * (self.dilation > 1)
        options += f" groups {self.groups}" * (self.groups > 1)
        return f"{self.k}x{self.k}{options} {self.C}-{self.O}, {self.N} of {self.size}²"


CASES = (
    *(Case(c, o, 3, 32, 64) for c, o in ((3, 16), (16, 16), (13, 37), (32, 32), (64, 64), (128, 128))),
    *(Case(32, 32, 3, 30, n) for n in (1, 4, 16, 31)),
    *(Case(64, 64, 3, size, 64) for size in (5, 8, 17)),
    *(Case(c, o, 5, 28, 64) for c, o in ((1, 20), (20, 50), (3, 32), (32, 32))),
    *(Case(24, 24, k, 28, 32) for k in (2, 4, 7)),
    Case(17, 50, 3, 33, 32, stride=2),
    Case(24, 24, 3, 28, 32, dilation=2),
    Case(40, 96, 1, 28, 32),
    *(Case(64, 64, 3, 28, n, groups=64) for n in (1, 32, 128)),
    *(Case(48, 48, 3, 28, 32, groups=n) for n in (2, 4)),
)


class _Chosen(Exception):  # noqa: N818  no error
    pass


def choice(x: Array, W: Array, window: Window, shape: tuple[int, int], groups: int) -> str:
    """Which kernel is called."""

    def tell(name: str) -> Callable[..., None]:
        def stop(*_: object, **__: object) -> None:
            raise _Chosen(name)

        return stop

    with ExitStack() as stack:
        for name, module in KERNELS.items():
            stack.enter_context(patch.object(module, "correlate", tell(name)))
        try:
            _convolve.correlate(x, W, None, window, shape, groups)
        except _Chosen as chosen:
            return str(chosen)
    raise RuntimeError("no kernel was called")


def kernels(case: Case, x: Array, W: Array, g: Array, window: Window) -> tuple[dict[str, Any], dict[str, Any]]:
    """Forward passes and weights' gradients by the kernels that are possible."""
    shape = g.shape[1:3]
    groups = case.groups
    forward: dict[str, Any] = {"direct": partial(_direct.correlate, x, W, None, window, shape, groups)}
    weights: dict[str, Any] = {"direct": partial(_direct.weight_gradient, x, g, window, groups)}
    if case.stride == case.dilation == groups == 1 and 2 <= case.k <= 5:
        forward["tiles"] = partial(_winograd.correlate, x, W, None, window.start, shape)
        weights["tiles"] = partial(_winograd.weight_gradient, x, g, window.kernel, window.start)
    if case.k == case.stride == 1:
        forward["pointwise"] = partial(_pointwise.correlate, x, W[:, :, 0, 0])
        weights["pointwise"] = partial(_pointwise.weight_gradient, x, g)
    return forward, weights


def measure(case: Case, rounds: int) -> str:
    """A line of the table."""
    rng = np.random.default_rng(0)
    window = window_of(case.k, case.stride, case.dilation * (case.k - 1) // 2, case.dilation, "benchmark")
    shape = window.outputs((case.size, case.size), "benchmark")
    x, g, W = (
        rng.normal(size=size).astype(np.float32)
        for size in (
            (case.C, case.size, case.size, case.N),
            (case.O, *shape, case.N),
            (case.O, case.C // case.groups, case.k, case.k),
        )
    )
    with worker_threads():
        chosen = choice(x, W, window, shape, case.groups)
        forward, weights = (
            {name: 1e6 * median(times) for name, times in interleave(steps, rounds, turn=0.03, warm=0.01).items()}
            for steps in kernels(case, x, W, g, window)
        )
    cells = [
        f"{us[name]:7.0f}{'*' if name == chosen and us is forward else ' '}" if name in us else " " * 8
        for name in KERNELS
        for us in (forward, weights)
    ]
    if "tiles" in forward:
        cells += [
            f"{_convolve.direct_over_tiles(W.shape, shape):8.2f} ",
            f"{forward['direct'] / forward['tiles']:8.2f} ",
        ]
    return f"{case!s:36}" + " ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(" " * 36 + "".join(f"{name:^18}" for name in KERNELS) + "  direct / tiles")
    print(" " * 36 + "".join(f"{kind:>8} " for _ in KERNELS for kind in ("y", "dW")) + "estimate  measured")
    for case in CASES:
        print(measure(case, rounds))
    print()
    products.main()


if __name__ == "__main__":
    main()
