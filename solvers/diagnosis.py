"""Finding where a loss that is not finite comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Layer, Loss, inference
from handbrew.nets import Sequential

Array = np.ndarray[Any, np.dtype[Any]]


def explain(net: Layer, X: Array, y: Array) -> str:
    """Return one sentence: input, target, parameters, or the first layer whose output is not finite."""
    for name, array in (("the input", X), ("the target", y)):
        if bad := first_bad(array):
            return f"{name} has {bad}; clean the data before training"
    for path, p in net.params.items():
        if bad := first_bad(p.data):
            return f"parameter {path} has {bad}: an earlier update blew up; lower the learning rate or set clip_norm"
    if isinstance(net, Sequential):
        with inference(net), np.errstate(all="ignore"):
            if found := _first_layer(net, net.enter(X)):
                return found
    return (
        "data, parameters and scores are finite, so the loss itself overflowed; "
        "scale the data, or lower the learning rate"
    )


def _first_layer(net: Sequential, x: Array) -> str:
    for name, layer in net.children.items():
        if isinstance(layer, Loss):
            break
        if isinstance(layer, Sequential) and layer.takes_target:
            return _first_layer(layer, x)
        x = layer.forward(x)
        if bad := first_bad(x):
            return (
                f"the output of {name} ({type(layer).__name__}) is the first with {bad}; "
                f"its input is finite, so look at that layer, or lower the learning rate"
            )
    return ""


def first_bad(array: Array) -> str:
    """Return "nan at sample 3, position (0, 2)" for the first element that is not finite, or nothing."""
    if array.dtype.kind != "f":
        return ""
    bad = ~np.isfinite(array)
    if not bad.any():
        return ""
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{array[where]} at index {where} ({int(bad.sum())} of {array.size} elements are not finite)"
