"""A net's architecture as data: class names and constructor arguments, never code."""

from __future__ import annotations

import math
from collections.abc import Iterable
from reprlib import repr as shortened
from types import ModuleType
from typing import Any

import numpy as np

import handbrew.layers
from handbrew.data import FileFormatError
from handbrew.layers import Configurable, Initializer, Layer

PLAIN = (bool, int, float, str)
NUMBERS = {np.dtype(code).name for code in "?bhilqBHILQefd"}
MOST_TWINS = 10_000  # twins of twins double with every line: a small file could ask for any number


def handbrews() -> dict[str, type[Configurable]]:
    """Return the classes that a file may name: handbrew's own and public, with something to compute."""
    from .graph import Graph
    from .sequential import Sequential

    return _classes_in(handbrew.layers) | {c.__name__: c for c in (Sequential, Graph)}


def foreigns() -> dict[str, type[Configurable]]:
    """Return the classes for Caffe's and ONNX's conventions, which most files do without."""
    from . import caffe, onnx

    return _classes_in(caffe) | _classes_in(onnx)


def _classes_in(package: ModuleType) -> dict[str, type[Configurable]]:
    public = [getattr(package, name) for name in package.__all__]
    return {c.__name__: c for c in public if isinstance(c, type) and _computes(c)}


def _computes(c: type) -> bool:
    if issubclass(c, Layer):
        return c.forward is not Layer.forward
    return issubclass(c, Initializer) and c.sample is not Initializer.sample


class Encoder:
    """Turns layers and what they are made from into what JSON can hold."""

    def __init__(self) -> None:
        self.known = handbrews()
        self.twins: dict[int, tuple[int, str]] = {}  # number and repr, by what twins share

    def encode(self, value: Any, what: str = "it") -> Any:
        """Return ``value`` as data; ``what`` is what an error calls it.

        Raises
        ------
        TypeError
            For an argument that is neither a number, a text, an array of numbers, a layer, an
            initialiser, nor a list, tuple or dict of such.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, PLAIN):
            return value
        if isinstance(value, list):
            return [self.encode(item, what) for item in value]
        if type(value) is tuple:
            return {"tuple": [self.encode(item, what) for item in value]}
        if type(value) is dict and all(isinstance(key, str) for key in value):
            return {"dict": {key: self.encode(item, what) for key, item in value.items()}}
        if isinstance(value, np.ndarray) and value.dtype.name in NUMBERS:
            return {"array": value.ravel().tolist(), "shape": value.shape, "dtype": value.dtype.name}
        if isinstance(value, Layer):
            return self._encode_layer(value) | ({"name": value._name} if value._name else {})
        if isinstance(value, Configurable):
            return self._encode_object(value)
        raise TypeError(f"{what} cannot be saved as data: {type(value).__name__} {shortened(value)}")

    def _encode_layer(self, layer: Layer) -> dict[str, Any]:
        key, call = id(layer._shared), repr(layer)
        if key not in self.twins:
            self.twins[key] = len(self.twins), call
            return self._encode_object(layer)
        number, first = self.twins[key]
        if call != first:
            raise TypeError(f"{layer.where} was changed after tied() and cannot be saved: {call}, once {first}")
        return {"tied": number}

    def _encode_object(self, value: Configurable) -> dict[str, Any]:
        kind = type(value).__name__
        arguments = {n: self.encode(a, f"{kind}({n}=…)") for n, a in value.config().items()}
        if kind not in self.known:
            self.known = foreigns() | self.known
        own = {} if self.known.get(kind) is type(value) else {"custom": True}
        return {"class": kind, "arguments": arguments} | own


class Decoder:
    """Makes objects of handbrew's own public classes, and of those in ``custom``; of nothing else."""

    def __init__(self, custom: Iterable[type[Configurable]] = ()) -> None:
        self.known, self.custom = handbrews(), {c.__name__: c for c in custom}
        for c in self.custom.values():
            if not (isinstance(c, type) and issubclass(c, Configurable)):
                raise TypeError(f"custom: expected classes of layers or initialisers, got {c!r}")
        self.layers: list[Layer | None] = []
        self.twins = 0

    def decode(self, value: Any) -> Any:
        """Undo ``encode``.

        Raises
        ------
        FileFormatError
            If a class is unknown or its arguments do not fit. Data that ``encode`` does not make raise
            whatever they happen to.
        """
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "tuple" in value:
            return tuple(self.decode(item) for item in value["tuple"])
        if "dict" in value:
            return {key: self.decode(item) for key, item in value["dict"].items()}
        if "array" in value:
            return _array(**value)
        made = self._tie(value["tied"]) if "tied" in value else self._make(value)
        return made.named(value["name"]) if "name" in value else made

    def _tie(self, number: int) -> Layer:
        layer = self.layers[number]
        if layer is None:
            raise FileFormatError("a layer is tied to one that it is a part of")
        self.twins += sum(1 for _ in layer.walk())
        if self.twins > MOST_TWINS:
            raise FileFormatError(f"it asks for more than {MOST_TWINS:,} tied layers")
        return layer.tied()

    def _make(self, value: dict[str, Any]) -> Any:
        name, arguments = value["class"], value["arguments"]
        if not value.get("custom") and name not in self.known:
            self.known = foreigns() | self.known
        known = self.custom if value.get("custom") else self.known
        if name not in known:
            fix = f"; if it is yours, pass custom=[{name}]" if str(name).isidentifier() else ""
            raise FileFormatError(f"the class {shortened(name)} is not handbrew's{fix}")
        cls = known[name]
        place = len(self.layers)
        if issubclass(cls, Layer):
            self.layers.append(None)  # numbered on the way in, as encode does
        arguments = {key: self.decode(argument) for key, argument in arguments.items()}
        try:
            made = cls.from_config(arguments)
        except (TypeError, ValueError) as error:
            said = f"{name} cannot be made from the arguments {shortened(arguments)}: {error}"
            raise FileFormatError(said) from error
        if isinstance(made, Layer):
            self.layers[place] = made
        return made


def _array(array: list[Any], shape: list[int], dtype: str) -> Any:
    if dtype not in NUMBERS or math.prod(shape) != len(array):
        raise FileFormatError(f"{len(array)} elements are no array of shape {shortened(shape)} of {dtype!r}")
    return np.array(array, dtype).reshape(shape)
