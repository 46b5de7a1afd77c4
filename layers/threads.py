"""Work on several cores: Python threads take pieces of it, while BLAS keeps to one thread in each.

NumPy releases the interpreter's lock inside its loops, so two threads that work on two pieces keep two cores
busy. BLAS has threads of its own, which would compete with ours for the same cores; ``worker_threads`` holds
it to one. The work is cut by the shape of the arrays, never by the number of threads, and sums are taken in a
fixed order: the same bits come out on any number of cores.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Array = np.ndarray[Any, np.dtype[Any]]

KEPT_BYTES = 32_000_000  # just below the largest size that glibc's malloc learns (M_MMAP_THRESHOLD)
PIECE = 262_144  # elements: some arrays of this size fit in the cache, and two threads seldom wait for each other
LARGE = 2 * PIECE  # below, handing pieces over costs more than it gains


class _Team:
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
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            found = []
        else:
            # NumPy's own library only: SciPy's, say, is none of our business.
            found = ThreadpoolController().select(user_api="blas").lib_controllers
            found = [library for library in found if "scipy.libs" not in library.filepath]
        self.blas = [library for library in found if "numpy" in library.filepath] or found
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


_team = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.forget)


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
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_threads() -> Iterator[None]:
    """Inside, large work is shared out to threads, with BLAS on one thread in each; afterwards BLAS is as before.

    May be entered again inside itself. A net that holds a layer with ``uses_threads`` does it for the whole of
    its forward and backward pass. Without the package threadpoolctl (extra ``fast``) BLAS cannot be held back,
    and everything stays on the caller's thread.
    """
    _team.enter()
    try:
        yield
    finally:
        _team.leave()


def sharing() -> bool:
    """Whether ``worker_threads`` is in force."""
    return _team.users > 0


def share(tasks: Iterable[Callable[..., object]], scratch: Callable[[], Any] | None = None) -> None:
    """Run all tasks, on several threads inside ``worker_threads``, else one after the other.

    They may run in any order and at the same time, so no two write to one place. With ``scratch``, each thread
    makes one such object and hands it to its tasks, one after the other. The first exception is raised, once
    all have stopped.
    """
    queue = deque(tasks)

    def work() -> None:
        arguments = () if scratch is None else (scratch(),)
        while True:
            try:
                task = queue.popleft()
            except IndexError:  # all are taken
                return
            try:
                task(*arguments)
            except BaseException:
                queue.clear()
                raise

    pool = _team.pool
    if pool is None or _team.users == 0 or len(queue) < 2:
        work()
        return
    helpers = min((_team.size or 1) - 1, len(queue) - 1)
    futures = [pool.submit(copy_context().run, work) for _ in range(helpers)]  # with the caller's np.errstate
    try:
        work()
    finally:
        # Those that have not begun would find nothing to do, and may wait behind this very task: do not wait for them.
        begun = [future for future in futures if not future.cancel()]
        errors = [error for future in begun if (error := future.exception()) is not None]
    if errors:
        raise errors[0]


def in_pieces(function: Callable[..., object], *arrays: Array) -> None:
    """Call an elementwise ``function(*pieces)`` on stretches of arrays that have one shape and one layout.

    The stretches are flat, fit in the cache, and are shared out to the threads. Small arrays, and such as do not
    lie in memory alike, are handed over whole. ``function`` writes its results into its arguments.

    >>> import numpy as np
    >>> x = np.arange(6.0); y = np.empty_like(x)
    >>> in_pieces(lambda x, y: np.multiply(x, x, out=y), x, y)
    >>> y.tolist()
    [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]
    """
    if arrays[0].size < LARGE or not _alike(arrays):
        function(*arrays)
        return
    flat = [a.ravel(order="K") for a in arrays]
    if not all(np.may_share_memory(line, a) for line, a in zip(flat, arrays, strict=True)):
        function(*arrays)
        return
    pieces = [slice(start, start + PIECE) for start in range(0, flat[0].size, PIECE)]
    share([lambda piece=piece: function(*(line[piece] for line in flat)) for piece in pieces])


def elementwise(function: Callable[..., Array], *arrays: Array) -> Array:
    """``function(*arrays, out)`` for arrays of one shape, on pieces of them if they are large.

    ``function`` computes each element from those in the same place, into ``out``, or for ``out=None`` into a new
    array; the result has the first array's dtype.

    >>> import numpy as np
    >>> elementwise(np.add, np.arange(3.0), np.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    first = arrays[0]
    if first.size < LARGE:
        return function(*arrays, None)
    out = np.empty_like(first)
    in_pieces(function, *arrays, out)
    return out


def _alike(arrays: tuple[Array, ...]) -> bool:
    steps = [(a.shape, [stride // a.itemsize for stride in a.strides]) for a in arrays]
    return all(step == steps[0] for step in steps)
