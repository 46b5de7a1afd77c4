"""Arrays that a layer keeps: ``Buffer`` (state) and ``Param`` (state that is learned)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

from ._numerics import FEW, matrix_product
from .errors import ShapeError
from .flat import FlatBuffer

Array = np.ndarray[Any, np.dtype[Any]]


class Buffer:
    """An array that is saved, cast and copied with its layer, but not learned.

    ``b.data = a`` checks the shape and copies ``a`` into the array that is there, so that nobody who
    holds that array (a flat buffer, a twin) is left with an old one.
    """

    def __init__(self, name: str, data: Array) -> None:
        self.name = name
        self._data = data

    def _set_data(self, value: Any) -> None:
        if value is not self._data:
            self._data[...] = _of_shape(value, self._data, f"{self.name}.data")

    data = property(attrgetter("_data"), _set_data, doc="The array; assigning copies into it.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self._data.shape

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Hold the values in an array of ``dtype``; integers stay what they are."""
        if np.issubdtype(self._data.dtype, np.floating) and self._data.dtype != dtype:
            self._data = self._data.astype(dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, shape={self.shape}, dtype={self._data.dtype})"


class Param(Buffer):
    """A learned array ``data`` and its gradient ``grad``, of one shape and dtype (Caffe's blob: data and diff).

    ``lr_mult`` and ``decay_mult`` multiply the solver's learning rate and weight decay for this array.
    ``trainable = False`` freezes it: no gradient is computed for it and no solver touches it.

    Gradients accumulate until a solver's ``step`` (or ``zero_grad``) clears them. Clearing only marks
    the gradient as *fresh*: the next addition then overwrites, which saves a pass over memory. Reading
    ``grad`` while it is fresh fills in the zeros first, so ``p.grad += g`` is always right.
    """

    def __init__(self, name: str, data: Array, lr_mult: float = 1.0, decay_mult: float = 1.0) -> None:
        super().__init__(name, data)
        self._grad = np.zeros_like(data)
        self._lr_mult, self._decay_mult, self._trainable = float(lr_mult), float(decay_mult), True
        self.fresh = True
        self.flat: FlatBuffer | None = None
        self.offset = 0

    @property
    def grad(self) -> Array:
        """The gradient accumulated so far; assigning copies into it."""
        if self.fresh:
            self._grad.fill(0)
            self.fresh = False
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not self._grad:
            self._grad[...] = _of_shape(value, self._grad, f"{self.name}.grad")
        self.fresh = False

    def add_grad(self, grad: Any) -> None:
        """``self.grad += grad``, with the shape checked and without the zeros.

        Raises
        ------
        ShapeError
            If ``grad`` has another shape than the parameter (it is never broadcast).
        """
        if grad.shape != self._data.shape:
            raise ShapeError(f"gradient of {self.name}: expected shape {self.shape}, got {grad.shape}")
        if self.fresh:
            np.copyto(self._grad, grad, casting="same_kind")
            self.fresh = False
        else:
            self._grad += grad

    def add_grad_product(self, a: Array, b: Array) -> None:
        """``self.grad += a @ b`` for matrices ``a`` and ``b``, written in place when that is possible."""
        if self.fresh and a.dtype == b.dtype == self._grad.dtype:
            np.dot(a, b, self._grad) if self._grad.size < FEW else matrix_product(a, b, self._grad)
            self.fresh = False
        else:
            self.add_grad(matrix_product(a, b))

    def zero_grad(self) -> None:
        """Clear the gradient."""
        self.fresh = True

    def fill_if_fresh(self) -> bool:
        """Fill in the zeros of a cleared gradient that nothing was added to; tell whether it was one."""
        if self.fresh:
            self._grad.fill(0)
        return self.fresh

    def _set_lr_mult(self, value: float) -> None:
        self._lr_mult = float(value)
        self.touch()

    def _set_decay_mult(self, value: float) -> None:
        self._decay_mult = float(value)
        self.touch()

    def _set_trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        self.touch()

    lr_mult = property(attrgetter("_lr_mult"), _set_lr_mult, doc="Multiplies the solver's learning rate.")
    decay_mult = property(attrgetter("_decay_mult"), _set_decay_mult, doc="Multiplies its weight decay.")
    trainable = property(attrgetter("_trainable"), _set_trainable, doc="False: frozen.")

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Hold data and gradient in arrays of ``dtype``."""
        if self._data.dtype != dtype:
            self._leave(self._data.astype(dtype), self._grad.astype(dtype))

    def touch(self) -> None:
        """Tell the solvers that share the flat buffer to look at this parameter again."""
        if self.flat is not None:
            self.flat.stamp += 1

    def move(self, flat: FlatBuffer, offset: int, data: Array, grad: Array) -> None:
        """Continue in ``data`` and ``grad``, views of ``flat`` from element ``offset`` on."""
        data[...], grad[...] = self._data, self._grad
        self.touch()
        self._data, self._grad, self.flat, self.offset = data, grad, flat, offset

    def _leave(self, data: Array, grad: Array) -> None:
        self.touch()
        self._data, self._grad, self.flat, self.offset = data, grad, None, 0

    def __getstate__(self) -> dict[str, Any]:
        # A copy owns its arrays; it is packed again when a solver first asks for it.
        return {**vars(self), "flat": None, "offset": 0}


def _of_shape(value: Any, like: Array, name: str) -> Array:
    array = np.asarray(value)
    if array.shape != like.shape:
        raise ShapeError(f"{name}: expected shape {like.shape}, got {array.shape}")
    return array
