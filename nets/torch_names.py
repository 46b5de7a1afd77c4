"""Arrays under another program's names: PyTorch's state dicts, or a map of one's own.

What PyTorch keeps otherwise:

| its module | its name | ours |
|---|---|---|
| Linear | weight (out, in), bias | Affine's W, which is (in, out), and b |
| Conv1d, Conv2d, ConvTranspose2d | weight, bias | W, b |
| BatchNorm | weight, bias, running_mean, running_var | gamma, beta, mean, var |
| LayerNorm, GroupNorm, InstanceNorm, RMSNorm | weight, bias | gamma, beta |
| PReLU | weight | slope |
| Embedding | weight | W |

A recurrent layer's place would be in ``OURS`` and ``_from_torch``: PyTorch's LSTM stacks its gates in the order
input, forget, cell, output, in ``weight_ih_l0``, ``weight_hh_l0`` and two biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import Affine, Layer
from handbrew.layers.store import refuse_misfits

from .torch_modules import Finder

if TYPE_CHECKING:
    from .net import Net

Array = np.ndarray[Any, np.dtype[Any]]
_COUNTER = "num_batches_tracked"  # what BatchNorm counts and nobody reads


def load_renamed(
    net: Net,
    arrays: Mapping[str, Array],
    names: Mapping[str, str] | None = None,
    torch_names: bool | Mapping[str, str] | None = None,
) -> None:
    """Copy a file's arrays into a built net's, all of them or none. See ``Net.load``.

    Raises
    ------
    StateError
        If arrays are missing, unknown, or of another shape; it lists them all.
    """
    names, modules = names or {}, torch_names if isinstance(torch_names, Mapping) else {}
    mine, layers = {**net.params, **net.buffers}, dict(net.walk())
    torch, finder = torch_names not in (None, False), Finder(net, modules)
    wrong = finder.unknown() + finder.prefix(arrays) if torch else []
    wrong += [f"unknown: names has {path!r}, which the net has not" for path in names if path not in mine]
    found: dict[str, tuple[str, Array]] = {}
    spare: dict[str, tuple[str, Array]] = {}  # what names says is elsewhere: with PyTorch's tied weights it may be both
    for name, array in arrays.items():
        ours = [path for path, renamed in names.items() if renamed == name and path in mine]
        path = finder.find(name) if torch else name
        own = path if path in mine and path not in names else None
        if name not in names.values() and not (torch and name.endswith(f".{_COUNTER}")):
            ours = [] if own is None else [own]
            if not ours:
                wrong.append(f"unknown: {_short(name)} {array.shape}")
        elif own is not None:
            spare[own] = name, _as_ours(layers, own, array, torch)
        for path in ours:
            fitting = _as_ours(layers, path, array, torch)
            if path in found and not np.array_equal(found[path][1], fitting):
                both = (found[path][0], name)
                wrong.append(f"{path}: the file has two for it, {' and '.join(both)}{finder.said_of(*both)}")
            found[path] = name, fitting
    for path, own_array in mine.items():
        if path not in found and path in spare and spare[path][1].shape == own_array.shape:
            found[path] = spare[path]
        if path not in found:
            said = f", which names says is {names[path]}" if path in names else ""
            wrong.append(f"missing: {path} {own_array.shape}{said}")
        else:
            wrong += _misfits(path, own_array.shape, *found[path], arrays, torch)
    refuse_misfits(net.where, wrong)
    for path, own_array in mine.items():
        own_array.data = found[path][1]


def check_maps(names: Any, torch_names: Any) -> None:
    """Raise a ``TypeError`` unless both are what ``Net.load`` takes."""
    if not (names is None or isinstance(names, Mapping)):
        raise TypeError(f"names: expected a dict of strings, got {names!r:.80}")
    if not (torch_names is None or isinstance(torch_names, (bool, Mapping))):
        raise TypeError(f"torch_names: expected True, False or a dict of strings, got {torch_names!r:.80}")
    for which, given in (("names", names), ("torch_names", torch_names)):
        for pair in given.items() if isinstance(given, Mapping) else ():
            if not all(isinstance(name, str) for name in pair):
                raise TypeError(f"{which}: expected names as strings, got {{{pair[0]!r:.80}: {pair[1]!r:.80}}}")


def _misfits(
    path: str, shape: tuple[int, ...], name: str, array: Array, arrays: Mapping[str, Array], torch: bool
) -> list[str]:
    what = path if name == path else f"{path}, the file's {_short(name)}"
    if array.dtype.kind not in "biuf":
        return [f"{what}: expected real numbers, got {array.dtype}"]
    if array.shape != shape:
        turned = " (transposed)" if arrays[name].shape != array.shape else ""
        if not torch and array.ndim == 2 and array.shape == shape[::-1]:
            turned = " (transposed; torch_names=True turns a Linear's)"
        return [f"{what}: expected shape {shape}, got {array.shape}{turned}"]
    return []


def _as_ours(layers: Mapping[str, Layer], path: str, array: Array, torch: bool) -> Array:
    return _from_torch(layers[path.rpartition(".")[0]], path, array) if torch else array


def _short(name: str) -> str:
    """A name out of a file, to be printed."""
    return name if len(name) <= 80 else f"{name[:77]}…"


def _from_torch(layer: Layer, path: str, array: Array) -> Array:
    """An array as the layer keeps it."""
    if isinstance(layer, Affine) and path.rpartition(".")[2] == "W" and array.ndim == 2:
        return array.T
    return array
