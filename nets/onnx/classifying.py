"""Softmax along any axis, the losses of classifiers as operators, and dropout that tells its mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import LabelError, ShapeError

from .base import Array, OnnxLayer, counted


def log_softmax(x: Array, axes: tuple[int, ...]) -> Array:
    """Return x - log(sum of exp(x)), the maximum being subtracted first."""
    y = x - x.max(axes, keepdims=True)
    return y - np.log(np.exp(y).sum(axes, keepdims=True))


class OnnxSoftmax(OnnxLayer):
    """y = softmax of x along ``axis``, which may be 0, or its logarithm; dx as for ``Softmax`` and ``LogSoftmax``.

    Parameters
    ----------
    axis : int
    log : bool
        The logarithm  [ONNX: LogSoftmax].
    onwards : bool
        Along this axis and all later ones together, as ONNX had it before version 13.
    """

    backward_uses = ("output",)

    def __init__(self, axis: int = -1, log: bool = False, onwards: bool = False) -> None:
        self.axis, self.log, self.onwards = axis, log, onwards

    def forward(self, x: Array) -> Array:
        c = self.cache
        if self.onwards and self.axis == x.ndim:
            c.axes = ()
        else:
            (at,) = counted((self.axis,), x.ndim, self.where)
            c.axes = tuple(range(at, x.ndim)) if self.onwards else (at,)
        y = log_softmax(x, c.axes)
        c.y = y if self.log else np.exp(y)
        return c.y

    def backward(self, dy: Array) -> Array:
        y, axes = self.cache.y, self.cache.axes
        if self.log:
            return dy - np.exp(y) * dy.sum(axes, keepdims=True)
        return y * (dy - (y * dy).sum(axes, keepdims=True))


class OnnxNegativeLogLikelihood(OnnxLayer):
    """L_i = -w_y log p_i[y],  y the label, the second input;  dL_i/dlog p_i[y] = -w_y and 0 elsewhere.

    log p is (N, C, …), the labels are (N, …), a third input has a weight w for each class. What
    ``NegativeLogLikelihood`` does as a loss at the end of a net, as an operator anywhere.

    Parameters
    ----------
    reduction : "mean", "sum" or "none"
        The mean divides by the sum of the w_y.
    ignore_index : int, optional
        Positions of this label count for nothing.

    Raises
    ------
    LabelError
        If a label is of no class.
    """

    backward_uses = ("input",)

    def __init__(self, reduction: str = "mean", ignore_index: int | None = None) -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f'{type(self).__name__}: expected "mean", "sum" or "none", got {reduction!r:.40}')
        self.reduction, self.ignore_index = reduction, ignore_index

    def forward(self, scores: Array, labels: Array, weight: Array | None = None) -> Any:
        return self.likelihood(scores, labels, weight)

    def backward(self, dy: Any) -> Any:
        dscores = self.picked(dy)
        return (dscores, None) if self.cache.weight is None else (dscores, None, None)

    def likelihood(self, log_p: Array, labels: Array, weight: Array | None) -> Array:
        """The losses, reduced."""
        c = self.cache
        if log_p.ndim < 2 or labels.shape != (len(log_p), *log_p.shape[2:]) or labels.dtype.kind not in "iu":
            raise ShapeError(
                f"{self.where}: expected integer labels, one for each position of scores of shape {log_p.shape}, "
                f"got {labels.dtype} of shape {labels.shape}"
            )
        counted_ = np.ones(labels.shape, bool) if self.ignore_index is None else labels != self.ignore_index
        found = np.where(counted_, labels, 0)
        if found.size and not 0 <= found.min() <= found.max() < log_p.shape[1]:
            raise LabelError(
                f"{self.where}: expected labels from 0 to {log_p.shape[1] - 1}, got {found.min()} to {found.max()}"
            )
        c.labels, c.weight, c.shape = found[:, None], weight, log_p.shape
        c.w = counted_.astype(log_p.dtype) * (1 if weight is None else weight[found])
        losses = -c.w * np.take_along_axis(log_p, c.labels, 1)[:, 0]
        total = c.w.sum()
        c.scale = log_p.dtype.type(1 / total if self.reduction == "mean" and total else 1)
        return losses if self.reduction == "none" else np.asarray(losses.sum() * c.scale, log_p.dtype)

    def picked(self, dy: Any) -> Array:
        """The gradient of log p."""
        c = self.cache
        grads = np.zeros(c.shape, c.w.dtype)
        np.put_along_axis(grads, c.labels, (-c.w * dy * c.scale)[:, None], 1)
        return grads


class OnnxSoftmaxCrossEntropy(OnnxNegativeLogLikelihood):
    """L_i = -w_y log p_i[y],  p = softmax(s),  y the label;  dL_i/ds_i = w_y (p_i - onehot(y)).

    What ``SoftmaxCrossEntropy`` does as a loss at the end of a net, as an operator anywhere; shapes and arguments are
    those of ``OnnxNegativeLogLikelihood``. ``log_probabilities`` adds log p to the outputs.
    """

    def __init__(
        self, reduction: str = "mean", ignore_index: int | None = None, log_probabilities: bool = False
    ) -> None:
        super().__init__(reduction, ignore_index)
        self.log_probabilities = log_probabilities

    def forward(self, scores: Array, labels: Array, weight: Array | None = None) -> Any:
        c = self.cache
        log_p = log_softmax(scores, (1,))
        loss = self.likelihood(log_p, labels, weight)
        c.p = np.exp(log_p)
        return (loss, log_p) if self.log_probabilities else loss

    def backward(self, dy: Any) -> Any:
        c = self.cache
        g = self.picked(dy[0]) + dy[1] if self.log_probabilities else self.picked(dy)
        dscores = g - c.p * g.sum(axis=1, keepdims=True)
        return (dscores, None) if c.weight is None else (dscores, None, None)


class OnnxDropout(OnnxLayer):
    """y = x m,  dx = dy m;  m as in ``Dropout``, so 1 in use, and with ``mask`` m != 0 as a second output.

    A second input is the rate, if it has an element, and a third one says whether m is random, in use too.
    """

    backward_uses = ()

    def __init__(self, rate: float = 0.5, mask: bool = False) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"OnnxDropout: expected a rate in [0, 1), got {rate}")
        self.rate, self.mask = float(rate), mask

    def forward(self, x: Array, rate: Array | None = None, active: Array | None = None) -> Any:
        c = self.cache
        p = float(rate.reshape(-1)[0]) if rate is not None and rate.size else self.rate
        random = bool(active.reshape(-1)[0]) if active is not None and active.size else self.training
        if not 0 <= p < 1:
            raise ShapeError(f"{self.where}: expected a rate in [0, 1), got {p}")
        kept = self.rng.random(x.shape) >= p if random else np.ones(x.shape, bool)
        c.factor, c.given = kept * x.dtype.type(1 / (1 - p) if random else 1), (rate, active)
        return (x * c.factor, kept) if self.mask else x * c.factor

    def backward(self, dy: Any) -> Any:
        c = self.cache
        dx = (dy[0] if self.mask else dy) * c.factor
        further = [np.zeros_like(a) if a.dtype.kind == "f" else None for a in c.given if a is not None]
        return (dx, *further) if further else dx
