"""A layer's arrays: making, finding, casting, sharing, reading and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .errors import DTypeError, NotBuiltError, ShapeError, StateError
from .initializers import Initializer, Zeros
from .param import Array, Buffer, Param
from .tree import INITIAL_VALUES, Node, join

if TYPE_CHECKING:
    from .given import Given

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class _Shared:
    """What tied twins have in common."""

    def __init__(self) -> None:
        self.params: dict[str, Param] = {}
        self.buffers: dict[str, Buffer] = {}
        self.dtype: np.dtype[Any] = FLOATS[0]


class Store(Node):
    """A node with parameters (learned) and buffers (kept, not learned)."""

    _shared: _Shared
    _given: Given | None = None  # initial values from a file instead of an initialiser
    # For nets from files: (lr_mult, decay_mult) of each parameter in the order of making; lr_mult 0 freezes it.
    _multipliers: Sequence[tuple[float, float]] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls, *args, **kwargs)
        self.__dict__["_shared"] = _Shared()
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Buffer) and not isinstance(value, Buffer):
            raise TypeError(f"{self.where}: {name} is a {type(vars(self)[name]).__name__}; set layer.{name}.data")
        super().__setattr__(name, value)

    def param(
        self,
        name: str,
        shape: tuple[int, ...],
        init: Initializer,
        *,
        fan_in: int | None = None,
        fan_out: int | None = None,
        lr_mult: float = 1.0,
        decay_mult: float = 1.0,
    ) -> Param:
        """Make a learned array; called from ``build``.

        A tied twin that is built later gets the one that is there.

        Raises
        ------
        ShapeError
            If a twin made it with another shape, or ``build`` makes two of one name.
        """
        there = self._declare(name, shape, self._shared.params)
        if there is None:
            values, place = self._initial(name, shape, init, fan_in, fan_out), len(self._shared.params)
            given = self._multipliers[place : place + 1]
            there = self._shared.params[name] = Param(name, values, *(given[0] if given else (lr_mult, decay_mult)))
            there.trainable = not given or given[0][0] != 0
        return there

    def buffer(self, name: str, shape: tuple[int, ...], init: Initializer | None = None) -> Buffer:
        """Make an array (zeros by default) that is saved and copied but not learned; called from ``build``."""
        there = self._declare(name, shape, self._shared.buffers)
        if there is None:
            there = self._shared.buffers[name] = Buffer(name, self._initial(name, shape, init or Zeros()))
        return there

    def _initial(
        self,
        name: str,
        shape: tuple[int, ...],
        init: Initializer,
        fan_in: int | None = None,
        fan_out: int | None = None,
    ) -> Array:
        if not isinstance(init, Initializer):
            raise TypeError(
                f"{self.where}: expected an initialiser for {name}, like He() or Zeros(), got {type(init).__name__}"
            )
        if self._given is None:
            values = init.sample(self.generator(INITIAL_VALUES, name), shape, fan_in, fan_out)
            return np.array(values, self.dtype, order="C")
        return self._given.take(name, tuple(shape), self.dtype)

    def _declare(self, name: str, shape: tuple[int, ...], there: dict[str, Any]) -> Any:
        declared = self.__dict__.setdefault("_declared", set())
        if name in declared or "." in name:
            why = "it is there already" if name in declared else "a dot separates layers"
            raise ShapeError(f"{self.where}: build cannot make an array called {name!r}: {why}")
        found = there.get(name)
        if found is not None and found.shape != tuple(shape):
            raise ShapeError(
                f"{self.where}: its tied twin has {name} of shape {found.shape}, this input needs {tuple(shape)}"
            )
        declared.add(name)
        if found is None:
            self.__dict__.setdefault("_made", []).append(name)
        return found

    def unbuild(self) -> None:
        """Forget what ``build`` has made in this layer itself, so that it can be built for another shape."""
        for name in self.__dict__.pop("_made", ()):
            self._shared.params.pop(name, None)
            self._shared.buffers.pop(name, None)

    @property
    def built(self) -> bool:
        """Whether this layer's own arrays exist (true from the start if it never has any)."""
        raise NotImplementedError

    @property
    def params(self) -> dict[str, Param]:
        """Learned arrays by path, tied ones once.

        Raises
        ------
        NotBuiltError
            If a layer is not built yet.
        """
        return self._collect("params")

    @property
    def trainable(self) -> bool:
        """Whether any parameter here or below is trained; setting it freezes or frees them all."""
        return any(p.trainable for p in self.params.values())

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for p in self.params.values():
            p.trainable = value

    @property
    def buffers(self) -> dict[str, Buffer]:
        """Arrays that are state but not learned, by path, tied ones once."""
        return self._collect("buffers")

    def _collect(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: set[int] = set()
        for path, layer in self.walk():
            if not layer.built:
                raise NotBuiltError(
                    f"{layer.where}: not built, so its {kind} do not exist yet; "
                    f"call build(in_shape), batch axis left out, or forward once"
                )
            for name, array in getattr(layer._shared, kind).items():
                if id(array) not in seen:
                    seen.add(id(array))
                    found[join(path, name)] = array
        return found

    def zero_grad(self) -> None:
        """Clear the gradient of every parameter there is so far."""
        for _, layer in self.walk():
            for p in layer._shared.params.values():
                p.zero_grad()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the parameters: float32 unless ``astype`` said otherwise."""
        return self._shared.dtype

    def astype(self, dtype: Any) -> Self:
        """Compute in float32 or float64 from now on; works before and after build; returns the layer."""
        wanted = np.dtype(dtype)
        if wanted not in FLOATS:
            raise DTypeError(f"{self.where}: expected float32 or float64, got {wanted}")
        for _, layer in self.walk():
            layer._shared.dtype = wanted
            for array in (*layer._shared.params.values(), *layer._shared.buffers.values()):
                array.cast(wanted)
        return self

    def cast(self, x: Array) -> Array:
        """Return ``x`` in the parameters' dtype, if it holds floating-point numbers or bytes.

        Raises
        ------
        DTypeError
            For other integers: they may be labels or tokens, which are no quantities.
        """
        if x.dtype == self.dtype:
            return x
        if x.dtype.kind in "fb" or x.dtype == np.uint8:
            return x.astype(self.dtype)
        raise DTypeError(
            f"{self.where}: expected floating-point numbers or uint8, got {x.dtype}; "
            f"if these are quantities, pass x.astype(np.{self.dtype.name})"
        )

    def state(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by path."""
        return {path: array.data.copy() for path, array in {**self.params, **self.buffers}.items()}

    def load_state(self, arrays: dict[str, Any]) -> None:
        """Copy arrays by path into the parameters and buffers.

        Raises
        ------
        StateError
            If names or shapes differ; it lists every difference, and nothing has been changed.
        """
        mine: dict[str, Buffer] = {**self.params, **self.buffers}
        wrong = [f"missing: {path} {mine[path].shape}" for path in mine if path not in arrays]
        wrong += [f"unknown: {path} {np.shape(arrays[path])}" for path in arrays if path not in mine]
        wrong += [
            f"{path}: expected shape {mine[path].shape}, got {np.shape(arrays[path])}"
            for path in mine
            if path in arrays and np.shape(arrays[path]) != mine[path].shape
        ]
        wrong += [
            f"{path}: expected real numbers, got {np.asarray(arrays[path]).dtype}"
            for path in mine
            if path in arrays and np.asarray(arrays[path]).dtype.kind not in "biuf"
        ]
        refuse_misfits(self.where, wrong)
        for path, array in mine.items():
            array.data = arrays[path]


def refuse_misfits(where: str, wrong: list[str]) -> None:
    """Raise a ``StateError`` that lists what is wrong, if anything is."""
    if wrong:
        raise StateError(f"{where}: this is the state of another net\n  " + "\n  ".join(wrong))
