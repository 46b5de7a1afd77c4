"""What there is to compute on: the cores, how many of them may work, and NumPy's BLAS, which has threads of its own."""

from __future__ import annotations

import os
from typing import Any


def cores() -> set[int]:
    """The numbers of the cores that this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def wanted_threads() -> int:
    """How many threads may work: ``HANDBREW_THREADS``, or else as many as there are cores to run on.

    Raises
    ------
    ValueError
        If ``HANDBREW_THREADS`` is not a positive number.
    """
    text = os.environ.get("HANDBREW_THREADS", "").strip()
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"HANDBREW_THREADS: expected a number of threads from 1 on, got {text!r}")
        return int(text)
    return len(cores())


def blas_libraries() -> list[Any]:
    """NumPy's BLAS, as threadpoolctl lets one look at it and limit its threads; without that, nothing."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    # NumPy's own library only: SciPy's, say, is none of our business.
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    found = [library for library in found if "scipy.libs" not in library.filepath]
    return [library for library in found if "numpy" in library.filepath] or found
