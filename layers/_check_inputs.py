"""The inputs of ``check_layer``: samples of a shape, or the caller's arrays."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import numpy as np

from ._check_specimen import is_float
from .layer import Layer
from .param import Array


def samples(inputs: tuple[Any, ...], seed: int) -> tuple[Array, ...]:
    """Arrays as they are, shapes as normally distributed samples; floating-point ones in float64."""
    rng = np.random.default_rng([seed, 0])
    given = [x if isinstance(x, np.ndarray) else _shape(x) for x in inputs]
    lengths = [x.shape[0] for x in given if isinstance(x, np.ndarray) and x.ndim]
    sizes = {n for x in given if isinstance(x, tuple) for n in x}
    # Unlike any other axis, so that a factor of N is not mistaken for one of the features.
    batch = lengths[0] if lengths else next(n for n in (5, 4, 3, 6, *range(7, 99)) if n not in sizes)
    arrays = [rng.normal(size=(batch, *x)) if isinstance(x, tuple) else x for x in given]
    for x in arrays:
        if not x.size or not x.ndim:
            raise ValueError(f"check_layer: expected at least one sample, got an array of shape {x.shape}")
    return tuple(x.astype(np.float64) if is_float(x) else x.copy() for x in arrays)


def argument_names(layer: Layer, count: int) -> list[str]:
    """The names that ``forward`` gives to its first ``count`` inputs."""
    names: list[str] = []
    for p in list(signature(type(layer).forward).parameters.values())[1:]:
        starred = p.kind is Parameter.VAR_POSITIONAL
        names += [f"{p.name}[{i}]" for i in range(count)] if starred else [p.name]
    return (names + [f"input {i}" for i in range(len(names), count)])[:count]


def _shape(value: Any) -> tuple[int, ...]:
    shape = (value,) if isinstance(value, (int, np.integer)) else value
    if not isinstance(shape, tuple) or not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
        raise TypeError(f"check_layer: expected an array, or a shape without the batch axis like (3,), got {value!r}")
    return shape
