"""Class weights for labels of unequal frequency."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def balanced_weights(labels: ArrayLike, classes: int | None = None) -> NDArray[np.float64]:
    """w_k = N / (K n_k), for K classes with n_k of the N labels each: what `class_weight` takes.

    Every class then counts the same in the loss, however rare, and the labels' mean weight is 1, so that the
    learning rate need not change. Scikit-learn calls these weights "balanced"; after G. King and L. Zeng, "Logistic
    Regression in Rare Events Data", 2001.

    - `labels`: integers from 0 on, of any shape. Leave out those that the loss ignores: `labels[labels != 255]`.
    - `classes`: how many the net knows, the length of the result; by default as many as the largest label asks for.
      A class without labels gets 1, as an average label does, and is not among the K.

    Raises ValueError for labels that are no integers or out of range, and if there are none.

    >>> balanced_weights([0, 0, 0, 1])
    array([0.66666667, 2.        ])
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or not labels.size:
        raise ValueError(f"labels: expected integers, at least one, got {labels.dtype} of shape {labels.shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (classes is not None and high >= classes):
        limit = "on" if classes is None else f"to {classes - 1}"
        raise ValueError(
            f"labels: expected numbers from 0 {limit}, got {low} to {high}; leave out what the loss ignores, "
            f"like labels[labels != {low if low < 0 else high}]"
        )
    counts = np.bincount(labels.ravel().astype(np.intp, copy=False), minlength=classes or 0)
    there = counts > 0
    return np.divide(labels.size, there.sum() * counts, out=np.ones(len(counts)), where=there)
