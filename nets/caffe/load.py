"""``load_caffe``: Caffe's nets as a ``Graph``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import LabelError, ShapeError, inference

from ..graph import Graph
from .assembly import DATA, Assembly, kinds_of, renamed
from .custom import Custom
from .limits import LARGEST_BLOB, TooLargeError, limited
from .naming import layer_names
from .reading import reading
from .select import phase_of, select
from .text import read_net
from .transfer import load_weights
from .weights import read_caffemodel

Shape = tuple[int, ...]
SMALL = 1 << 26  # values in a blob of a pass that is only there to learn the shapes


def load_caffe(
    prototxt: str | PathLike[str],
    caffemodel: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    phase: str = "test",
    *,
    level: int = 0,
    stages: Iterable[str] = (),
    custom: Custom | None = None,
) -> Graph:
    """Make a ``Graph`` of a Caffe net, with Caffe's conventions, ready to predict or to train on.

    Its blobs and layers have Caffe's names; its inputs are what Input layers and data layers make. It is in evaluation
    mode if ``phase`` is "test", and built if the prototxt says the inputs' shapes; else the first ``forward``
    builds it, and puts the weights in.

    Parameters
    ----------
    prototxt : path, or the text itself
        Of today's layers, or of older ones (V1, V0).
    caffemodel : path or sequence of paths, optional
        The weights, by the layers' names; ``.caffemodel`` or HDF5; of several files in their order, so the last one
        that has a layer counts. A layer of another name keeps what its filler makes, and a warning names it: so the
        last layer is renamed to fine-tune a net.
    phase : "test" or "train"
        Together with ``level`` and ``stages``, which layers are in, by their include and exclude rules.
    custom : dict, optional
        For types that handbrew does not know, or shall not take: a ``Layer`` by the type's name, or for Python
        layers by the name of the class in ``python_param``. A class is called with the fields of the layer's own
        message as arguments, ``order=[0, 2, 3, 1]`` for ``permute_param { order: 0 order: 2 … }``, or with the dict
        in ``param_str``, or with none; anything else with the ``LayerParameter``, and such messages as dicts by their
        names, and returns a layer.

    Raises
    ------
    FileFormatError
        If a file is damaged or no net; or a layer cannot be run, has other weights, or does not fit its bottoms: it
        names layer and blob, and says what to do.
    OSError
        If a file is not there, or cannot be read.
    ValueError
        If ``phase`` is another one.
    """
    phase, path = phase_of(phase), _name_of(prototxt)
    net = read_net(prototxt, custom or ())
    with reading(path):
        net = select(net, phase, level, stages)
        graph = to_graph(net, custom)
        graph.train(phase == "train")
    files = _files(caffemodel)
    given = [read_caffemodel(file) for file in files]
    if files:
        with reading(files[-1]):
            load_weights(graph, *given)
    with reading(path), reading(files[-1]) if files else nullcontext():
        shapes = input_shapes(net)
        if shapes is not None and len(shapes) == len(graph.inputs):
            build(graph, shapes)
    return graph


def to_graph(net: Any, custom: Custom | None = None) -> Graph:
    """Make a ``Graph``, not built yet, of a ``NetParameter`` of today's layers whose phase has been selected.

    Raises
    ------
    FileFormatError
        As ``load_caffe``.
    """
    net = renamed(net, custom or {})
    names = layer_names(net)
    seen = set[str]()
    for i, (layer, name) in enumerate(zip(net.layer, names, strict=True)):
        if layer.name in seen:
            warnings.warn(f"several layers are called {layer.name!r}; layer {i} is {name!r} now", stacklevel=2)
        seen.add(layer.name)
    assembly = Assembly(net)
    kinds = kinds_of(net, custom or {})
    for place, (layer, name, kind) in enumerate(zip(net.layer, names, kinds, strict=True)):
        assembly.add(layer, place, name, kind)
    if not assembly.nodes:
        raise FileFormatError("expected a net, got no layer that computes anything in this phase")
    try:
        inputs = tuple(assembly.tops.inputs.values())
        return Graph(inputs, *assembly.nodes, loss_weights=assembly.loss_weights)
    except (TypeError, ValueError) as error:
        raise FileFormatError(str(error)) from error


def input_shapes(net: Any) -> list[Shape] | None:
    """The shapes, batch included, of the graph's inputs in their order; ``None`` if one of them is not said."""
    shapes: list[Shape] = []
    for layer in net.layer:
        tops = len(layer.top)
        if layer.type == "Input":
            said = [tuple(shape.dim) for shape in layer.input_param.shape]
            if len(said) not in (0, 1, tops):
                raise FileFormatError(f"layer {layer.name!r} (Input): has {len(said)} shapes for {tops} tops")
            shapes += said * tops if len(said) == 1 else said
        elif layer.type == "MemoryData":
            p = layer.memory_data_param
            shapes += [(p.batch_size, p.channels, p.height, p.width), (p.batch_size,)][:tops]
        elif layer.type in DATA:
            return None
    return shapes


def build(graph: Graph, shapes: list[Shape]) -> None:
    """Build a graph for inputs of these shapes, batch included.

    Raises
    ------
    FileFormatError
        If a layer does not fit its bottoms, or would be too large.
    """
    if any(len(shape) < 1 or min(shape) < 0 or math.prod(shape) > LARGEST_BLOB for shape in shapes):
        raise FileFormatError(f"expected inputs of one axis or more and {LARGEST_BLOB} values or less, got {shapes}")
    by_name, batch = dict(zip(graph.inputs, shapes, strict=True)), max((shape[0] for shape in shapes), default=1)
    samples = [by_name[name][1:] for name in graph.data]
    try:
        try:
            with limited(graph, batch):
                graph.build(samples[0] if len(samples) == 1 else tuple(samples))
        except ShapeError:  # or a sample's shape depends on their number: then only a pass can tell
            with suppress(TooLargeError), limited(graph, batch, SMALL), inference(graph):
                zeros: dict[str, Any] = {name: np.zeros(shape, np.float32) for name, shape in by_name.items()}
                graph.forward(**zeros)
    except (ShapeError, LabelError) as error:
        raise FileFormatError("; ".join([str(error), *getattr(error, "__notes__", [])])) from error


def _files(caffemodel: Any) -> list[Path]:
    if caffemodel is None:
        return []
    return [Path(file) for file in ([caffemodel] if isinstance(caffemodel, (str, PathLike)) else caffemodel)]


def _name_of(prototxt: str | PathLike[str]) -> Path:
    """What errors call it: text of its own has no path."""
    is_text = isinstance(prototxt, str) and ("{" in prototxt or "\n" in prototxt)
    return Path("prototxt" if is_text else prototxt)
