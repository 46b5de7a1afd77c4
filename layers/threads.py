"""Work on several cores: Python threads take pieces of it, while BLAS keeps to one thread in each.

NumPy releases the interpreter's lock inside its loops, so two threads that work on two pieces keep two cores
busy. BLAS has threads of its own, which would compete with ours for the same cores; ``worker_threads`` holds
it to one. The work is cut by the shape of the arrays, never by the number of threads, and sums are taken in a
fixed order: the same bits come out on any number of cores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import numpy as np

from ._team import Team

Array = np.ndarray[Any, np.dtype[Any]]

PIECE = 262_144  # elements: some arrays of this size fit in the cache, and two threads seldom wait for each other
LARGE = 2 * PIECE  # below, handing pieces over costs more than it gains


_team = Team()  # the one thing here that is not kept in a layer
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_team.forget)


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
