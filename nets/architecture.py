"""A net's architecture as data: class names and constructor arguments, never code."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, signature
from typing import Any

import handbrew.layers
import numpy as np
from handbrew.data import FileFormatError
from handbrew.layers import Configurable, Layer

PLAIN = (bool, int, float, str)


def encode(value: Any, twins: dict[int, int]) -> Any:
    """Return ``value`` as what JSON can hold; ``twins`` numbers the layers met so far, by what they share.

    Raises
    ------
    TypeError
        For an argument that is neither a number, a text, an array, a layer, an initialiser, nor a list
        of such.
    """
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [encode(item, twins) for item in value]
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": value.dtype.name}
    if isinstance(value, Layer):
        name = {"name": value._name} if value._name else {}
        if id(value._shared) in twins:
            return {"tied": twins[id(value._shared)], **name}
        twins[id(value._shared)] = len(twins)
        return _encode_object(value, twins) | name
    if isinstance(value, Configurable):
        return _encode_object(value, twins)
    raise TypeError(f"an argument of type {type(value).__name__} cannot be saved as data: {value!r}")


def _encode_object(value: Configurable, twins: dict[int, int]) -> dict[str, Any]:
    arguments = {name: encode(argument, twins) for name, argument in value.config().items()}
    return {"class": type(value).__name__, "arguments": arguments}


class Decoder:
    """Makes objects of handbrew's own public classes, and of those in ``custom``; of nothing else."""

    def __init__(self, custom: Iterable[type[Configurable]] = ()) -> None:
        from . import sequential

        known = [getattr(handbrew.layers, name) for name in handbrew.layers.__all__]
        known += [sequential.Sequential, *custom]
        self.classes = {c.__name__: c for c in known if isinstance(c, type) and issubclass(c, Configurable)}
        self.layers: list[Layer] = []

    def decode(self, value: Any) -> Any:
        """Undo ``encode``.

        Raises
        ------
        FileFormatError
            If a class is unknown or its arguments do not fit.
        """
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return np.array(value["array"], np.dtype(value["dtype"]))
        if "tied" in value:
            layer = self.layers[value["tied"]].tied()
        else:
            layer = self._make(value)
        return layer.named(value["name"]) if "name" in value else layer

    def _make(self, value: dict[str, Any]) -> Any:
        name = value["class"]
        if name not in self.classes:
            raise FileFormatError(
                f"the class {name!r} is not handbrew's; if it is yours, pass custom=[{name}]"
            )
        cls = self.classes[name]
        place = len(self.layers)
        if issubclass(cls, Layer):
            self.layers.append(None)  # type: ignore[arg-type]  # numbered on the way in, as encode does
        arguments = {key: self.decode(argument) for key, argument in value["arguments"].items()}
        try:
            made = _call(cls, arguments)
        except (TypeError, ValueError) as error:
            raise FileFormatError(f"{name} cannot be made from the arguments {arguments}: {error}") from error
        if isinstance(made, Layer):
            self.layers[place] = made
        return made


def _call(cls: type[Configurable], arguments: dict[str, Any]) -> Configurable:
    """Call a class with arguments by name, a list in the place of ``*args``."""
    spread: list[Any] = []
    for parameter in signature(cls).parameters.values():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            spread = arguments.pop(parameter.name, [])
    return cls(*spread, **arguments)
