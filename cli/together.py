"""Several processes under ``mpiexec`` that act as one command, with one voice."""

from __future__ import annotations

import io
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from handbrew.solvers.parallel import meet, world

from .errors import EXPECTED, ToldError, describe


@contextmanager
def together(debug: bool) -> Iterator[tuple[Any, bool]]:
    """The communicator, ``None`` for a process on its own, and whether this process is the one that prints and writes.

    What ends all of several processes alike is told by the first, and each leaves by itself. What ends one of them
    alone is told by that one, and ends all.
    """
    comm = world()
    if comm is None:
        yield None, True
        return
    end = comm.Dup()
    try:
        if comm.rank:
            nowhere = io.StringIO()
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield comm, False
        else:
            yield comm, True
    except (KeyboardInterrupt, SystemExit) as error:
        if not meet(end):
            comm.Abort(code_of(error))
        if comm.rank:
            raise ToldError(code_of(error)) from error
        raise
    except Exception as error:
        alike = meet(end)
        if comm.rank == 0 or not alike:
            tell(error, "" if alike else f"rank {comm.rank} of {comm.size}: ", debug)
        if not alike:
            time.sleep(0.2)  # mpiexec may drop what it has not read when all end
            comm.Abort(1)
        raise ToldError(1) from error


def tell(error: Exception, who: str, debug: bool) -> None:
    """Print an error; what no user could mend, or with ``debug`` any, as a traceback."""
    if debug or not isinstance(error, EXPECTED):
        traceback.print_exception(error)
    print(f"handbrew: {who}{describe(error)}", file=sys.stderr, flush=True)


def code_of(error: KeyboardInterrupt | SystemExit) -> int:
    """The exit code that it asks for."""
    return 130 if isinstance(error, KeyboardInterrupt) else int(error.code or 0)


def refuse_several(verb: str) -> None:
    """Raise a ``ValueError`` in the first of several processes, and end the others."""
    if (comm := world()) is not None:
        if comm.rank:
            raise ToldError(1)
        raise ValueError(f"handbrew {verb} works in one process; start it without mpiexec")
