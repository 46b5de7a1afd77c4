"""Metrics: how right a net's answers are, gathered batch by batch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from handbrew.layers import ClassLoss, Configurable, LabelError, ShapeError

Array = np.ndarray[Any, np.dtype[Any]]


class Metric(Protocol):
    """What ``net.evaluate(X, y, metrics=…)`` asks of an object; nothing has to be inherited from."""

    def reset(self) -> None:
        """Forget what was added."""

    def add(self, scores: Array, target: Array) -> None:
        """Take in a batch: the scores that ``net.forward(X)`` returns, and the target. Write into neither."""

    @property
    def value(self) -> Any:
        """The figure over all batches since ``reset``."""


class ClassMetric(Configurable):
    """Counts over scores (N, C, …) and labels (N, …), which lie as a ``ClassLoss`` has them."""

    def __init__(self, axis: int = 1, ignore_index: int | None = None) -> None:
        self.axis, self.ignore_index = axis, ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget what was added."""
        raise NotImplementedError

    def _layout(self, target: Any) -> ClassLoss:
        """Return what reads the scores and checks the labels."""
        target = np.asarray(target)
        if target.dtype.kind not in "iu":
            raise LabelError(
                f"{type(self).__name__}: expected integer labels, got {target.dtype} of shape {target.shape}; "
                f"of probabilities take target.argmax(axis={self.axis}); quantities are never right or wrong"
            )
        layout = ClassLoss(self.axis)
        layout.ignore_index = self.ignore_index
        layout.place(0, "", type(self).__name__)  # the name in its errors
        return layout

    def _positions(self, scores: Array, target: Any) -> tuple[Array, Array]:
        """Return the scores of the positions that count, (P, C), and their labels, (P,)."""
        layout = self._layout(target)
        rows = layout.rows(scores)
        labels, counted = layout.flat(scores, target)
        return (rows, labels) if counted is None else (rows[counted], labels[counted])


class _Share(ClassMetric):
    """A share of the positions that count."""

    def reset(self) -> None:
        """Forget what was added."""
        self._right = self._counted = 0

    def _count(self, right: int, counted: int) -> None:
        self._right, self._counted = self._right + right, self._counted + counted

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; ``None`` where no position counted."""
        return self._right / self._counted if self._counted else None


class Accuracy(_Share):
    """Share of the positions whose largest score is the label's; ``net.evaluate`` returns it anyway.

    Of equal scores the lower class's counts as the larger. Scores with a nan among them are not right.

    Parameters
    ----------
    axis : int
        Of the classes: scores (N, C, …) go with labels (N, …).
    ignore_index : int
        Positions of this label do not count. A metric does not know the loss: tell both.

    Raises
    ------
    LabelError
        By ``add``, if the target is anything but integer labels, one per position and in range.
    """

    def add(self, scores: Array, target: Array) -> None:
        """Take in a batch."""
        self._count(*self._layout(target).correct(scores, target))


class TopK(_Share):
    """Share of the positions whose label is among the ``k`` classes of the largest scores  [Caffe: top_k].

    Of equal scores the lower class's counts as the larger, so ``TopK(1)`` is ``Accuracy()``, and a net that scores
    all classes alike has k / C of balanced labels right (Caffe's layer counts every tie as wrong). Scores with a nan
    among them are not right.

    Parameters
    ----------
    k : int
    axis, ignore_index
        As in ``Accuracy``, which also says what is raised.

    Raises
    ------
    ShapeError
        By ``add``, if there are fewer than ``k`` classes.
    """

    def __init__(self, k: int, axis: int = 1, ignore_index: int | None = None) -> None:
        if k < 1:
            raise ValueError(f"TopK: expected a k of at least 1, got {k}")
        super().__init__(axis, ignore_index)
        self.k = k

    def add(self, scores: Array, target: Array) -> None:
        """Take in a batch."""
        rows, labels = self._positions(scores, target)
        classes, label = rows.shape[1], labels[:, None]
        if self.k > classes:
            raise ShapeError(f"TopK: expected at least {self.k} classes, got {classes}")
        own = np.take_along_axis(rows, label, axis=1)
        ahead = (rows > own) | ((rows == own) & (np.arange(classes) < label))
        hits = (ahead.sum(axis=1) < self.k) & ~with_nan(rows)
        self._count(int(hits.sum()), hits.size)


def with_nan(rows: Array) -> Array:
    """Which rows have a nan among them."""
    return np.isnan(rows.max(axis=1))
