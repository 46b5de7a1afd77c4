"""Mini-batches whose order can be saved and picked up again."""

from collections.abc import Iterator, Mapping
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
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if isinstance(X, Dataset):
            if y is not None:
                raise TypeError("a Dataset brings its own y; did you mean Batches(dataset, batch_size=...)?")
            self.data = X
        elif y is None:
            raise TypeError("Batches(X) without y; for a net that should answer its own input, Batches(X, X)")
        else:
            self.data = Dataset(np.asarray(X), np.asarray(y))
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

    @property
    def epoch(self) -> int:
        """Number of the epoch that runs or, between two, of the next one; the first is 0."""
        return self._epoch

    def __len__(self) -> int:
        """Batches per epoch."""
        whole, left = divmod(len(self.data), self.batch_size)
        return whole + (left > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        if self._batch and not self._restored:  # the last loop was left by a break
            self._epoch, self._batch = self._epoch + 1, 0
        self._restored = False
        (X, y), epoch = self.data, self._epoch
        order = shuffled(len(X), self.seed, epoch) if self.shuffle else None
        for batch in range(self._batch, len(self)):
            # Before the yield: a state() in the loop's body counts this batch.
            self._epoch, self._batch = epoch, batch + 1
            at = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            if order is None:
                yield X[at], y[at]
            else:
                yield X.take(order[at], axis=0), y.take(order[at], axis=0)
        self._epoch, self._batch = epoch + 1, 0

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
