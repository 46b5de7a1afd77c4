"""What the bits of a result depend on besides program, data and seed: the products' library and its threads."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np

from handbrew.layers.cores import blas_libraries, cores, wanted_threads


def environment() -> dict[str, Any]:
    """Return NumPy's and its BLAS library's version, the kind of processor, and the number of threads.

    BLAS picks its inner loops by the processor and cuts its products by the number of threads, and in float32 both
    change the last digits of a sum.
    """
    built, blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"], blas_libraries()
    return {
        "numpy": np.__version__,
        "blas": f"{built.get('name')} {built.get('version')}{_kernels(blas)}",
        "processor": platform.machine(),
        "threads": wanted_threads(),
        "blas threads": _blas_threads(blas),
    }


def _kernels(blas: list[Any]) -> str:
    kernels = {str(library.architecture) for library in blas if getattr(library, "architecture", None)}
    return f" ({', '.join(sorted(kernels))})" if kernels else ""


def _blas_threads(blas: list[Any]) -> int:
    if blas:
        return max(int(library.num_threads) for library in blas)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return len(cores())
