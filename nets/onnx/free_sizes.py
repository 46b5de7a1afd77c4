"""Models for images of any size: whether a net's operators are the same for all, and what the sizes are called."""

from __future__ import annotations

import copy
from itertools import cycle
from typing import Any

import numpy as np

from handbrew.layers import Layer, ShapeError, inference

from ..net import Net
from .writer import Writer

AXES = {2: ("length",), 3: ("height", "width"), 4: ("depth", "height", "width")}  # behind the channels


def is_free(in_shape: Any) -> bool:
    """Whether any size is left open."""
    return any(n is None or (isinstance(n, (tuple, list)) and is_free(n)) for n in in_shape)


def sizes_of(net: Net, in_shape: Any, names: tuple[str, ...]) -> list[tuple[int | str, ...]]:
    """The shape of each input with a name for each open size.

    Raises
    ------
    ValueError
        If a size that is not open is not the net's.
    """
    own: Any = net.in_shape if len(names) > 1 else (net.in_shape,)
    given = in_shape if len(names) > 1 else (in_shape,)
    found = []
    for name, mine, wanted in zip(names, own, given, strict=True):
        if len(mine) != len(wanted) or any(n not in (None, m) for m, n in zip(mine, wanted, strict=True)):
            raise ValueError(f"{net.where}: in_shape: expected {mine} with None for each size left open, got {wanted}")
        before = f"{name}_" if len(names) > 1 else ""
        called = AXES.get(len(mine), ())
        axes = [None] * (len(mine) - len(called)) + [f"{before}{axis}" for axis in called]
        found.append(tuple(n if n is not None else axes[i] or f"{before}axis{i + 1}" for i, n in enumerate(wanted)))
    return found


def of_other_sizes(net: Net, sizes: list[tuple[int | str, ...]], whole: list[bool]) -> Net:
    """A copy of the net that has met larger samples; ``whole`` as for ``met``."""
    own: Any = net.in_shape if len(sizes) > 1 else (net.in_shape,)
    shapes = [
        tuple(m * f if isinstance(n, str) else m for m, n, f in zip(mine, size, cycle((5, 2, 3, 4)), strict=False))
        for mine, size in zip(own, sizes, strict=True)
    ]
    try:
        return met(net, shapes, whole)
    except (ShapeError, ValueError) as error:
        raise ValueError(f"{net.where}: is no net for samples of any size: {error}") from error


def met(net: Net, shapes: list[tuple[int, ...]], whole: list[bool]) -> Net:
    """A copy of the net that has met samples of these shapes, of whole numbers where ``whole`` says so.

    Each of its layers has the shapes that it met.

    Raises
    ------
    ShapeError
        If it does not take them.
    """
    twin = copy.deepcopy(net)
    for _, layer in twin.walk():
        _note_shapes(layer)
    kinds = (np.int64 if integers else net.dtype for integers in whole)
    with inference(twin):
        twin.forward(*(np.zeros((1, *shape), kind) for shape, kind in zip(shapes, kinds, strict=False)))
    return twin


def refuse_others(ours: Writer, theirs: Writer) -> None:
    """Raise a ``ValueError`` unless both have written the same operators; it names the first that differs."""
    for mine, other in zip(ours.nodes, theirs.nodes, strict=True):
        if mine != other:
            _refuse(mine.name)
    for mine, other in zip(ours.initializers, theirs.initializers, strict=True):
        if mine.dims != other.dims or mine.raw_data != other.raw_data:
            _refuse(next(node.name for node in ours.nodes if mine.name in node.input))


def _refuse(node: str) -> None:
    layer, _, operator = node.rpartition(".")
    raise ValueError(f"{layer or operator} depends on the size of the samples, so that none can be left open")


def _note_shapes(layer: Layer) -> None:
    forward = layer.forward

    def noted(*inputs: Any, **options: Any) -> Any:
        y = forward(*inputs, **options)
        if inputs:
            layer.set_shapes(_shapes(inputs), _shapes(y if isinstance(y, tuple) else (y,)))
        return y

    vars(layer)["forward"] = noted


def _shapes(arrays: tuple[Any, ...]) -> Any:
    shapes = tuple(np.shape(array)[1:] for array in arrays)
    return shapes[0] if len(shapes) == 1 else shapes
