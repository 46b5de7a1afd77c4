"""Blobs into parameters, and back: the weights of a graph as Caffe's files hold them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Affine, Bias, Buffer, Conv2D, ConvTranspose2D, Embedding, Layer, PReLU, Scale
from handbrew.layers.given import Given

from ..graph import Graph
from ..wiring import GraphNode
from .batch_norm import CaffeBatchNorm
from .inner_product import InnerProduct
from .naming import clean, layer_names
from .sources import Parameter
from .weights import LayerWeights, write_caffemodel

Array = np.ndarray[Any, np.dtype[Any]]
Slots = tuple[str, ...]
UNNAMED = "blob "  # begins the name of an array that only a user's layer knows
BIAS = "/bias"  # ends the name of a layer that is another one's bias


def slots_of(layer: Layer, inputs: int = 1) -> Slots | None:
    """The names of a layer's arrays in the order of Caffe's blobs; ``None`` where only the layer itself can say."""
    if isinstance(layer, (Affine, InnerProduct, Conv2D, ConvTranspose2D, Embedding)):
        return ("W", "b") if layer.bias else ("W",)
    if isinstance(layer, Scale):
        return (("W",) if inputs == 1 else ()) + (("b",) if layer.bias else ())
    if isinstance(layer, Bias):
        return ("b",) if inputs == 1 else ()
    if isinstance(layer, CaffeBatchNorm):
        return ("sum_mean", "sum_var", "weight")
    if isinstance(layer, PReLU):
        return ("slope",)
    return ("W",) if isinstance(layer, Parameter) else None


def load_weights(net: Graph, weights: Iterable[LayerWeights]) -> None:
    """Copy weights into the layers of the same names; others stay as they are, and weights for nobody are left out.

    Of a net that is not built they are what it begins with once it is.

    Raises
    ------
    FileFormatError
        If a layer has other arrays than the file; it lists all such, and nothing has been changed.
    """
    weights = list(weights)
    names, nodes = {clean(given.name) for given in weights}, {node.name: node for node in net.nodes}
    wrong, found = list[str](), list[tuple[list[_Place], LayerWeights]]()
    taken: set[str] = set()
    for given in weights:
        name = _target(clean(given.name), nodes, taken)
        if name is not None:
            taken.add(name)
            places = _places(nodes, name, len(given.blobs), apart=name + BIAS in names)
            found.append((places, given))
            wrong += _misfits(given, places)
    if wrong:
        raise FileFormatError(
            "these layers are not those of the weights; rename them, so that they keep what they begin with\n  "
            + "\n  ".join(wrong)
        )
    if weights and not found and any(_places(nodes, name) for name in nodes):
        warnings.warn("none of the layers that the weights are of is in the net", stacklevel=3)
    for places, given in found:
        for place, blob in zip(places, given.blobs, strict=True):
            place.put(blob)


def weights_of(net: Graph) -> list[LayerWeights]:
    """Return copies of all parameters, and BatchNorm's sums, as Caffe's files hold them, by layer."""
    nodes = {node.name: node for node in net.nodes}
    found = []
    for name in nodes:
        of = name.removesuffix(BIAS)
        if of == name or of not in nodes:
            blobs = [place.get() for place in _places(nodes, name)]
            found += [LayerWeights(name, "", blobs)] if blobs else []
    return found


def save_caffemodel(path: str | PathLike[str], net: Any, graph: Graph) -> None:
    """Write a ``NetParameter`` with the weights of the graph that ``to_graph`` made of it, in binary form."""
    weights = {given.name: given.blobs for given in weights_of(graph)}
    named = zip(net.layer, layer_names(net), strict=True)
    write_caffemodel(
        path, net, [LayerWeights(layer.name, layer.type, weights[name]) for layer, name in named if name in weights]
    )


class _Place:
    """Where one blob goes: an array of a layer that is built, or will be."""

    def __init__(self, name: str, layer: Layer, slot: str, transposed: bool = False) -> None:
        self.name, self.layer, self.slot, self.transposed = name, layer, slot, transposed

    @property
    def array(self) -> Buffer | None:
        arrays: dict[str, Buffer] = {**self.layer._shared.params, **self.layer._shared.buffers}
        return arrays.get(self.slot)

    def misfit(self, blob: Array) -> str | None:
        """What is wrong with a blob, as far as can be said."""
        array = self.array
        return None if array is None or self.fit(blob, array.shape) is not None else self.said(blob, array.shape)

    def said(self, blob: Array, shape: tuple[int, ...]) -> str:
        there = shape[::-1] if self.transposed else shape
        return f"{self.name}, {self.slot}: expected a blob of shape {there}, got {blob.shape}"

    def fit(self, blob: Array, shape: tuple[int, ...]) -> Array | None:
        """The blob as an array of ``shape``, if it is one but for leading axes of length 1, as old files have them."""
        wanted = shape[::-1] if self.transposed else shape
        if _without_ones(blob.shape) != _without_ones(wanted):
            return None
        blob = blob.reshape(wanted)
        return blob.T if self.transposed else blob

    def put(self, blob: Array) -> None:
        array = self.array
        if array is not None:
            array.data = self.fit(blob, array.shape)
        else:
            pending = self.layer._given
            self.layer._given = pending = pending if isinstance(pending, Pending) else Pending()
            pending.blobs[self.slot] = self, blob

    def get(self) -> Array:
        array = self.array
        assert array is not None, f"{self.name} is not built"
        return np.array(array.data.T if self.transposed else array.data, order="C")


class Pending(Given):
    """Blobs for a layer that is not built yet; those of a user's own layer are for its arrays in turn."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[_Place, Array]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        unnamed = next((slot for slot in self.blobs if slot.startswith(UNNAMED)), None)
        if name not in self.blobs and unnamed is not None:
            self.blobs[name] = self.blobs.pop(unnamed)
        if name not in self.blobs:
            raise FileFormatError(f"the weights have no {name} for a layer that needs one of shape {shape}")
        place, blob = self.blobs[name]
        array = place.fit(blob, shape)
        if array is None:
            raise FileFormatError(f"{place.said(blob, shape)}; rename the layer, so that it keeps what it begins with")
        return np.array(array, dtype, order="C")


def _target(name: str, nodes: dict[str, GraphNode], taken: set[str]) -> str | None:
    """The layer that weights of that name are for: the first one that has any, of several that Caffe calls so."""
    found, number = name, 1
    while found in nodes:
        if found not in taken and _places(nodes, found):
            return found
        number += 1
        found = f"{name}_{number}"
    return None


def _places(nodes: dict[str, GraphNode], name: str, count: int = 1, apart: bool = False) -> list[_Place]:
    """Where ``count`` blobs of a layer go; its bias may be another layer, unless that is a layer of the file's too."""
    node = nodes[name]
    layer, slots = node.layer, slots_of(node.layer, len(node.inputs))
    if slots is None:
        foreign = not (layer.built or type(layer).__module__.startswith("handbrew."))
        slots = tuple(f"{UNNAMED}{i}" for i in range(count)) if foreign else tuple(layer._shared.params)
    transposed = isinstance(layer, (Affine, InnerProduct))
    places = [_Place(name, layer, slot, transposed and slot == "W") for slot in slots]
    own = nodes.get(name + BIAS)
    return places + ([_Place(own.name, own.layer, "b")] if own is not None and not apart else [])


def _misfits(given: LayerWeights, places: Sequence[_Place]) -> list[str]:
    if len(given.blobs) != len(places):
        return [f"{given.name}: expected {len(places)} blobs, got {len(given.blobs)}"]
    said = (place.misfit(blob) for place, blob in zip(places, given.blobs, strict=True))
    return [text for text in said if text is not None]


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(shape)
    while shape[:1] == (1,):
        shape = shape[1:]
    return shape
