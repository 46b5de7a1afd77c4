"""Blobs into parameters, and back: the weights of a graph as Caffe's files hold them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from handbrew.data import FileFormatError

from ..graph import Graph
from ..wiring import GraphNode
from .naming import clean, layer_names
from .places import UNNAMED, Place, places_of, slots_of
from .weights import LayerWeights, write_caffemodel

MOST_NAMED = 20  # layers in a warning
BIAS = "/bias"  # ends the name of a layer that is another one's bias


def load_weights(net: Graph, *weights: Iterable[LayerWeights], tell: bool = True) -> None:
    """Copy weights into the layers of the same names; others stay as they are, and a warning names them, if ``tell``.

    Weights for nobody are left out. Of those of several files the last ones for a layer count. Of a net that is not
    built they are what it begins with once it is.

    Raises
    ------
    FileFormatError
        If a layer has other arrays than the file; it lists all such, and nothing has been changed.
    """
    nodes = {node.name: node for node in net.nodes}
    wrong, found, left = list[str](), list[tuple[list[Place], LayerWeights]](), list[str]()
    for file in map(list, weights):
        names, taken = {clean(given.name) for given in file}, set[str]()
        for given in file:
            name = _target(clean(given.name), nodes, taken)
            if name is None:
                left.append(given.name)
                continue
            taken.add(name)
            places = _places(nodes, name, len(given.blobs), apart=name + BIAS in names)
            found.append((places, given))
            wrong += _misfits(given, places)
    if wrong:
        raise FileFormatError(
            "these layers are not those of the weights; rename them, so that they keep what they begin with (or is "
            "this another net's caffemodel?)\n  " + "\n  ".join(wrong)
        )
    for places, given in found:
        for place, blob in zip(places, given.blobs, strict=True):
            place.put(blob)
    if tell:
        _warn(net, {id(place.layer._shared) for places, _ in found for place in places}, left)


def _warn(net: Graph, found: set[int], left: list[str]) -> None:
    """Name the layers that have parameters and found no weights for them, as they or their twins are."""
    bare = [
        node.name
        for node in net.nodes
        if id(node.layer._shared) not in found and places_of(node.name, node.layer, len(node.inputs))
    ]
    if not bare:
        return
    one = len(bare) == 1
    said = "none of the layers that the weights are of is in the net: " if left and not found else ""
    said += f"{_some(bare)} {'keeps its' if one else 'keep their'} initial values"
    if not net.training:
        said += ", which are random where a filler makes them so"
    said += f"; the weights have none for {'it' if one else 'them'}"
    warnings.warn(said + (f", and no layer took those of {_some(left)}" if left else ""), stacklevel=4)


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(repr(name)[:100] for name in names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


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


def _target(name: str, nodes: dict[str, GraphNode], taken: set[str]) -> str | None:
    """The layer that weights of that name are for: the first one that has any, of several that Caffe calls so."""
    found, number = name, 1
    while found in nodes:
        if found not in taken and _places(nodes, found):
            return found
        number += 1
        found = f"{name}_{number}"
    return None


def _places(nodes: dict[str, GraphNode], name: str, count: int = 1, apart: bool = False) -> list[Place]:
    """Where ``count`` blobs of a layer go; its bias may be another layer, unless that is a layer of the file's too."""
    node = nodes[name]
    layer, own = node.layer, nodes.get(name + BIAS)
    if slots_of(layer) is None and not (layer.built or type(layer).__module__.startswith("handbrew.")):
        places = [Place(name, layer, f"{UNNAMED}{i}") for i in range(count)]
    else:
        places = places_of(name, layer, len(node.inputs))
    return places + ([Place(own.name, own.layer, "b")] if own is not None and not apart else [])


def _misfits(given: LayerWeights, places: Sequence[Place]) -> list[str]:
    if len(given.blobs) != len(places):
        return [f"{given.name}: expected {len(places)} blobs, got {len(given.blobs)}"]
    said = (place.misfit(blob) for place, blob in zip(places, given.blobs, strict=True))
    return [text for text in said if text is not None]
