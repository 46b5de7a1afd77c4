"""The process's threads, and the limit on BLAS's own while they work."""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

import numpy as np

from .cores import blas_libraries, wanted_threads

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

KEPT_BYTES = 32_000_000  # just below the largest size that glibc's malloc learns (M_MMAP_THRESHOLD)


class Team:
    """The process's pool of threads, and BLAS's thread limit: the one thing here that is not kept in a layer."""

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.users = 0
        self.size: int | None = None  # threads at work, the caller's included; None: not looked at yet
        self.pool: ThreadPoolExecutor | None = None
        self.blas: list[Any] = []
        self.limits: list[int] = []

    def enter(self) -> None:
        with self.lock:
            if self.size is None:
                self._set_up()
            self.users += 1
            if self.users == 1:
                self.limits = [library.num_threads for library in self.blas]
                for library in self.blas:
                    library.set_num_threads(1)

    def leave(self) -> None:
        with self.lock:
            if self.users == 0:  # a child, forked inside: its team is another one
                return
            self.users -= 1
            if self.users == 0:
                for library, limit in zip(self.blas, self.limits, strict=True):
                    library.set_num_threads(limit)

    def _set_up(self) -> None:
        self.size = wanted_threads()
        self.blas = blas_libraries()
        if not self.blas:  # it cannot be held back, so it alone gets the cores
            self.size = 1
        if self.size == 1:
            return
        from concurrent.futures import ThreadPoolExecutor  # 3 ms

        self.pool = ThreadPoolExecutor(self.size - 1, thread_name_prefix="handbrew")
        # The C library learns from this what size of array comes and goes, and keeps the memory of later ones; each
        # pass would else ask the system for the same pages again, at a tenth of its time. Nothing is touched here.
        np.empty(KEPT_BYTES, np.uint8)

    def forget(self) -> None:
        """In a forked child the pool's threads do not exist."""
        limits, blas, active = self.limits, self.blas, self.users > 0
        self.__init__()  # type: ignore[misc]
        if active:
            for library, limit in zip(blas, limits, strict=True):
                library.set_num_threads(limit)
