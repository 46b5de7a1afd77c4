"""What a layer is written as: the call of a plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from handbrew.layers import Buffer

Function = Callable[..., Any]


class Call(NamedTuple):
    """``y = function(x, arrays…, options…)``."""

    function: Function
    arrays: dict[str, Buffer] = {}  # by the argument's name
    options: dict[str, Any] = {}
    inputs: int | None = None  # so many of the layer's inputs are the function's; all, unless given


def simple(function: Function, **options: str) -> Callable[[Any], Call]:
    """A layer without arrays; an option of the function's is the attribute of the layer that is named."""
    return lambda layer: Call(function, {}, {name: getattr(layer, own) for name, own in options.items()})


def learned(layer: Any, *names: str) -> dict[str, Buffer]:
    """Those of a layer's own arrays that bear these names and are there."""
    own = {**layer._shared.params, **layer._shared.buffers}
    return {name: own[name] for name in names if name in own}


def several(layer: Any) -> bool:
    """Whether it was built for several inputs."""
    return bool(layer.in_shape) and isinstance(layer.in_shape[0], tuple)


def along_axis(function: Function) -> Callable[[Any], Call]:
    """A layer whose only option is the axis of a sample."""
    return lambda layer: Call(function, {}, {"axis": layer.axis % (1 + len(layer.in_shape))})
