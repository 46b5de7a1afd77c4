"""Objects that know their constructor's arguments: they print as that call, and are saved as data."""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from typing import Any, Self

import numpy as np


class _Arguments:
    """Not a tuple, so that layers among the arguments are not taken for children of whoever got them."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


class Configurable:
    """Base of layers and initialisers: remembers what it was constructed with.

    Subclasses need to do nothing. An attribute that bears an argument's name is taken to be that
    argument's present value (``dropout.rate = 0.2`` shows in ``repr`` and is saved), so keep an
    argument under its own name unchanged, or under another name.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__init__ is object.__init__:
            cls.__signature__ = Signature()  # type: ignore[attr-defined]  # and not that of __new__

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.__dict__["_arguments"] = _Arguments(args, kwargs)
        return self

    def config(self) -> dict[str, Any]:
        """Constructor arguments by name, defaults left out. A ``*args`` parameter holds a list."""
        if type(self).__init__ is object.__init__:
            return {}
        given, declared = self._arguments, signature(type(self).__init__)  # type: ignore[attr-defined]
        bound = declared.bind(self, *given.args, **given.kwargs)
        bound.apply_defaults()
        config: dict[str, Any] = {}
        for parameter in list(declared.parameters.values())[1:]:
            value = bound.arguments[parameter.name]
            if parameter.kind is Parameter.VAR_KEYWORD:
                config.update(value)
                continue
            now = vars(self).get(parameter.name, value)
            value = now if _is_data(now) else value
            if parameter.kind is Parameter.VAR_POSITIONAL:
                config[parameter.name] = list(value)
            elif repr(value) != repr(parameter.default):
                config[parameter.name] = value
        return config

    def __repr__(self) -> str:
        parameters = signature(type(self).__init__).parameters
        parts, positional = [], True
        config = self.config()
        for name in [*parameters, *(name for name in config if name not in parameters)]:
            if name not in config:
                positional = positional and name == "self"
                continue
            kind = parameters[name].kind if name in parameters else Parameter.KEYWORD_ONLY
            if kind is Parameter.VAR_POSITIONAL:
                parts += [repr(item) for item in config[name]]
                positional = False
                continue
            positional = positional and kind is not Parameter.KEYWORD_ONLY
            shown = repr(config[name])
            required = name in parameters and parameters[name].default is Parameter.empty
            parts.append(shown if positional and required else f"{name}={shown}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _is_data(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))
    return value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic, Configurable))
