"""``Sequential``: a chain of layers that is itself a layer."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import Cache, Layer, Loss, Param, ShapeError, inference, refuse_reuse

from .errors import EmptyNetError, place_note
from .evaluation import Evaluation, evaluate
from .profile import Profile, profile
from .saving import load_into, save
from .summary import Summary, summary

Array = np.ndarray[Any, np.dtype[Any]]


class Sequential(Layer):
    """y = f_n(… f_2(f_1(x)));  dx = the layers' ``backward`` in reverse order.

    A chain that ends in a loss (or in a ``Sequential`` that does) takes the target too::

        loss = net.forward(X, y)
        net.backward()

    Without a target, ``net.forward(X)`` stops before the loss and returns the scores, and
    ``net.backward(dscores)`` starts there. The input is cast once, at the entry: floating-point numbers
    and uint8 to the parameters' dtype.

    Layers bear names, counted per class (``affine1``, ``relu1``, ``affine2``) or given by
    ``Affine(3).named("fc")``; parameters are addressed ``net.params["fc.W"]``.

    Parameters
    ----------
    *layers : Layer
    seed : int, optional
        Of all random numbers below; without one, the enclosing net's, and 0 at the top.

    Raises
    ------
    EmptyNetError
        Without layers.
    LayerReuseError
        If one object stands in two places; ``tied()`` shares weights.
    """

    def __init__(self, *layers: Layer, seed: int | None = None) -> None:
        self.seed = seed
        self._set_layers(layers)

    def _set_layers(self, layers: Sequence[Layer]) -> None:
        if not layers:
            raise EmptyNetError(
                "Sequential: a net needs at least one layer, like Sequential(Affine(10), ReLU())"
            )
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                hint = "; write it with parentheses" if isinstance(layer, type) else ""
                raise TypeError(f"Sequential: expected layers, got {layer!r} in place {i}{hint}")
            if layer.takes_target and i < len(layers) - 1:
                raise ShapeError(
                    f"Sequential: {layer!r} ends in a loss, so it must be the last layer, not number {i}"
                )
        self.layers = tuple(layers)
        self._names = _names(layers)
        refuse_reuse(self)
        self._head = layers[-1] if layers[-1].takes_target else None
        self._body = self.layers[:-1] if self._head else self.layers
        self._backward_plan: _BackwardPlan | None = None
        self.takes_target = self._head is not None
        self.input_grad = not self.takes_target

    @property
    def children(self) -> dict[str, Layer]:  # type: ignore[override]
        """The layers by name."""
        return dict(zip(self._names, self.layers, strict=True))

    def config(self) -> dict[str, Any]:
        """The layers as they are now, and the seed."""
        return {"layers": list(self.layers)} | ({} if self.seed is None else {"seed": self.seed})

    def build(self, in_shape: Any) -> Any:
        """Build every layer but the loss, each for the shape that the one before returns; return the last."""
        for layer in self._body:
            in_shape = layer.build(in_shape)
        return self._head.build(in_shape) if isinstance(self._head, Sequential) else in_shape

    def _prepare(self, in_shape: Any) -> None:
        """Leave it to the layers' own first forward, where each sees its real input."""

    def _in_shape_of(self, inputs: tuple[Any, ...]) -> Any:
        return np.shape(inputs[0])[1:]

    def _out_shape_of(self, output: Any) -> Any:
        return self.cache.scores_shape[1:]

    def flops(self) -> int:
        """The sum of the layers', the loss's left out."""
        return sum(layer.flops() for layer in self._body)

    @property
    def loss(self) -> Loss | None:
        """The loss that the net ends in."""
        return self._head.loss if isinstance(self._head, Sequential) else self._head  # type: ignore[return-value]

    def forward(self, x: Array, target: Array | None = None, weight: Array | None = None) -> Any:
        """Return the output; for a net that ends in a loss, the loss if there is a target, else the scores."""
        x = self._enter(x)
        head = self._head
        layer: Layer = self
        try:
            for layer in self._body:
                x = layer.forward(x)
            self.cache.scores_shape = x.shape
            if head is None:
                if target is not None:
                    raise TypeError(f"{self.where}: got a target, but the net does not end in a loss")
                return x
            layer = head
            self.cache.ends_in_loss = target is not None
            if target is not None:
                return head.forward(x, target) if weight is None else head.forward(x, target, weight)
            if isinstance(head, Sequential):
                x = head.forward(x)
                self.cache.scores_shape = x.shape
            else:
                head.cache = Cache(type(head).__name__)
        except Exception as error:
            # What the layers have cached belongs to two batches now: no backward may use it.
            self.cache = Cache(type(self).__name__)
            place_note(error, layer, x)
            raise
        return x

    def backward(self, dy: Any = None, input_grad: bool | None = None) -> Array | None:
        """Return dx, or ``None`` where it is not wanted, adding each parameter's gradient to ``Param.grad``.

        ``dy`` is the gradient of what ``forward`` returned: 1.0 if that was the loss. A net that ends
        in a loss stops at its lowest trainable layer; ``input_grad=True`` makes it go on to the input.
        """
        c, head = self.cache, self._head
        wanted = self.input_grad if input_grad is None else input_grad
        upper, lowest = (self._body[::-1], None) if wanted else self._plan()
        layer: Layer = self
        try:
            if head is not None and (c.ends_in_loss or isinstance(head, Sequential)):
                layer = head
                if isinstance(head, Sequential):
                    dy = head.backward(dy, input_grad=bool(wanted or upper or lowest))
                else:
                    dy = head.backward(1.0 if dy is None else dy)
                    dy = dy[0] if isinstance(dy, tuple) else dy
            else:
                dy = self._check_dy(dy)
            for layer in upper:
                dy = layer.backward(dy)
            if lowest is not None:
                layer = lowest
                before, lowest.input_grad = lowest.input_grad, False
                try:
                    lowest.backward(dy)
                finally:
                    lowest.input_grad = before
        except Exception as error:
            place_note(error, layer, dy)
            raise
        return dy if wanted else None

    def _enter(self, x: Any) -> Array:
        try:
            dtype = x.dtype
        except AttributeError:
            x = np.asarray(x)
            dtype = x.dtype
        if dtype != self.dtype and (dtype.kind == "f" or dtype == np.uint8):
            x = x.astype(self.dtype)
        return x

    def _check_dy(self, dy: Any) -> Array:
        shape = self.cache.scores_shape
        if dy is None:
            raise ShapeError(
                f"{self.where}: forward had no target and returned scores of shape {shape}; backward needs their gradient"
            )
        if np.shape(dy) != shape:
            raise ShapeError(f"{self.where}: forward returned shape {shape}, but dy has shape {np.shape(dy)}")
        return dy

    def _plan(self) -> tuple[Sequence[Layer], Layer | None]:
        """Return the layers above the lowest trainable one, last first, and that one."""
        plan = self._backward_plan
        if plan is None or not plan.holds():
            plan = self._backward_plan = _plan_backward(self._body)
        return plan.upper, plan.lowest

    def predict(self, X: Any, batch_size: int | None = None) -> Array:
        """Return what the net says of ``X``, in evaluation mode: what ``loss.predict`` makes of the scores.

        It runs on a scratch cache; a pending ``backward`` stays possible. ``batch_size`` bounds memory.
        """
        X = np.asarray(X)
        with inference(self):
            step = batch_size or max(len(X), 1)
            parts = [self._infer(X[i : i + step]) for i in range(0, max(len(X), 1), step)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _infer(self, x: Array) -> Array:
        scores = self.forward(x)
        return scores if self.loss is None else self.loss.predict(scores)

    def evaluate(self, X: Any, y: Array, batch_size: int = 1024) -> Evaluation:
        """Return loss and accuracy over all samples, in evaluation mode on a scratch cache."""
        return evaluate(self, np.asarray(X), np.asarray(y), batch_size)

    def replace(self, name: str, layer: Layer) -> None:
        """Put ``layer`` in the place, and under the name, of the one called ``name``.

        The others keep their parameters; a solver notices at its next step.
        """
        if name not in self._names:
            raise KeyError(f"{self.where}: no layer is called {name!r}; there are {', '.join(self._names)}")
        for _, part in self.walk():
            for p in part._shared.params.values():
                p.touch()
        for known, old in self.children.items():
            old.named(known)  # so that the others keep theirs
        self._set_layers(
            [layer.named(name) if known == name else old for known, old in self.children.items()]
        )
        if self._seed is not None:
            self.place(self._seed, self._path, self.where)
        if self.in_shape is not None:
            self.out_shape = type(self).build(self, self.in_shape)

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters, buffers and architecture to a ``.safetensors`` or ``.npz`` file, atomically.

        ``load_net(path)`` makes the net again; ``net.load(path)`` reads the arrays into a net that is there.
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
        """Return a table of shapes, parameters, operations and bytes; builds the net if ``in_shape`` is given."""
        if in_shape is not None:
            self.build(in_shape)
        return summary(self)

    def profile(self, X: Any, y: Any = None, repeats: int = 20) -> Profile:
        """Return a table of the time each layer takes, forward and backward, as medians of whole steps."""
        return profile(self, X, y, repeats)


class _BackwardPlan(NamedTuple):
    upper: tuple[Layer, ...]
    lowest: Layer | None
    witness: Param | None  # a trainable parameter of the lowest layer
    below: tuple[Param, ...]  # parameters that are frozen, or there are none

    def holds(self) -> bool:
        if self.witness is not None and not self.witness.trainable:
            return False
        return not any(p.trainable for p in self.below)


def _plan_backward(body: tuple[Layer, ...]) -> _BackwardPlan:
    below: list[Param] = []
    for i, layer in enumerate(body):
        params = list(layer.params.values())
        witness = next((p for p in params if p.trainable), None)
        if witness is not None:
            return _BackwardPlan(body[:i:-1], layer, witness, tuple(below))
        below += params
    return _BackwardPlan((), None, None, tuple(below))


def _names(layers: Sequence[Layer]) -> tuple[str, ...]:
    names: list[str] = []
    for layer in layers:
        kind = type(layer).__name__
        count = sum(type(other).__name__ == kind for other in layers[: len(names) + 1])
        names.append(layer._name or f"{kind.lower()}{count}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Sequential: two layers are called {', '.join(sorted(twice))}")
    return tuple(names)
