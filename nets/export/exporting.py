"""``export_numpy``: a trained net as a Python file and its weights."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import NotBuiltError

from ..files import write_atomically
from ..saving import write_npz
from .example import example_of
from .kinds_losses import is_known
from .passes import Passes
from .sources import NAMES
from .tracing import Tracer
from .writing import Wording, compose

if TYPE_CHECKING:
    from ..net import Net

Array = np.ndarray[Any, np.dtype[Any]]
TAKEN = sys.stdlib_module_names | {"numpy", "handbrew"}
Scale = tuple[Sequence[float], Sequence[float]]


def export_numpy(
    net: Net,
    path: str | PathLike[str],
    backward: bool = False,
    *,
    scale: Scale | None = None,
    classes: Sequence[str] | None = None,
    target_scale: Scale | None = None,
    pixels: bool = False,
) -> None:
    """Write a built net as one Python file that needs NumPy only, and its weights into an ``.npz`` beside it.

    The file has ``forward(x)``, which returns what ``net.forward(X)`` does in evaluation mode, and ``predict(x)``;
    each kind of layer is a short function in it. ``python net.py`` compares with a stored input and output.

    Parameters
    ----------
    path : path that ends in ``.py``
    backward : bool
        Write ``loss(x, labels)`` and ``backward()`` too, for the net as it is in evaluation mode: without dropout,
        and with the running statistics of ``BatchNorm``.
    scale : (means, deviations), optional
        What the columns of samples were standardised with: ``forward`` then takes them as they are.
    classes : sequence of str, optional
        Their names, for ``classify(x)``.
    target_scale : (means, deviations), optional
        What the targets were standardised with: ``predict`` then gives quantities in their own units.
    pixels : bool
        Samples are pixels from 0 to 1: ``forward`` then divides bytes (uint8) by 255.

    Raises
    ------
    NotBuiltError
        If the net has no parameters yet.
    ValueError
        If it has layers that are not known here, such as your own; it lists them all, and nothing is written. Or if
        the path does not end in ``.py``, or is what Python calls something else, as ``numpy.py`` is.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ValueError(f"{path}: expected a name that Python can import, like net.py")
    if keyword.iskeyword(path.stem) or path.stem in TAKEN:
        raise ValueError(f"{path}: Python means something else by that name already; choose another, like net.py")
    if net.in_shape is None:
        raise NotBuiltError(f"{net.where}: not built; call build(in_shape), batch axis left out, or forward once")
    scales: dict[str, Array] = {}
    for name, pair in (("input", scale), ("target", target_scale)):
        if pair is not None:
            scales |= {f"{name} mean": np.array(pair[0]), f"{name} deviation": np.array(pair[1])}
    if scale is not None and isinstance(net.in_shape[0], tuple):
        raise ValueError(f"{net.where}: a scale is for one input of samples; the net has {len(net.in_shape)}")
    traced = Tracer(net, NAMES, backward, scale is not None).traced
    if net.loss is not None and not is_known(net.loss):
        traced.unknown.append(f"{type(net.loss).__name__}, by what its scores mean")
    if backward and traced.integers.issuperset(traced.outputs):
        traced.unknown.append(f"a gradient of {', '.join(traced.outputs)}, which are integers")
    if traced.unknown:
        raise ValueError(
            f"{net.where}: cannot be exported, since there is no plain function for\n  " + "\n  ".join(traced.unknown)
        )
    passes = Passes(traced, backward, pixels)
    wording = Wording(
        type(net).__name__, path.stem, net.dtype.name, backward, net.loss, classes, target_scale is not None
    )
    text = compose(traced, wording, passes)
    example = example_of(net, traced, passes, backward, scales)
    arrays = {name: array.data for name, array in traced.weights.items()} | scales
    arrays |= {f"test {name}": array for name, array in example.items()}
    with write_atomically(path.with_suffix(".npz")) as file:
        write_npz(file, arrays)
    with write_atomically(path) as file:
        file.write(text.encode())
