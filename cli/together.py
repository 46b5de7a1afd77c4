"""Several processes under ``mpiexec`` that act as one command."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from handbrew.solvers.parallel import Ranks, world

from .errors import EXPECTED, describe


@contextmanager
def together() -> Iterator[tuple[Any, bool]]:
    """The communicator, ``None`` for a process on its own, and whether this process is the one that prints and writes.

    An error in one of several processes ends them all.
    """
    comm = world()
    if comm is None:
        yield None, True
        return
    with Ranks(comm):
        try:
            if comm.rank:
                with redirect_stdout(io.StringIO()):
                    yield comm, False
            else:
                yield comm, True
        except EXPECTED as error:
            if comm.rank:
                time.sleep(0.5)  # what all have met is told by the first alone
            print(f"handbrew: {describe(error)}", file=sys.stderr, flush=True)
            comm.Abort(1)
