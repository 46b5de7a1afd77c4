"""``Sequential``: a chain of layers that is itself a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from handbrew.layers import Cache, Layer, Loss, ShapeError, refuse_reuse

from .errors import EmptyNetError, place_note
from .net import Net
from .plan import BackwardPlan, plan_backward

Array = np.ndarray[Any, np.dtype[Any]]


class Sequential(Net):
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
        self._backward_plan: BackwardPlan | None = None
        self.takes_target = self._head is not None
        self.input_grad = not self.takes_target

    @property
    def children(self) -> dict[str, Layer]:  # type: ignore[override]
        """The layers by name."""
        return dict(zip(self._names, self.layers, strict=True))

    def config(self) -> dict[str, Any]:
        """The layers as they are now, and the seed."""
        return {"layers": list(self.layers)} | ({} if self.seed is None else {"seed": self.seed})

    def tied(self) -> Self:
        """Return a chain of the layers' twins."""
        twin = super().tied()
        twin._set_layers(twin.layers)
        return twin

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
        x = self.enter(x)
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
        upper, lowest = (self._body[::-1], None) if wanted else self._plan()[:2]
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

    def _check_dy(self, dy: Any) -> Array:
        shape = self.cache.scores_shape
        if dy is None:
            raise ShapeError(
                f"{self.where}: forward had no target and returned scores of shape {shape}; backward needs their gradient"
            )
        if np.shape(dy) != shape:
            raise ShapeError(f"{self.where}: forward returned shape {shape}, but dy has shape {np.shape(dy)}")
        return dy

    def _plan(self) -> BackwardPlan:
        if self._backward_plan is None or not self._backward_plan.holds():
            self._backward_plan = plan_backward(self._body)
        return self._backward_plan

    def replace(self, name: str, layer: Layer) -> None:
        """Put ``layer`` in the place, and under the name, of the one called ``name``.

        The others keep their parameters; a solver notices at its next step.
        """
        if name not in self._names:
            raise KeyError(f"{self.where}: no layer is called {name!r}; there are {', '.join(self._names)}")
        self.replacing()
        before = self.layers
        for known, old in self.children.items():
            old.named(known)  # so that the others keep theirs
        self._set_layers([layer.named(name) if old._name == name else old for old in before])
        if self._seed is not None:
            self.place(self._seed, self._path, self.where)
        if self.in_shape is not None:
            try:
                self.out_shape = type(self).build(self, self.in_shape)
            except ShapeError:
                self._set_layers(before)
                raise


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
