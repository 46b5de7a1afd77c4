"""Layers of the user's own, in place of those that handbrew does not know."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from typing import Any

from handbrew.layers import Layer

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
    is_class = isinstance(maker, type) and issubclass(maker, Layer)
    layer = maker(**_arguments(spec)) if is_class else maker(spec.proto)
    if not isinstance(layer, Layer):
        raise spec.error(f"expected a Layer from custom, got {type(layer).__name__}")
    return layer


def _arguments(spec: Spec) -> dict[str, Any]:
    """The arguments that a Python layer's param_str holds, if it is JSON or a literal of a dict."""
    text = spec.proto.python_param.param_str
    if not text:
        return {}
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
    raise spec.error(
        f"param_str: expected a dict of arguments, as in '{{\"scale\": 2}}', got {text!r:.60}; "
        f"custom may be a function, too, that takes the LayerParameter and returns a Layer"
    )
