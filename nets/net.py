"""``Net``: what every kind of net can do with its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np

from handbrew.data import Dataset
from handbrew.layers import Layer, Loss, ShapeError, inference

from .evaluation import Evaluation, evaluate, pieces
from .metrics import Metric
from .profile import Profile, profile
from .saving import load_into, save
from .summary import Summary, summary

Array = np.ndarray[Any, np.dtype[Any]]


class Net(Layer):
    """A layer made of layers, with everything one does to a model as a whole."""

    @property
    def loss(self) -> Loss | None:
        """The loss that the net ends in."""
        raise NotImplementedError

    def backward(self, dy: Any = None, input_grad: bool | None = None) -> Any:
        """Return dx where it is wanted; ``dy`` is the gradient of forward's output, 1.0 for a loss."""
        raise NotImplementedError

    def enter(self, x: Any) -> Array:
        """Return ``x`` as an array, floating-point numbers and uint8 cast to the parameters' dtype."""
        try:
            dtype = x.dtype
        except AttributeError:
            x = np.asarray(x)
            dtype = x.dtype
        if dtype != self.dtype and (dtype.kind == "f" or dtype == np.uint8):
            x = x.astype(self.dtype)
        return x

    def check_dloss(self, dy: Any) -> float:
        """Return the gradient of a loss, which is one number."""
        if np.ndim(dy):
            raise ShapeError(
                f"{self.where}: forward returned the loss, so its gradient is one number, got shape {np.shape(dy)}"
            )
        return float(dy)

    def check_dy(self, dy: Any, shape: tuple[int, ...]) -> Array:
        """Return the gradient of an output of ``shape``, in the parameters' dtype."""
        if dy is None:
            raise ShapeError(
                f"{self.where}: forward returned an output of shape {shape}, not a loss; backward needs its gradient"
            )
        if np.shape(dy) != shape:
            raise ShapeError(f"{self.where}: forward returned shape {shape}, but dy has shape {np.shape(dy)}")
        dy = self.enter(dy)
        return dy if dy.dtype == self.dtype else dy.astype(self.dtype)

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """Return what the net says of ``X``, in evaluation mode: what ``loss.predict`` makes of the scores.

        It runs on a scratch cache; a pending ``backward`` stays possible. ``batch_size`` bounds memory.
        """
        X = np.asarray(X)
        batches = [slice(None)] if batch_size is None else pieces(len(X), batch_size)
        with inference(self):
            parts = [self._infer(X[piece]) for piece in batches or [slice(None)]]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _infer(self, x: Array) -> Array:
        scores = self.forward(x)
        return scores if self.loss is None else self.loss.predict(scores)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        batch_size: int = 256,
        *,
        weight: Any = None,
        metrics: Iterable[Metric] | Mapping[str, Metric] = (),
    ) -> Evaluation:
        """Return loss and accuracy over all samples, in evaluation mode on a scratch cache.

        ``net.evaluate(dataset)`` takes a ``Dataset``'s own targets and weights.

        Parameters
        ----------
        weight : array (N,), or one number per position of the loss
            What each counts for in the loss; in nothing else.
        metrics : objects with ``reset``, ``add`` and ``value``, or a dict of them
            Each is reset, then fed all samples; read its ``value`` afterwards.
        """
        if isinstance(X, Dataset):
            if y is not None or weight is not None:
                raise TypeError(f"{self.where}: a Dataset brings its own y and weight; expected evaluate(dataset)")
            X, y, weight = X.X, X.y, X.weight
        elif y is None:
            raise TypeError(f"{self.where}: evaluate needs targets: evaluate(X, y), or evaluate(dataset)")
        weight = None if weight is None else np.asarray(weight)
        if not isinstance(metrics, Iterable):
            raise TypeError(f"{self.where}: expected metrics=[…] or a dict, got {metrics!r}")
        measures = tuple(metrics.values() if isinstance(metrics, Mapping) else metrics)
        return evaluate(self, np.asarray(X), np.asarray(y), batch_size, weight, measures)

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters, buffers and architecture to a ``.safetensors`` or ``.npz`` file, atomically.

        ``load_net(path)`` makes the net again; ``net.load(path)`` reads the arrays into a net that is there.
        A layer is saved as its class's name and its constructor's arguments, with the present values of
        attributes that bear an argument's name; generators, modes and gradients are not saved.

        Raises
        ------
        NotBuiltError
            If the net has no parameters yet.
        TypeError
            If an argument is no data: a function, say.
        """
        save(self, path)

    def load(self, path: str | PathLike[str]) -> None:
        """Read parameters and buffers from a safetensors or npz file.

        Raises
        ------
        FileFormatError
            If the file is damaged.
        StateError
            If it is another net's: every difference is listed, and nothing has been changed.
        """
        load_into(self, path)

    def summary(self, in_shape: Any = None) -> Summary:
        """Return a table of shapes, parameters, operations and bytes; ``in_shape`` builds the net."""
        if in_shape is not None:
            self.build(in_shape)
        return summary(self)

    def profile(self, X: Any, y: Any = None, repeats: int = 20) -> Profile:
        """Return a table of the time each layer takes, forward and backward, as medians of whole passes.

        It runs on a copy of the net: nothing of the net itself changes.
        """
        return profile(self, X, y, repeats)
