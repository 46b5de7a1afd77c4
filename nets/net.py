"""``Net``: what every kind of net can do with its layers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np

from handbrew.data import Dataset
from handbrew.layers import Cache, Layer, LayerReuseError, Loss, ShapeError, Tree, inference, worker_threads

from .evaluation import Evaluation, evaluate, pieces
from .metrics import Metric
from .naming import check_member
from .profile import Profile, profile
from .saving import load_into, save
from .summary import Summary, summary

Array = np.ndarray[Any, np.dtype[Any]]


@contextmanager
def at_work(tree: Tree) -> Iterator[None]:
    """Turn ``worker_threads`` on, once for all nets in the tree."""
    tree.at_work = True
    try:
        with worker_threads():
            yield
    finally:
        tree.at_work = False


def adapt(layer: Layer, shape: Any) -> Any:
    """Build a layer for a shape; one without arrays adapts to another, the others refuse it."""
    if layer.in_shape not in (None, shape):
        parts = [part for _, part in layer.walk()]
        if not any(part._shared.params or part._shared.buffers for part in parts):
            for part in parts:
                part.unbuild()
    return layer.build(shape)


class Net(Layer):
    """A layer made of layers, with everything one does to a model as a whole.

    Attributes
    ----------
    open_shape : tuple or None
        The input's shape without the batch axis, with ``None`` for sizes that the model in a file left open.
    """

    open_shape: Any = None
    several_inputs: tuple[str, ...] = ()  # their names, where there is more than one that is no target

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in the order of running; ``replace`` changes them."""
        raise NotImplementedError

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

    def predict(self, X: Any, batch_size: int | None = None) -> Any:
        """Return what the net says of ``X``, in evaluation mode: what ``loss.predict`` makes of the scores.

        Of a net with several inputs ``X`` is a tuple of arrays, or a dict; several outputs come as a tuple. It runs
        on a scratch cache; a pending ``backward`` stays possible. ``batch_size`` bounds memory.
        """
        arrays = self.samples(X)
        batches = [slice(None)] if batch_size is None else pieces(len(arrays[0]), batch_size)
        with inference(self):
            parts = [self._infer(*[x[piece] for x in arrays]) for piece in batches or [slice(None)]]
        if isinstance(parts[0], tuple):  # several outputs
            return tuple(map(np.concatenate, zip(*parts, strict=True))) if len(parts) > 1 else parts[0]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def samples(self, X: Any) -> tuple[Array, ...]:
        """Return what ``predict`` is given as one array for each input.

        Raises
        ------
        ShapeError
            If there are more or fewer than inputs, or not equally many samples in each.
        """
        names = self.several_inputs
        if not names:
            try:
                return (np.asarray(X),)
            except ValueError as error:  # of arrays that have different shapes NumPy makes none
                given = f"a {type(X).__name__} of {len(X)}"
                raise ShapeError(f"{self.where}: expected one array of samples, got {given}") from error
        if isinstance(X, Mapping) and X.keys() == {*names}:
            X = [X[name] for name in names]
        if not isinstance(X, (tuple, list)) or len(X) != len(names):
            raise ShapeError(f"{self.where}: expected a tuple of {len(names)} arrays, {', '.join(names)}")
        arrays = tuple(map(np.asarray, X))
        if len({len(x) for x in arrays}) > 1:
            raise ShapeError(f"{self.where}: expected as many samples in each input, got {[len(x) for x in arrays]}")
        return arrays

    def _infer(self, *inputs: Array) -> Any:
        scores = self.scores(*inputs)
        return scores if self.loss is None else self.loss.predict(scores)

    def scores(self, *inputs: Array) -> Any:
        """Return what the loss reads of the net when it is given these; the output, of a net without loss."""
        return self.forward(*inputs)

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
        return evaluate(self, self.samples(X), np.asarray(y), batch_size, weight, measures)

    def replace(self, name: str, layer: Layer) -> None:
        """Put ``layer`` in the place, and under the name, of the one called ``name``.

        The others keep their parameters and names; a solver notices at its next step. Layers without
        arrays adapt to another output shape.

        Raises
        ------
        KeyError
            If no layer bears the name.
        ShapeError
            If the layers after it were built for another shape; the net is then as it was.
        """
        children = self.children
        if name not in children:
            raise KeyError(f"{self.where}: no layer is called {name!r}; there are {', '.join(children)}")
        check_member(layer, list(children).index(name))
        if any(part is layer for part in self.layers if part is not children[name]):
            raise LayerReuseError(f"{self.where}: {layer!r} stands in this net already; tied() shares weights")
        trial, twin = copy.deepcopy((self, layer))
        trial._replace(name, twin)  # one that does not fit raises here
        self._replace(name, layer)

    def _replace(self, name: str, layer: Layer) -> None:
        children = self.children | {name: layer}
        self._set_layers([child.named(known) for known, child in children.items()])
        self.cache = Cache(type(self).__name__)
        if self.in_shape is not None:
            self._rebuild(self.in_shape)

    def _set_layers(self, layers: Sequence[Any]) -> None:
        """Take these layers in place of those that are there."""
        raise NotImplementedError

    def _rebuild(self, shape: Any) -> None:
        """Build what is new, for an input of this shape."""
        raise NotImplementedError

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

    def load(
        self,
        path: str | PathLike[str],
        names: Mapping[str, str] | None = None,
        torch_names: bool | Mapping[str, str] | None = None,
    ) -> None:
        """Read parameters and buffers from a safetensors or npz file.

        Parameters
        ----------
        names : dict, optional
            The file's names by ours, ``{"fc.W": "classifier"}``; what it leaves out has ours.
        torch_names : bool or dict, optional
            The file is a state dict of PyTorch: ``fc.weight`` is our ``fc.W``, a Linear's is transposed, and so on.
            Modules are called as our layers, or numbered from 0 as in ``nn.Sequential``; a dict says which layer
            (its path, ``""`` for the net itself) another name means, and what is below it follows.

        Raises
        ------
        FileFormatError
            If the file is damaged.
        NotBuiltError
            If the net has no parameters yet, and the file no architecture or other names.
        StateError
            If it is another net's: every difference is listed, and nothing has been changed.
        TypeError
            If ``names`` or ``torch_names`` is, or holds, something else.
        """
        load_into(self, path, names, torch_names)

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
