"""``limited``: building a net on a file's word takes no more memory than a net could want."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from handbrew.data import FileFormatError
from handbrew.layers import Layer

from ..graph import Graph

MOST_PARAMETERS = 1 << 29  # values in a net: four times VGG's
LARGEST_BLOB = (1 << 31) - 1  # values, as in Caffe


class TooLargeError(FileFormatError):
    """A net that is larger than was allowed."""


@contextmanager
def limited(net: Graph, batch: int, blob: int = LARGEST_BLOB, parameters: int = MOST_PARAMETERS) -> Iterator[None]:
    """Inside, a layer raises TooLargeError before it makes more parameters, or once a blob will have more values.

    ``parameters`` are the values in all of them together, ``blob`` those in one blob of ``batch`` samples.
    """
    left = parameters

    def watch(layer: Layer) -> None:
        make, build = layer.param, layer.build

        def param(name: str, shape: tuple[int, ...], *args: Any, **options: Any) -> Any:
            nonlocal left
            left -= math.prod(shape)
            if left < 0:
                raise TooLargeError(
                    f"{layer.where}: wants {name} of shape {shape}; a net of more than {parameters} parameters is "
                    f"not built on a file's word"
                )
            return make(name, shape, *args, **options)

        def checked(in_shape: Any) -> Any:
            out_shape = build(in_shape)
            for shape in out_shape if out_shape and isinstance(out_shape[0], tuple) else (out_shape,):
                if batch * math.prod(shape) > blob:
                    raise TooLargeError(f"{layer.where}: a blob of shape {(batch, *shape)} has more than {blob} values")
            return out_shape

        vars(layer).update(param=param, build=checked)

    layers = [(layer, layer.build) for _, layer in net.walk() if layer is not net]
    for layer, _ in layers:
        watch(layer)
    try:
        yield
    finally:
        for layer, build in layers:
            del vars(layer)["param"]
            vars(layer)["build"] = build
