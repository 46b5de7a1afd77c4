"""Samples with their labels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .shuffle import shuffled


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples `X` with what a net should answer, `y`; unpacks as `X, y = dataset`.

    - `X`: shape (N, ...), samples along axis 0.
    - `y`: labels, integers of any kind, kept as int64 of shape (N,); or float targets, shape (N, ...).
    - `classes`: names of the labels 0, 1, ...; None if they have none or the targets are floats.
    - `name`: what to call the data in a report.
    - `features`: names of the columns of `X`, where a file gave them.
    - `weight`: what each sample counts for in a loss, float64 (N,), finite and at least 0; None if all count
      the same. A sample of weight 2 counts as if it were there twice.

    Raises ValueError if `X`, `y` and `weight` differ in length, a label has no name in `classes`, or a weight
    is no such number.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    classes: tuple[str, ...] | None = None
    name: str = ""
    features: tuple[str, ...] | None = None
    weight: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        X, y = np.asarray(self.X), np.asarray(self.y)
        if X.shape[:1] != y.shape[:1] or not X.ndim:
            raise ValueError(f"X has shape {X.shape} and y {y.shape}: axis 0 counts the samples and must be the same")
        if y.dtype.kind in "biu":
            y = y.astype(np.int64, copy=False)
            if self.classes and y.size and not (y.min() >= 0 and y.max() < len(self.classes)):
                raise ValueError(
                    f"the labels run from {y.min()} to {y.max()}, "
                    f"expected 0 to {len(self.classes) - 1}, as {len(self.classes)} classes have names"
                )
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        if self.weight is not None:
            object.__setattr__(self, "weight", _checked(self.weight, len(X)))

    def __len__(self) -> int:
        return len(self.X)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.X, self.y))

    def __repr__(self) -> str:
        name = f" {self.name}" if self.name else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        weighted = "" if self.weight is None else ", weighted"
        return f"<Dataset{name}: X {self.X.shape} {self.X.dtype}, y {self.y.shape} {self.y.dtype}{classes}{weighted}>"

    def take(self, indices: ArrayLike) -> "Dataset":
        """The samples at `indices` (integers or a mask of N booleans), copied, in that order."""
        at = np.asarray(indices)
        weight = None if self.weight is None else self.weight[at]
        return replace(self, X=self.X[at], y=self.y[at], weight=weight)

    def split(self, fraction: float = 0.2, seed: int = 0) -> tuple["Dataset", "Dataset"]:
        """`(rest, held_out)`: two data sets without a common sample, each in the order it had.

        `held_out` gets `round(fraction * N)` samples drawn at random. With labels of shape (N,), each class
        gives its share, to within one sample. Same seed, same split, on every machine and with every NumPy.
        Raises ValueError if one side would be empty.
        """
        n, held = len(self), round(fraction * len(self))
        if not 0 < held < n:
            raise ValueError(
                f"split({fraction}) of {n} samples leaves one side empty; take more samples, or another fraction"
            )
        order = shuffled(n, seed)
        if self.y.dtype.kind == "i" and self.y.ndim == 1:
            order = order[self.y[order].argsort(kind="stable")]  # by class, shuffled within it
        # Spread evenly over that order, `held` places also fall evenly on the classes.
        steps = np.arange(n + 1) * held // n
        mask = np.zeros(n, dtype=bool)
        mask[order] = steps[1:] > steps[:-1]
        return self.take(~mask), self.take(mask)


def _checked(weight: ArrayLike, samples: int) -> NDArray[np.float64]:
    weight = np.asarray(weight)
    if weight.shape != (samples,) or weight.dtype.kind not in "biuf":
        raise ValueError(
            f"weight: expected {samples} numbers, one per sample, got {weight.dtype} of shape {weight.shape}"
        )
    weight = weight.astype(np.float64, copy=False)
    wrong = ~((weight >= 0) & np.isfinite(weight))
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            f"weight: expected finite numbers of at least 0, got {weight[at]:g} for sample {at} "
            f"({wrong.sum()} of {samples} are wrong); a weight of 0 leaves a sample out"
        )
    return weight
