"""Building a layer from arrays that are given, in place of initial values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .param import Array
from .store import refuse_misfits
from .tree import join

if TYPE_CHECKING:
    from .layer import Layer


class Given:
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
    layer: Layer, in_shape: Any, arrays: dict[str, Array], shapes: dict[str, tuple[Any, Any]] | None = None
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
            part._given = Given(arrays, path, misfits)
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
    misfits += [f"unknown: {path} {arrays[path].shape}" for path in arrays if path not in known]
    refuse_misfits(layer.where, misfits)
