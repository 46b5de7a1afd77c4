"""What the bits of a result depend on besides program, data and seed: the products' library and its threads."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np

from handbrew.layers import wanted_threads


def environment() -> dict[str, Any]:
    """Return NumPy's and its BLAS library's version, the kind of processor, and the number of threads.

    BLAS picks its inner loops by the processor and cuts its products by the number of threads, and in float32 both
    change the last digits of a sum.
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}{_kernels()}",
        "processor": platform.machine(),
        "threads": wanted_threads(),
        "blas threads": _blas_threads(),
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what has changed, as sentences."""
    return [
        f"{name}: {before.get(name)} before, {now.get(name)} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _libraries() -> list[dict[str, Any]]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return [
        entry for entry in threadpool_info() if entry["user_api"] == "blas" and "scipy.libs" not in entry["filepath"]
    ]


def _kernels() -> str:
    kernels = {str(entry["architecture"]) for entry in _libraries() if entry.get("architecture")}
    return f" ({', '.join(sorted(kernels))})" if kernels else ""


def _blas_threads() -> int:
    if counts := [int(entry["num_threads"]) for entry in _libraries()]:
        return max(counts)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
