"""Layers of the user's own, in place of those that handbrew does not know."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from handbrew.layers import Layer

from .own import messages_of
from .spec import MANY, Kind, Spec

Custom = Mapping[str, Callable[..., Layer]]


def custom_kind(proto: Any, custom: Custom) -> Kind | None:
    """What ``custom`` has for a layer, by its type; for a Python layer by the class that it names, too."""
    keys = [proto.type]
    if proto.type == "Python":
        keys.insert(0, proto.python_param.layer)
    found = next((custom[key] for key in keys if key in custom), None)
    if found is None:
        return None
    return Kind(lambda spec: _make(found, spec), (0, MANY), (0, MANY), rank=lambda spec: None)


def _make(maker: Callable[..., Layer], spec: Spec) -> Layer:
    if isinstance(maker, Layer) or not callable(maker):
        raise spec.error(f"custom: give a class, or a function that returns a Layer; got a {type(maker).__name__}")
    own = messages_of(spec.proto)
    is_class = isinstance(maker, type) and issubclass(maker, Layer)
    arguments = _arguments(spec, own) if is_class else own
    try:
        layer = maker(**arguments) if is_class else maker(spec.proto, **arguments)
    except Exception as error:
        name = getattr(maker, "__name__", "custom's")
        given = f"; it was called with {', '.join(arguments)}" if isinstance(error, TypeError) and arguments else ""
        raise spec.error(f"{name} raised {type(error).__name__}: {error}{given}") from error
    if not isinstance(layer, Layer):
        raise spec.error(f"expected a Layer from custom, got {type(layer).__name__}")
    _check_bottoms(layer, spec)
    return layer


def _check_bottoms(layer: Layer, spec: Spec) -> None:
    bottoms = len(spec.proto.bottom)
    try:
        inspect.signature(type(layer).forward).bind(layer, *[None] * bottoms)
    except TypeError as error:
        raise spec.error(f"{type(layer).__name__}.forward does not take its {bottoms} bottoms: {error}") from error


def _arguments(spec: Spec, own: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The fields of a layer's own messages, and what a Python layer's param_str holds, with braces or without."""
    parts = [*own.values(), _param_str(spec)]
    arguments = {key: value for part in parts for key, value in part.items()}
    if len(arguments) < sum(map(len, parts)):
        raise spec.error(f"{' and '.join(own)} have a field of the same name; custom has to be a function for this")
    return arguments


def _param_str(spec: Spec) -> dict[str, Any]:
    """The dict in param_str, if it is JSON or a literal."""
    text = spec.proto.python_param.param_str
    if not text:
        return {}
    for content in (text, f"{{{text}}}"):
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(content)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if isinstance(value, dict) and all(isinstance(key, str) for key in value):
                return value
    raise spec.error(
        f"param_str: expected a dict of arguments, as in '{{\"scale\": 2}}', got {text!r:.60}; "
        f"custom may be a function, too, that takes the LayerParameter and returns a Layer"
    )
