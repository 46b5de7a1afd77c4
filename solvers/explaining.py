"""What ``fit`` does about a number that is not finite: say where it comes from, and keep the batch."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .errors import NonFiniteError

if TYPE_CHECKING:
    from .training import Training

Array = np.ndarray[Any, np.dtype[Any]]


def raise_explained(run: Training, batch: tuple[Array, ...], what: str, error: NonFiniteError | None) -> NoReturn:
    """Raise a ``NonFiniteError`` that says where it comes from, once its batch is kept.

    Of several processes all come here, as sums are theirs together; the first that finds the cause in its own part
    is the one whose word counts.
    """
    ranks = run.ranks
    # A gradient is the sum of all processes': which of them made it so, each has to find out.
    known = None if ranks and error and error.direction != "update" else error
    solver = {"rule": type(run.solver).__name__, **run.solver.settings(), "steps": run.solver.steps}
    with ranks.apart(run.net) if ranks else nullcontext():
        found = run.watch.explain(what, *batch, error=known, solver=solver)
    if ranks is not None:
        told = ranks.gather("" if found.layer is None else str(found))
        rank = next((rank for rank, text in enumerate(told) if text), 0)
        if rank != ranks.rank:
            ranks.gather(None)  # once that one has kept its batch, all may end
            raise NonFiniteError(f"in rank {rank}: {told[rank]}") from error
    keep(run, found)
    if ranks is not None:
        ranks.gather(None)
    raise found from error


def keep(run: Training, found: NonFiniteError) -> None:
    """Write the error's batch where the training keeps such, if it does."""
    if run.dump is not None and found.dump is not None:
        run.dump.parent.mkdir(parents=True, exist_ok=True)
        found.dump.save(run.dump)
        found.add_note(f"the batch is kept in {run.dump}")
