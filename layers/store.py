"""A layer's arrays: making, finding, casting, sharing, reading and writing them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from .errors import DTypeError, NotBuiltError, ShapeError, StateError
from .initializers import Initializer, Zeros
from .param import Array, Buffer, Param
from .tree import INITIAL_VALUES, Node, join

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
    _given: _Given | None = None  # initial values from a file instead of an initialiser

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
            values = self._initial(name, shape, init, fan_in, fan_out)
            there = self._shared.params[name] = Param(name, values, lr_mult, decay_mult)
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
        _refuse(self.where, wrong)
        for path, array in mine.items():
            array.data = arrays[path]


class _Given:
    """Arrays for one layer's ``build``; what does not fit is noted, and an array that is there goes in its place."""

    def __init__(self, arrays: dict[str, Array], prefix: str, misfits: list[str]) -> None:
        self.arrays, self.prefix, self.misfits = arrays, prefix, misfits

    def take(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        path = join(self.prefix, name)
        given = self.arrays.get(path)
        if given is None:
            self.misfits.append(f"missing: {path} {shape}")
            return np.zeros(0, dtype)
        if given.shape != shape:
            self.misfits.append(f"{path}: expected shape {shape}, got {given.shape}")
        return np.array(given, dtype, order="C")


def build_from(
    layer: Any, in_shape: Any, arrays: dict[str, Array], shapes: dict[str, tuple[Any, Any]] | None = None
) -> None:
    """Build ``layer`` with these arrays by path as the initial values, so that no size is taken on trust.

    ``shapes`` has the input's and the output's shape, by path, of parts that do not say them by ``build``.

    Raises
    ------
    StateError
        If arrays are missing, unknown, or of another shape than the layer makes of ``in_shape``; it lists
        them all, and the layer is of no use then.
    """
    parts, misfits, shapes = dict(layer.walk()), list[str](), shapes or {}
    try:
        for path, part in parts.items():
            part._given = _Given(arrays, path, misfits)
            if path in shapes and part.builds_nothing:
                part.set_shapes(*shapes[path])
        layer.build(in_shape)
        for path, part in parts.items():
            if path in shapes:
                part.build(shapes[path][0])
    finally:
        for part in parts.values():
            part._given = None
    known = {**layer.params, **layer.buffers}
    _refuse(layer.where, misfits + [f"unknown: {path} {arrays[path].shape}" for path in arrays if path not in known])


def _refuse(where: str, wrong: list[str]) -> None:
    if wrong:
        raise StateError(f"{where}: this is the state of another net\n  " + "\n  ".join(wrong))
