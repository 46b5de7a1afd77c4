"""``Sequential``: a chain of layers that is itself a layer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from handbrew.layers import (
    Cache,
    Layer,
    Loss,
    ShapeError,
    Softmax,
    SoftmaxCrossEntropy,
    refuse_reuse,
)

from .errors import EmptyNetError, place_note
from .naming import check_member, names_of
from .net import Net, adapt, at_work
from .plan import BackwardPlan, plan_backward

Array = np.ndarray[Any, np.dtype[Any]]


class _Chain(NamedTuple):
    """The layers to run in turn, and the loss (or the net that ends in one) after them."""

    body: tuple[Layer, ...]
    head: Layer | None


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

    A subclass may build its layers in a constructor of its own, and is then saved by that one's arguments.

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

    build_first = False
    _backward_plan: BackwardPlan | None

    def __init__(self, *layers: Layer, seed: int | None = None) -> None:
        if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"Sequential: expected a seed that is an integer from 0 on, got {seed!r}")
        self.seed = seed
        self._set_layers(layers)

    def _set_layers(self, layers: Sequence[Layer]) -> None:
        if not layers:
            raise EmptyNetError("Sequential: a net needs at least one layer, like Sequential(Affine(10), ReLU())")
        for i, layer in enumerate(layers):
            check_member(layer, i)
            if layer.takes_target and i < len(layers) - 1:
                raise ShapeError(f"Sequential: {layer!r} ends in a loss, so it must be the last layer, not number {i}")
        names_of(layers)
        if isinstance(layers[-1], SoftmaxCrossEntropy) and isinstance(layers[-2:][0], Softmax):
            warnings.warn(
                "Sequential: SoftmaxCrossEntropy applies softmax itself, so the Softmax before it is one too many",
                stacklevel=3,
            )
        head = layers[-1] if layers[-1].takes_target else None
        self._layers = tuple(layers)
        self._chain = _Chain(self.layers[:-1] if head is not None else self.layers, head)
        vars(self)["_backward_plan"] = None
        self.takes_target = head is not None
        self.input_grad = not self.takes_target
        refuse_reuse(self)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, first to last; ``replace`` changes them."""
        return self._layers

    @property
    def children(self) -> dict[str, Layer]:  # type: ignore[override]
        """The layers by name."""
        return dict(zip(names_of(self.layers), self.layers, strict=True))

    def config(self) -> dict[str, Any]:
        """The layers as they are now, and the seed; a subclass's own constructor's arguments."""
        if type(self).__init__ is not Sequential.__init__:
            return super().config()
        return {"layers": list(self.layers)} | ({} if self.seed is None else {"seed": self.seed})

    def tied(self) -> Self:
        """Return a chain of the layers' twins."""
        twin = super().tied()
        twin._set_layers(twin.layers)
        return twin

    def build(self, in_shape: Any) -> Any:
        """Build every layer but the loss, each for the shape that the one before returns; return the last."""
        body, head = self._chain
        for layer in body:
            in_shape = layer.build(in_shape)
        return head.build(in_shape) if isinstance(head, Net) else in_shape

    def _in_shape_of(self, inputs: tuple[Any, ...]) -> Any:
        return np.shape(inputs[0])[1:]

    def _out_shape_of(self, output: Any) -> Any:
        return self.cache.scores_shape[1:]

    def flops(self) -> int:
        """The sum of the layers', the loss's left out."""
        return sum(layer.flops() for layer in self.layers if not isinstance(layer, Loss))

    @property
    def loss(self) -> Loss | None:
        """The loss that the net ends in."""
        head: Any = self._chain.head
        return head.loss if isinstance(head, Net) else head

    def forward(self, x: Array, target: Array | None = None, weight: Array | None = None) -> Any:
        """Return the output, or for a net that ends in a loss, with a target: the loss."""
        tree = self.tree
        if tree is not None and tree.uses_threads and not tree.at_work:
            with at_work(tree):
                return Sequential.forward(self, x, target, weight)
        body, head = self._chain
        layer: Layer = self
        try:
            x = self.enter(x)
            if head is None and target is not None:
                raise TypeError(f"{self.where}: got a target, but the net does not end in a loss")
            for layer in body:
                x = layer.forward(x)
            self.cache.scores_shape = x.shape
            if head is None:
                return x
            layer = head
            self.cache.ends_in_loss = target is not None
            if target is not None:
                loss = head.forward(x, target) if weight is None else head.forward(x, target, weight)
                if isinstance(head, Net):
                    self.cache.scores_shape = head.cache.scores_shape
                return loss
            if isinstance(head, Net):
                x = head.forward(x)
                self.cache.scores_shape = head.cache.scores_shape
            else:
                head.cache = Cache(type(head).__name__)
        except Exception as error:
            # What the layers have cached belongs to two batches now: no backward may use it.
            self.cache = Cache(type(self).__name__)
            place_note(error, layer, x)
            raise
        return x

    def scores(self, *inputs: Any) -> Any:
        """Return what the loss reads, for the input x; the output, of a net without loss."""
        body, head = self._chain
        if not isinstance(head, Net) or self.tree is None:
            return self.forward(*inputs)
        if self.tree.uses_threads and not self.tree.at_work:
            with at_work(self.tree):
                return Sequential.scores(self, *inputs)
        x = self.enter(*inputs)
        for layer in body:
            x = layer.forward(x)
        return head.scores(x)

    def backward(self, dy: Any = None, input_grad: bool | None = None) -> Array | None:
        """Return dx, or ``None`` where it is not wanted, adding each parameter's gradient to ``Param.grad``.

        ``dy`` is the gradient of what ``forward`` returned: 1.0 if that was the loss. A net that ends
        in a loss stops at its lowest trainable layer; ``input_grad=True`` makes it go on to the input.
        """
        tree = self.tree
        if tree is not None and tree.uses_threads and not tree.at_work:
            with at_work(tree):
                return Sequential.backward(self, dy, input_grad)
        c, (body, head) = self.cache, self._chain
        shape = c.scores_shape  # before forward, this raises
        wanted = self.input_grad if input_grad is None else input_grad
        upper, lowest = (body[::-1], None) if wanted else self._plan(body)[:2]
        layer: Layer = self
        try:
            if head is not None and (c.ends_in_loss or isinstance(head, Net)):
                layer = head
                if isinstance(head, Net):
                    dy = head.backward(dy, input_grad=wanted or bool(upper) or lowest is not None)
                else:
                    dy = head.backward(1.0 if dy is None else self.check_dloss(dy))
                dy = dy[0] if isinstance(dy, tuple) else dy
            else:
                dy = self.check_dy(dy, shape)
            for layer in upper:
                dy = layer.backward(dy)
            if lowest is not None:
                layer = lowest
                members, before = vars(lowest), lowest.input_grad
                members["input_grad"] = False
                try:
                    lowest.backward(dy)
                finally:
                    members["input_grad"] = before
        except Exception as error:
            place_note(error, layer, dy)
            raise
        return dy if wanted else None

    def _plan(self, body: tuple[Layer, ...]) -> BackwardPlan:
        plan = self._backward_plan
        if plan is None or not plan.holds(self.tree):
            # Past __setattr__, which would take the layers in it for newcomers.
            plan = vars(self)["_backward_plan"] = plan_backward(body, self.tree)
        return plan

    def _rebuild(self, shape: Any) -> None:
        """Build what is new; layers without arrays adapt to another shape, the others refuse it."""
        body, head = self._chain
        for layer in (*body, head) if isinstance(head, Net) else body:
            shape = adapt(layer, shape)
        self.out_shape = shape

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_backward_plan": None}
