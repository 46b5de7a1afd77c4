"""Objects that know their constructor's arguments: they print as that call, and are saved as data."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature, signature
from typing import Any, Self

import numpy as np


class _Arguments:
    """Not a tuple, so that layers among the arguments are not taken for children of whoever got them."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


class _ConstructorSignature:
    """A class's signature, worked out when it is asked for: most never are."""

    def __get__(self, instance: Any, owner: Any) -> Signature:
        declared = signature(owner.__init__).parameters.values() if owner.__init__ is not object.__init__ else ()
        return Signature(list(declared)[1:])


class Configurable:
    """Base of layers and initialisers: remembers what it was constructed with.

    Subclasses need to do nothing. An attribute that bears an argument's name is taken to be that
    argument's present value (``dropout.rate = 0.2`` shows in ``repr`` and is saved), so keep an
    argument under its own name unchanged, or under another name.
    """

    __signature__ = _ConstructorSignature()  # not that of __new__
    _arguments: _Arguments

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls.__init__ is object.__init__ and (args or kwargs):
            raise TypeError(f"{cls.__name__} takes no arguments: it defines no __init__")
        self = super().__new__(cls)
        self.__dict__["_arguments"] = _Arguments(args, kwargs)
        return self

    def config(self) -> dict[str, Any]:
        """Constructor arguments by name, defaults left out. A ``*args`` parameter holds a list."""
        bound = type(self).__signature__.bind(*self._arguments.args, **self._arguments.kwargs)
        bound.apply_defaults()
        config: dict[str, Any] = {}
        for name, parameter in type(self).__signature__.parameters.items():
            value = bound.arguments[name]
            if parameter.kind is Parameter.VAR_KEYWORD:
                config.update(value)
                continue
            now = vars(self).get(name, value)
            value = now if _is_data(now) else value
            if parameter.kind is Parameter.VAR_POSITIONAL:
                config[name] = list(value)
            elif repr(value) != repr(parameter.default):
                config[name] = value
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an object of what ``config`` returned: a list for ``*args``, and what bears no name for ``**kwargs``."""
        arguments, positional = dict(config), list[Any]()
        parameters = list(signature(cls.__init__).parameters.values())[1:]
        spread = next((p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL), None)
        for p in parameters:
            if p.name == spread:
                positional += arguments.pop(p.name, [])
            elif p.kind is p.POSITIONAL_ONLY or (spread and p.kind is p.POSITIONAL_OR_KEYWORD):
                # Left out are those that had their defaults; with more to come, a place must be filled.
                positional.append(arguments.pop(p.name, *(() if p.default is p.empty else (p.default,))))
        return cls(*positional, **arguments)

    def __repr__(self) -> str:
        parts: list[str] = []
        for name, value in self.config().items():
            parameter = type(self).__signature__.parameters.get(name)
            if parameter is not None and parameter.kind is Parameter.VAR_POSITIONAL:
                parts += map(repr, value)
            elif parameter is not None and parameter.default is Parameter.empty:
                parts.append(repr(value))
            else:
                parts.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _is_data(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))
    return value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic, Configurable))
