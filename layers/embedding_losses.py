"""Losses of distances between samples that one net, or tied twins of it, have embedded."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._numerics import row_sum
from .errors import ShapeError
from .loss import Loss
from .param import Array


class Contrastive(Loss):
    """L_i = d^2 / 2 for a similar pair, max(margin - d, 0)^2 / 2 for another, d = |a_i - b_i|  [Caffe's].

    dL_i/da_i = a_i - b_i if similar, else -max(margin - d, 0) (a_i - b_i) / d (0 where d = 0), and
    dL_i/db_i = -dL_i/da_i. Similar pairs attract; others repel until they are a margin apart. Hadsell,
    Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", 2006.

    a and b are (N, D); similar holds N integers, 0 or 1; weights are (N,).

    Raises
    ------
    ShapeError
        If a and b are not matrices of one shape.
    LabelError
        If ``similar`` is of another shape, not integer, or not 0 or 1.
    """

    backward_uses = ()

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, a: Array, b: Array, similar: Any, weight: Any = None) -> float:
        c = self.cache
        a, b = _embeddings(self, a, b)
        same = self.check_labels(similar, a.shape[:1], 2).astype(a.dtype)
        d, c.away = _distance(a, b)
        lack = np.maximum(self.margin - d, 0)
        c.slope = same * d - (1 - same) * lack
        return self.reduce((same * d * d + (1 - same) * lack * lack) / 2, weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array]:
        c = self.cache
        da = c.away * (c.slope * self.scale(dloss))[:, None]
        return da, -da


class Triplet(Loss):
    """L_i = max(0, d(a_i, p_i) - d(a_i, n_i) + margin),  d the Euclidean distance, or its square.

    Where L_i > 0, dL_i/dp_i = -d'(a_i, p_i), dL_i/dn_i = d'(a_i, n_i), and dL_i/da_i is minus their sum;
    d'(x, y) = (x - y) / d (0 where d = 0), or 2 (x - y) for the square. A positive shall be nearer to its
    anchor than a negative, by a margin. Schroff, Kalenichenko and Philbin, "FaceNet", 2015 (squared).

    anchor, positive and negative are (N, D); weights are (N,).

    Parameters
    ----------
    margin : float
    squared : bool
        Compare squared distances.

    Raises
    ------
    ShapeError
        If the three are not matrices of one shape.
    """

    backward_uses = ()

    def __init__(self, margin: float = 1.0, squared: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin, self.squared = margin, squared

    def forward(self, anchor: Array, positive: Array, negative: Array, weight: Any = None) -> float:
        c = self.cache
        anchor, positive, negative = _embeddings(self, anchor, positive, negative)
        near, c.from_positive = _distance(anchor, positive, self.squared)
        far, c.from_negative = _distance(anchor, negative, self.squared)
        losses = np.maximum(near - far + self.margin, 0)
        c.active = (losses > 0).astype(losses.dtype)
        return self.reduce(losses, weight)

    def backward(self, dloss: float = 1.0) -> tuple[Array, Array, Array]:
        c = self.cache
        scale = (c.active * self.scale(dloss))[:, None]
        dp, dn = -c.from_positive * scale, c.from_negative * scale
        return -dp - dn, dp, dn


def _distance(x: Array, y: Array, squared: bool = False) -> tuple[Array, Array]:
    """Return |x - y| or its square, row by row, and the gradient of that by x."""
    d = x - y
    square = row_sum(d * d)
    if squared:
        return square, 2 * d
    length = np.sqrt(square)
    return length, d / np.where(length == 0, 1, length)[:, None]


def _embeddings(loss: Loss, *inputs: Array) -> list[Array]:
    """Check that they are matrices of one shape; return them in the dtype of the first."""
    shapes = [x.shape for x in inputs]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        fix = "; images need a Flatten()" if len(shapes[0]) > 2 else ""
        raise ShapeError(
            f"{loss.where}: expected embeddings of one shape (N, D), got {', '.join(map(str, shapes))}{fix}"
        )
    return [x.astype(inputs[0].dtype, copy=False) for x in inputs]
