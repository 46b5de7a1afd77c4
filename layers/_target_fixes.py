"""What to suggest to someone whose labels a loss refuses."""

from __future__ import annotations

from .param import Array


def alike(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes differ in axes of length 1 only."""
    return [n for n in shape if n != 1] == [n for n in other if n != 1]


def fix_labels(labels: Array, shape: tuple[int, ...], classes: int) -> str:
    """How to make integer labels of ``shape`` of these; empty if that is not obvious."""
    cast = ".astype(int)" if labels.dtype.kind in "fb" else ""
    if labels.shape == shape:
        return f"; pass labels{cast}" if cast else ""
    if alike(labels.shape, shape):
        return f"; pass labels.reshape{shape}{cast}"
    # One-hot: there is one axis more, as long as there are classes; most likely axis 1.
    for axis in (*range(1, labels.ndim), 0):
        if labels.shape[axis : axis + 1] == (classes,) and labels.shape[:axis] + labels.shape[axis + 1 :] == shape:
            return f"; if they are one-hot, pass labels.argmax(axis={axis})"
    return "; probabilities, for a loss that takes them, have the scores' shape" if cast else ""


def fix_range(labels: Array, classes: int) -> str:
    """What labels that are no class may mean."""
    low, high = int(labels.min()), int(labels.max())
    if low >= 1 and high == classes:
        return "if they begin at 1, pass labels - 1"
    if (low, high, classes) == (-1, 1, 2):
        return "if they are -1 and 1, pass (labels + 1) // 2"
    return "are there fewer outputs than classes, or positions to be left out by ignore_index?"
