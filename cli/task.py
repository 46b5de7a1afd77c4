"""What a net was made for: all that is needed to read new samples as the training set was read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from handbrew.data import Dataset

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Scale:
    """z = (x - mean) / deviation, column by column, with the figures of a training set."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, X: Array) -> Self:
        """The scale that gives each column mean 0 and variance 1; constant columns become 0."""
        constant = X.max(axis=0) == X.min(axis=0)
        mean = np.where(constant, X[0], X.mean(axis=0, dtype=np.float64))
        deviation = np.where(constant, 1, X.std(axis=0, dtype=np.float64))
        return cls(tuple(mean.tolist()), tuple(deviation.tolist()))

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Undo ``dataclasses.asdict`` and a passage through JSON."""
        return cls(tuple(entry["mean"]), tuple(entry["deviation"]))

    def apply(self, X: Array) -> Array:
        """Scale the columns of ``X``."""
        return ((X - np.array(self.mean)) / np.array(self.deviation)).astype(np.float32)

    def undo(self, Z: Array) -> Array:
        """The columns in their own units again, float64."""
        return Z * np.array(self.deviation) + np.array(self.mean)


@dataclass(frozen=True)
class Task:
    """The shape of a sample, the names of features and classes, and the scales of a table.

    ``classes`` is ``None`` where the net learns quantities (regression); their scale is ``target_scale``.
    """

    in_shape: tuple[int, ...]
    outputs: int
    classes: tuple[str, ...] | None
    features: tuple[str, ...] | None
    scale: Scale | None
    target_scale: Scale | None

    @classmethod
    def of(cls, train: Dataset, held_out: Dataset) -> Self:
        """What the data say of themselves."""
        in_shape = train.X.shape[1:] or (1,)
        scale = Scale.of(train.X) if _is_table(train) else None
        if train.y.dtype.kind == "f":
            target = _columns(train.y)
            return cls(in_shape, target.shape[1], None, train.features, scale, Scale.of(target))
        classes = train.classes or _numbered(np.concatenate([train.y, held_out.y]))
        return cls(in_shape, len(classes), classes, train.features, scale, None)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Undo ``dataclasses.asdict`` and a passage through JSON."""
        classes, features, scale, target_scale = (
            entry[name] for name in ("classes", "features", "scale", "target_scale")
        )
        return cls(
            tuple(entry["in_shape"]),
            int(entry["outputs"]),
            None if classes is None else tuple(classes),
            None if features is None else tuple(features),
            None if scale is None else Scale.from_json(scale),
            None if target_scale is None else Scale.from_json(target_scale),
        )

    @property
    def what(self) -> str:
        """What the outputs are."""
        return "classes" if self.classes is not None else "quantity" if self.outputs == 1 else "quantities"

    def inputs(self, X: Array, source: str) -> Array:
        """Samples as the net takes them; ``source`` is what an error calls them.

        Raises
        ------
        ValueError
            If a sample has another number of elements.
        """
        features = math.prod(self.in_shape)
        if X.dtype.kind not in "biuf" or not X.ndim or math.prod(X.shape[1:]) != features:
            raise ValueError(
                f"{source}: samples have shape {X.shape[1:]} of {X.dtype}, "
                f"but the net takes {self.in_shape}, which is {features} numbers"
            )
        X = X.reshape(len(X), *self.in_shape)
        return self.scale.apply(X) if self.scale else X.astype(np.float32, copy=False)

    def targets(self, y: Array) -> Array:
        """Labels or numbers as the net's loss takes them."""
        return y if self.target_scale is None else self.target_scale.apply(_columns(y))

    def quantities(self, y: Array) -> Array:
        """A regression's targets, (N, outputs), in their own units."""
        return _columns(y).astype(np.float64)


def _is_table(data: Dataset) -> bool:
    """Whether samples are rows of quantities: not images, nor pixels from 0 to 1 in a row."""
    return bool(data.features) or (data.X.ndim == 2 and not (data.X.min() >= 0 and data.X.max() <= 1))


def _columns(y: Array) -> Array:
    return y.reshape(len(y), -1)


def _numbered(labels: Array) -> tuple[str, ...]:
    if labels.min() < 0:
        raise ValueError(f"labels are 0, 1, …, but the smallest here is {labels.min()}")
    return tuple(map(str, range(int(labels.max()) + 1)))
