"""Mini-batches whose order can be saved and picked up again."""

from collections.abc import Iterator, Mapping
from copy import copy
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dataset import Dataset
from .shuffle import shuffled

_POSITION = {"epoch", "batch"}


class Batches:
    """Each `for X_batch, y_batch in batches` is one epoch over `X`, shape (N, ...), and `y`, shape (N, ...).

    `Batches(dataset, batch_size=...)` works too. The order depends on the seed and the epoch's number alone.
    With `drop_last`, a last batch smaller than the others is left out. Without `shuffle`, batches are views:
    do not write into them. Raises ValueError if there would be no batch at all.

    With weights, the data set's or `weight`, shape (N,), batches are triples `X_batch, y_batch, weight_batch`. A loop
    that takes both reads `for X, y, *weight in batches: net.forward(X, y, *weight)`.

    `state()` says where the loop is, also from within its body, where the batch just given counts as done.
    `restore(state)`, on equal Batches, makes the next `for` give exactly the batches that were still to come
    in that epoch (none, after its last). Without `restore`, a `for` after a `break` starts the next epoch.

    >>> batches = Batches([[1.0], [2.0], [3.0]], [0, 1, 1], batch_size=2, shuffle=False)
    >>> [len(y) for X, y in batches]
    [2, 1]
    """

    def __init__(
        self,
        X: Dataset | ArrayLike,
        y: ArrayLike | None = None,
        batch_size: int = 32,
        *,
        weight: ArrayLike | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if isinstance(X, Dataset):
            if y is not None or weight is not None:
                raise TypeError(
                    "a Dataset brings its own y and weight; did you mean Batches(dataset, batch_size=...), "
                    "or dataclasses.replace(dataset, weight=...)?"
                )
            self.data = X
        elif y is None:
            raise TypeError("Batches(X) without y; for a net that should answer its own input, Batches(X, X)")
        else:
            self.data = Dataset(np.asarray(X), np.asarray(y), weight=None if weight is None else np.asarray(weight))
        self.batch_size, self.shuffle, self.seed, self.drop_last = (
            index(batch_size),
            shuffle,
            index(seed),
            drop_last,
        )
        if self.batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        if not len(self):
            raise ValueError(
                f"{len(self.data)} samples in batches of {batch_size}, drop_last={drop_last}, make no batch"
            )
        self._epoch, self._batch = 0, 0  # of this epoch, so many batches are done
        self._restored = False
        self._rank, self._ranks = 0, 1

    @property
    def epoch(self) -> int:
        """Number of the epoch that runs or, between two, of the next one; the first is 0."""
        return self._epoch

    @property
    def batch(self) -> int:
        """How many batches of this epoch are done; within the loop's body, the one just given included."""
        return self._batch

    def __len__(self) -> int:
        """Batches per epoch."""
        whole, left = divmod(len(self.data), self.batch_size)
        return whole + (left > 0 and not self.drop_last)

    def shard(self, rank: int, size: int) -> "Batches":
        """The same batches for one of `size` processes: each yields only the part of process `rank`, from 0 on.

        A batch is cut into `size` consecutive parts as equal as can be, the larger ones first; together they are the
        batch, and some are empty if it has fewer samples than there are processes. Length, epochs and `state()`
        are those of the whole: a state goes on with any number of processes, or with one.
        """
        rank, size = index(rank), index(size)
        if not 0 <= rank < size:
            raise ValueError(f"shard: expected a rank from 0 to size - 1, got rank {rank} of size {size}")
        part = copy(self)
        part._rank, part._ranks = rank, size
        return part

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        if self._batch and not self._restored:  # the last loop was left by a break
            self._epoch, self._batch = self._epoch + 1, 0
        self._restored = False
        (X, y), weight, epoch = self.data, self.data.weight, self._epoch
        order = shuffled(len(X), self.seed, epoch) if self.shuffle else None
        for batch in range(self._batch, len(self)):
            # Before the yield: a state() in the loop's body counts this batch.
            self._epoch, self._batch = epoch, batch + 1
            at = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            if self._ranks > 1:
                at = self._part(at.start, min(at.stop, len(X)))
            if order is None:
                yield (X[at], y[at]) if weight is None else (X[at], y[at], weight[at])
            else:
                rows = order[at]
                pair = X.take(rows, axis=0), y.take(rows, axis=0)
                yield pair if weight is None else (*pair, weight.take(rows))
        self._epoch, self._batch = epoch + 1, 0

    def _part(self, start: int, stop: int) -> slice:
        """The part of this process in the batch from `start` to `stop`."""
        share, more = divmod(stop - start, self._ranks)
        start += self._rank * share + min(self._rank, more)
        return slice(start, start + share + (self._rank < more))

    def state(self) -> dict[str, int]:
        """The position and the settings it belongs to, as plain integers that JSON can hold."""
        return {
            "samples": len(self.data),
            "batch_size": self.batch_size,
            "shuffle": int(self.shuffle),
            "seed": self.seed,
            "drop_last": int(self.drop_last),
            "epoch": self._epoch,
            "batch": self._batch,
        }

    def restore(self, state: Mapping[str, int]) -> None:
        """Go to where `state` was taken. Raises ValueError if it comes from batches unlike these."""
        here = self.state()
        if set(state) != set(here):
            raise ValueError(f"not a state of Batches: expected the keys {sorted(here)}, got {sorted(state)}")
        differ = [f"{k} {state[k]} (here {here[k]})" for k in here if k not in _POSITION and state[k] != here[k]]
        if differ:
            raise ValueError(f"this state is of other batches: {', '.join(differ)}; make these like those")
        epoch, batch = index(state["epoch"]), index(state["batch"])
        if epoch < 0 or not 0 <= batch <= len(self):
            raise ValueError(f"no such position: epoch {epoch}, batch {batch} of {len(self)}")
        self._epoch, self._batch, self._restored = epoch, batch, True
