"""Matrix products the way ``layers/_products.py`` cuts them, and whole, with BLAS on one thread.

python benchmarks/products.py
"""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from harness import interleave

from handbrew.layers import _products, worker_threads

Array = np.ndarray[Any, np.dtype[Any]]
SHAPES = ((16, 144, 2048), (64, 64, 2048), (64, 576, 2048), (128, 128, 4096), (50, 500, 4096))


def measure(m: int, k: int, n: int) -> str:
    """A line: GFLOP/s of (m, k) times (k, n), and of (m, p) times the transpose of (k, p), cut and whole."""
    p = _products.SMALL // _products.TILE**2  # its callers cut longer rows themselves
    rng = np.random.default_rng(0)
    a, b, c, d = (rng.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n), (m, p), (k, p)))
    y, dw = np.empty((m, n), np.float32), np.empty((m, k), np.float32)
    times = interleave(
        {
            "cut": lambda: _products.multiply(a, b, y),
            "whole": lambda: np.matmul(a, b, out=y),
            "transposed, cut": lambda: _products.multiply_transposed(c, d, dw),
            "transposed, whole": lambda: np.matmul(c, d.T, out=dw),
        },
        rounds=5,
        turn=0.03,
        warm=0.01,
    )
    speeds = [2e-9 * m * k * size / median(times[name]) for name, size in zip(times, (n, n, p, p), strict=True)]
    return f"{f'{m} x {k} x {n}':18}" + "".join(f"{speed:20.0f}" for speed in speeds)


def main() -> None:
    print(f"{'GFLOP/s of':18}{'a b, cut':>20}{'whole':>20}{'a b^T, cut':>20}{'whole':>20}")
    with worker_threads():
        for shape in SHAPES:
            print(measure(*shape))


if __name__ == "__main__":
    main()
