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

A recurrent layer's place would be in ``_OURS`` and ``_from_torch``: PyTorch's LSTM stacks its gates in the order
input, forget, cell, output, in ``weight_ih_l0``, ``weight_hh_l0`` and two biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import Affine, Layer
from handbrew.layers.store import refuse_misfits

if TYPE_CHECKING:
    from .net import Net

Array = np.ndarray[Any, np.dtype[Any]]
_OURS = {  # the names that a layer may have for PyTorch's; the first that it has is meant
    "weight": ("W", "gamma", "slope"),
    "bias": ("b", "beta"),
    "running_mean": ("mean",),
    "running_var": ("var",),
}
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
    mine, layers = {**net.params, **net.buffers}, dict(net.walk())
    names, torch = names or {}, torch_names not in (None, False)
    finder = _Finder(net, torch_names if isinstance(torch_names, Mapping) else {})
    wrong = [f"unknown: names has {path!r}, which the net has not" for path in names if path not in mine]
    found: dict[str, tuple[str, Array]] = {}
    for name, array in arrays.items():
        ours = [path for path, renamed in names.items() if renamed == name and path in mine]
        if not ours and name not in names.values() and not (torch and name.endswith(f".{_COUNTER}")):
            path = finder.find(name) if torch else name
            ours = [path] if path in mine and path not in names else []
            if not ours:
                wrong.append(f"unknown: {name} {array.shape}")
        for path in ours:
            fitting = _from_torch(layers[path.rpartition(".")[0]], path, array) if torch else array
            if path in found and not np.array_equal(found[path][1], fitting):
                wrong.append(f"{path}: the file has two for it, {found[path][0]} and {name}")
            found[path] = name, fitting
    for path, own in mine.items():
        if path not in found:
            said = f", which names says is {names[path]}" if path in names else ""
            wrong.append(f"missing: {path} {own.shape}{said}")
        else:
            wrong += _misfits(path, own.shape, *found[path], arrays)
    refuse_misfits(net.where, wrong)
    for path, own in mine.items():
        own.data = found[path][1]


def _misfits(path: str, shape: tuple[int, ...], name: str, array: Array, arrays: Mapping[str, Array]) -> list[str]:
    what = path if name == path else f"{path}, the file's {name}"
    if array.dtype.kind not in "biuf":
        return [f"{what}: expected real numbers, got {array.dtype}"]
    if array.shape != shape:
        turned = " (transposed)" if arrays[name].shape != array.shape else ""
        return [f"{what}: expected shape {shape}, got {array.shape}{turned}"]
    return []


def _from_torch(layer: Layer, path: str, array: Array) -> Array:
    """An array as the layer keeps it."""
    if isinstance(layer, Affine) and path.rpartition(".")[2] == "W" and array.ndim == 2:
        return array.T
    return array


class _Finder:
    """Knows our path of PyTorch's names."""

    def __init__(self, net: Net, modules: Mapping[str, str]) -> None:
        self.net, self.modules, self.layers = net, modules, dict(net.walk())
        both = {**net.params, **net.buffers}
        self.path_of = {id(array): path for path, array in both.items()}  # of tied ones the first

    def find(self, name: str) -> str | None:
        """Our path of a name like ``features.0.weight``; None if no layer of ours is meant."""
        module, _, last = name.rpartition(".")
        layer = self._layer(module)
        if layer is None:
            return None
        own = {**layer._shared.params, **layer._shared.buffers}
        ours = next((mine for mine in (last, *_OURS.get(last, ())) if mine in own), None)
        return None if ours is None else self.path_of.get(id(own[ours]))

    def _layer(self, module: str) -> Layer | None:
        """The layer that a module's name means: the longest beginning that the map has, then names or numbers."""
        parts = module.split(".") if module else []
        layer: Layer | None = self.net
        for length in range(len(parts), -1, -1):
            beginning = ".".join(parts[:length])
            if beginning in self.modules:
                layer, parts = self.layers.get(self.modules[beginning]), parts[length:]
                break
        for part in parts:
            if layer is None:
                return None
            layer = _child(layer, part)
        return layer


def _child(layer: Layer, part: str) -> Layer | None:
    """The layer of that name in another, or in that place, as in ``nn.Sequential``."""
    children = layer.children
    if part in children:
        return children[part]
    if part.isdecimal() and int(part) < len(children):
        return list(children.values())[int(part)]
    return None
