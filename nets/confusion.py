"""The confusion matrix, and what follows from it for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handbrew.layers import ShapeError

from .metrics import Array, ClassMetric, with_nan
from .table import table


class Confusion(ClassMetric):
    """Element (i, j) counts the positions of class i that were taken for class j.

    ``print(confusion)`` shows a table with a line for each class. Of equal scores the lower class's counts as the
    larger.

    Parameters
    ----------
    classes : sequence of str
        Their names, such as a ``Dataset``'s ``classes``; numbers by default.
    axis, ignore_index
        As in ``Accuracy``, which also says what is raised.

    Raises
    ------
    ShapeError
        By ``add``, if there are not as many classes as names, or as before.
    ValueError
        By ``add``, if scores are nan: the matrix has no place for what was taken for nothing.
    """

    def __init__(self, classes: Sequence[str] | None = None, axis: int = 1, ignore_index: int | None = None) -> None:
        self.classes = None if classes is None else tuple(classes)
        super().__init__(axis, ignore_index)

    def reset(self) -> None:
        """Forget what was added."""
        n = len(self.classes or ())
        self._matrix = np.zeros((n, n), np.int64)

    def add(self, scores: Array, target: Array) -> None:
        """Take in a batch."""
        rows, labels = self._positions(scores, target)
        n, known = rows.shape[1], len(self._matrix)
        if n != known and (known or self.classes is not None):
            raise ShapeError(f"Confusion: expected scores of {known} classes, as named or as before, got {n}")
        if nans := int(with_nan(rows).sum()):
            raise ValueError(
                f"Confusion: the scores of {nans} of {len(rows)} positions are nan; has training diverged?"
            )
        counts = np.bincount(labels * n + rows.argmax(axis=1), minlength=n * n).reshape(n, n)
        self._matrix = self._matrix + counts if known else counts

    @property
    def value(self) -> Array:
        """The matrix, int64 (C, C): rows are true, columns predicted; (0, 0) while the classes are unknown."""
        return self._matrix.copy()

    @property
    def support(self) -> Array:
        """How many positions each class has, int64 (C,)."""
        return self._matrix.sum(axis=1)

    @property
    def recall(self) -> Array:
        """Of each class's positions the share that was found, (C,); nan where there are none."""
        return _ratio(self._matrix.diagonal(), self._matrix.sum(axis=1))

    @property
    def precision(self) -> Array:
        """Of the positions taken for a class the share that is of it, (C,); nan where there are none."""
        return _ratio(self._matrix.diagonal(), self._matrix.sum(axis=0))

    @property
    def f1(self) -> Array:
        """2 precision recall / (precision + recall), (C,): their harmonic mean; nan for a class never seen nor said."""
        return _ratio(2 * self._matrix.diagonal(), self._matrix.sum(axis=0) + self._matrix.sum(axis=1))

    def __str__(self) -> str:
        names, all_ = self.classes or tuple(map(str, range(len(self._matrix)))), int(self._matrix.sum())
        figures = zip(self.recall, self.precision, self.f1, strict=True)
        rows = [
            (name, f"{count:,}", *map(_percent, shares))
            for name, count, shares in zip(names, self.support, figures, strict=True)
        ]
        accuracy = self._matrix.trace() / all_ if all_ else float("nan")
        rows.append(("all", f"{all_:,}", _percent(accuracy), "", ""))
        return table(("class", "count", "found (recall)", "right when said (precision)", "F1"), rows, left=1)


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"
