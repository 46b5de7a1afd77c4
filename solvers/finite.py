"""A look at all gradients before any of them is applied, and at the parameters where NumPy has noted an overflow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from handbrew.layers import Layer, Param

from .errors import NonFiniteError
from .finding import first_bad
from .layout import Layout

Array = np.ndarray[Any, np.dtype[Any]]


def refuse_bad_gradients(net: Layer, trainable: Iterable[Param]) -> None:
    """Raise a ``NonFiniteError`` for the first element of a gradient that is not finite, if there is one.

    The sum of squares, which is quicker to look at, overflows for some that are.
    """
    mine = set(trainable)
    for path, p in net.params.items():
        if p in mine and (bad := first_bad(p.grad)):
            raise NonFiniteError(
                f"step: the gradient of {path} has {bad}; nothing has been changed",
                layer=path.rpartition(".")[0],
                direction="backward",
                array=f"{path}.grad",
                index=bad.at,
            )


def refuse_bad_results(net: Layer, layout: Layout) -> None:
    """Raise a ``NonFiniteError`` if an update has made a parameter or a rule's array not finite."""
    for path, p in net.params.items():
        arrays = {path: p.data} | {f"{name} of {path}": layout.state(p, name) for name in layout.names}
        for name, array in arrays.items():
            if p.trainable and (bad := first_bad(array)):
                raise NonFiniteError(
                    f"step: after the update, {name} has {bad}, though the gradients were finite",
                    layer=path.rpartition(".")[0],
                    direction="update",
                    array=name,
                    index=bad.at,
                    produced=True,
                )


def global_norm(params: Iterable[Param]) -> float:
    """Return the L2 norm of all gradients together."""
    return math.hypot(*(_norm(p.grad) for p in params))


def _norm(grad: Array) -> float:
    flat = grad.ravel()
    with np.errstate(over="ignore"):  # a finite gradient's square may overflow in float32
        square = float(flat.dot(flat))
    return math.sqrt(square) if math.isfinite(square) else float(np.linalg.norm(flat.astype(np.float64)))
