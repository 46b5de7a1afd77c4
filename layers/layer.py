"""``Layer``: the contract that every layer, loss and net keeps."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from .cache import Cache
from .errors import NotBuiltError, ShapeError
from .store import Store

Shape = tuple[Any, ...]
# What belongs to one object in one place, and is not shared with a twin.
PLACE = frozenset(
    ("cache", "forward", "build", "in_shape", "out_shape", "_rng", "_name", "_seed", "_path", "_where", "tree")
)


class Layer(Store):
    """A differentiable function of arrays, with a ``forward`` and a ``backward`` written by hand.

    ``forward(x)`` computes the output and leaves in ``self.cache`` what ``backward`` needs;
    ``backward(dy)`` takes the gradient of whatever ``forward`` returned and returns the gradient of
    ``x`` (a tuple for several inputs, ``None`` for integer ones), *adding* each parameter's gradient to
    ``Param.grad``. Neither writes into its arguments. Axis 0 of every array is the sample.

    A subclass with parameters or another output shape defines ``build(in_shape)``: it makes them with
    ``self.param`` and returns the output's shape, both shapes without the batch axis. It runs by itself
    at the first ``forward``, or by hand. ``super().__init__()`` need not be called.

    A layer that keeps layers in attributes, or in lists, tuples or dicts there, is their parent:
    modes, dtype, parameters, buffers, names and generators reach them through it.

    Attributes
    ----------
    cache : Cache
        What the last ``forward`` left.
    in_shape : tuple or None
        The input's shape without the batch axis, once built; a tuple of shapes for several inputs.
    out_shape : tuple or None
        The output's shape without the batch axis, once built.
    training : bool
        Changes behaviour (dropout, batch statistics), never caching.
    input_grad : bool
        False where a net knows that nobody wants ``dx``; ``backward`` may then return ``None``.
    takes_target : bool
        True for losses and for nets that end in one.
    backward_uses : tuple of str
        What ``backward`` reads of the arrays themselves: ``"input"``, ``"output"``, both or neither.
    uses_threads : bool
        Whether a net that holds the layer should run with ``worker_threads``: BLAS on one thread, and large
        work shared out to Python's.
    build_first : bool
        Whether the first ``forward`` calls ``build``. False in a container whose children can do without:
        they build themselves, each from the real array that reaches it.
    measures : bool
        True for a layer that only measures what it is given, an accuracy: its labels are targets, as a loss's are.
    batch_coupled : bool
        True if one sample's output depends on the others (batch statistics, a mean loss).
    shapes_vary : bool
        True for a layer without arrays of its own whose shapes are only those of its first ``forward``.
    """

    training: bool = True
    input_grad: bool = True
    takes_target: bool = False
    measures: bool = False
    backward_uses: tuple[str, ...] = ("input", "output")
    build_first: bool = True
    batch_coupled: bool = False
    shapes_vary: bool = False
    in_shape: Shape | None = None
    out_shape: Shape | None = None
    cache: Cache

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls, *args, **kwargs)
        # The first-time versions stand before the class's own; forward's takes itself away after one run.
        self.__dict__.update(cache=Cache(cls.__name__), forward=self._first_forward, build=self._build_once)
        return self

    def forward(self, *inputs: Any) -> Any:
        """Return the output; leave in ``self.cache`` what ``backward`` needs."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def backward(self, dy: Any) -> Any:
        """Return the gradient of the input, given that of the output; add to each ``Param.grad``."""
        raise NotImplementedError(f"{type(self).__name__} defines no backward(self, dy)")

    def build(self, in_shape: Any) -> Any:
        """Make the parameters for inputs of this shape (batch axis left out); return the output's shape.

        The default makes none and returns the (first) input's shape. Again with the same shape: nothing.

        Raises
        ------
        ShapeError
            If the shape does not fit, or the layer is already built for another one.
        """
        if self._leaves_building_to_children():
            raise NotBuiltError(
                f"{self.where}: holds layers but defines no build(in_shape); define it, or run forward once, "
                f"where they build themselves"
            )
        return in_shape[0] if in_shape and isinstance(in_shape[0], tuple) else in_shape

    def flops(self) -> int:
        """Additions and multiplications in one sample's forward pass, once built.

        The default is one for each element of the output; for a container, the sum of its children's.
        """
        children = self.children.values()
        return sum(child.flops() for child in children) if children else int(np.prod(self.out_shape or (1,)))

    @property
    def builds_nothing(self) -> bool:
        """Whether the class leaves ``build`` as it is: it makes no arrays, and the output's shape is not known."""
        return type(self).build is Layer.build

    def _leaves_building_to_children(self) -> bool:
        return self.builds_nothing and bool(self.children)

    def set_shapes(self, in_shape: Any, out_shape: Any) -> None:
        """Set the shapes of a layer that builds nothing."""
        self.in_shape, self.out_shape = _normal(in_shape), _normal(out_shape)

    @property
    def built(self) -> bool:
        """Whether this layer's own arrays exist (true from the start if it never has any)."""
        return self.in_shape is not None or self.builds_nothing

    def train(self, mode: bool = True) -> Self:
        """Behave as in training, with all layers below; returns the layer."""
        for _, layer in self.walk():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """Behave as in use, with all layers below; returns the layer."""
        return self.train(False)

    def tied(self) -> Self:
        """Return a layer with the *same* parameters and buffers, and a cache and generator of its own.

        Gradients of the twins add up. Works before build: the first to be built makes the parameters,
        the other compares shapes.
        """
        twin = type(self).__new__(type(self))
        vars(twin).update({name: _tie(value) for name, value in vars(self).items() if name not in PLACE})
        return twin

    def _first_forward(self, *inputs: Any, **options: Any) -> Any:
        self.place_as_top()
        arrays = inputs or tuple(options.values())
        if arrays and isinstance(arrays[0], (list, tuple)):
            raise TypeError(f"{self.where}: expected an array, got a {type(arrays[0]).__name__}; pass np.array(…)")
        in_shape = self._in_shape_of(arrays)
        said = self.in_shape is not None or not self.builds_nothing
        if self.in_shape is None and self.build_first and not self._leaves_building_to_children():
            self.build(in_shape)
        output = type(self).forward(self, *inputs, **options)
        out_shape = self._out_shape_of(output)
        if self.in_shape is None or not said or self.shapes_vary:
            self.in_shape, self.out_shape = in_shape, out_shape
        elif self.in_shape == in_shape and self.out_shape != out_shape:
            raise ShapeError(
                f"{self.where}: build said the output's shape is {self.out_shape}, forward made {out_shape}; "
                f"let build(in_shape) return the output's shape, batch axis left out"
            )
        self.__dict__.pop("forward", None)
        return output

    def meet_first(self) -> None:
        """Take the next ``forward`` for the first: if ``shapes_vary``, the shapes are those that it meets."""
        vars(self)["forward"] = self._first_forward

    def _in_shape_of(self, inputs: tuple[Any, ...]) -> Shape:
        shapes = tuple(np.shape(x)[1:] for x in inputs if x is not None)
        return shapes[0] if len(shapes) == 1 else shapes

    def _out_shape_of(self, output: Any) -> Shape:
        return tuple(np.shape(y)[1:] for y in output) if isinstance(output, tuple) else np.shape(output)[1:]

    def _build_once(self, in_shape: Any) -> Any:
        in_shape = _normal(in_shape)
        if self.in_shape is None:
            self.place_as_top()
            new = [layer for _, layer in self.walk() if layer.in_shape is None]
            try:
                out_shape = type(self).build(self, in_shape)
                if out_shape is None:
                    raise ShapeError(
                        f"{self.where}: build returned nothing; let it return the output's shape, batch axis left out"
                    )
            except BaseException:
                for layer in new:
                    layer.unbuild()
                raise
            finally:
                self.__dict__.pop("_declared", None)
            self.in_shape, self.out_shape = in_shape, _normal(out_shape)
        elif in_shape != self.in_shape and not self.shapes_vary:
            raise ShapeError(f"{self.where}: already built for input of shape {self.in_shape}, got {in_shape}")
        return self.out_shape

    def unbuild(self) -> None:
        super().unbuild()
        self.in_shape = self.out_shape = None

    def welcome(self, newcomer: Any) -> None:
        """Give a layer that comes into a tree in use the dtype and the mode of its parent."""
        newcomer.astype(self.dtype).train(self.training)

    def __getstate__(self) -> dict[str, Any]:
        # Not the tree: a copy of one layer would take the whole net along.
        own = vars(self).items()
        return {name: value for name, value in own if name not in ("forward", "build", "cache", "tree")}

    def __copy__(self) -> Self:
        return copy.deepcopy(self)


def _tie(value: Any) -> Any:
    if isinstance(value, Layer):
        twin = value.tied()
        twin._name = value._name
        return twin
    if type(value) in (list, tuple):
        return type(value)(map(_tie, value))
    if type(value) is dict:
        return {key: _tie(item) for key, item in value.items()}
    return value


def _normal(shape: Any) -> Shape:
    """Shapes as plain tuples of ints: ``4`` is ``(4,)``; a tuple of shapes stays one."""
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    return tuple(_normal(s) if isinstance(s, (tuple, list)) else int(s) for s in shape)
