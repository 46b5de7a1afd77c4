"""Drawing a net: Graphviz's DOT, and pictures where Graphviz is installed."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handbrew.layers import Initializer, Layer, Loss

from .files import write_atomically
from .graph import Graph
from .net import Net
from .wiring import GraphNode

if TYPE_CHECKING:
    from graphviz import Digraph

TEXTS = (".dot", ".gv")
PICTURES = (".svg", ".png", ".pdf")
BOX = {"shape": "box", "style": "rounded,filled", "fillcolor": "#eaf2fb", "color": "#4a7ab0"}
LOSS = BOX | {"fillcolor": "#fdeee0", "color": "#c07a30"}
BLOB = {"shape": "ellipse", "color": "#777777"}
WIDEST = 60  # characters of a layer's arguments


def draw(net: Net, path: str | PathLike[str] | None = None, in_shape: Any = None) -> str:
    """Return a drawing of the net in DOT, Graphviz's language, with the blobs' shapes on the edges; write it to a file.

    Layers are boxes, inputs and outputs of the net ellipses; a net inside the net is one box. A blob that is not called
    as the layer that makes it has its name on its edges too. Initialisers are left out. A net that is not built yet has
    no shapes: ``in_shape`` builds it.

    Parameters
    ----------
    path : str or path, optional
        Ends in ``.dot`` or ``.gv``, or in ``.svg``, ``.png`` or ``.pdf`` for a picture, which Graphviz makes
        (https://graphviz.org/download).

    Raises
    ------
    ImportError
        Without the extra ``draw``.
    FileNotFoundError
        If a picture is wanted and Graphviz's program ``dot`` is not installed.
    ValueError
        If the path ends otherwise.
    """
    ending = None if path is None else Path(path).suffix.lower()
    if ending is not None and ending not in (*TEXTS, *PICTURES):
        raise ValueError(f"{path}: expected a name that ends in {', '.join((*TEXTS, *PICTURES))}")
    if in_shape is not None:
        net.build(in_shape)
    drawing = _drawing(net)
    if path is not None:
        content = drawing.source.encode() if ending in TEXTS else _picture(drawing, str(ending)[1:], path)
        with write_atomically(path) as file:
            file.write(content)
    return drawing.source


def _drawing(net: Net) -> Digraph:
    try:
        from graphviz import Digraph
        from graphviz.quoting import escape
    except ImportError as error:
        raise ImportError("drawing a net needs the package graphviz: pip install 'handbrew[draw]'") from error
    nodes, inputs, outputs = _wires(net)
    drawing = Digraph(type(net).__name__, node_attr={"fontname": "Helvetica"}, edge_attr={"fontname": "Helvetica"})
    # Names as Graphviz knows them are our own: in an edge it would take a colon for a part of the node.
    makers, names = {blob: f"input{i}" for i, blob in enumerate(inputs)}, {blob: blob for blob in inputs}
    for blob, place in makers.items():
        drawing.node(place, escape(blob), **BLOB)
    for i, node in enumerate(nodes):
        drawing.node(f"layer{i}", escape(_label(node)), **(LOSS if isinstance(node.layer, Loss) else BOX))
        makers |= dict.fromkeys(node.outputs, f"layer{i}")
        names |= dict.fromkeys(node.outputs, node.name)
    shapes = _shapes_of_blobs(nodes)
    for i, node in enumerate(nodes):
        for blob in node.inputs:
            said = [blob] if names[blob] != blob else []
            label = ": ".join([*said, *([shapes[blob]] if blob in shapes else [])])
            drawing.edge(makers[blob], f"layer{i}", label=escape(label))
    for i, blob in enumerate(outputs):
        drawing.node(f"output{i}", escape(blob), **BLOB)
        drawing.edge(makers[blob], f"output{i}", label=shapes.get(blob, ""))
    return drawing


def _wires(net: Net) -> tuple[list[GraphNode], tuple[str, ...], tuple[str, ...]]:
    """The nodes, inputs and outputs; a chain's blobs bear the names of the layers that make them."""
    if isinstance(net, Graph):
        return list(net.nodes), net.inputs, net.outputs
    nodes, blob = list[GraphNode](), "input"
    for name, layer in net.children.items():
        reads = (blob, "target") if layer.takes_target else (blob,)
        nodes.append(GraphNode(name, layer, reads, (name,)))
        blob = name
    return nodes, ("input", "target") if net.takes_target else ("input",), (blob,)


def _shapes_of_blobs(nodes: list[GraphNode]) -> dict[str, str]:
    """The shapes that the layers know of, without the batch axis."""
    found: dict[str, Any] = {}
    for node in nodes:
        made = _shapes(node.layer.out_shape, len(node.outputs))
        found.update(zip(node.outputs, (None, *made[1:]) if node.is_loss else made, strict=True))
        read = [] if node.layer.takes_target else _shapes(node.layer.in_shape, len(node.inputs))
        found.update((blob, shape) for blob, shape in zip(node.inputs, read, strict=False) if shape is not None)
    return {blob: " x ".join(map(str, shape)) for blob, shape in found.items() if shape}


def _shapes(shape: Any, count: int) -> tuple[Any, ...]:
    """The shape of each of several inputs or outputs; ``None`` where it is not known."""
    if shape is None:
        return (None,) * count
    several = bool(shape) and isinstance(shape[0], tuple)
    return tuple(shape) if several and len(shape) == count else (shape,) if count == 1 else (None,) * count


def _label(node: GraphNode) -> str:
    text = _call(node.layer)
    return f"{node.name}\n{text if len(text) <= WIDEST else text[: WIDEST - 1] + '…'}"


def _call(layer: Layer) -> str:
    """The constructor's call, without initialisers; of a net, the classes that it holds."""
    if not isinstance(layer, Net):
        text = repr(layer)
        for name, value in layer.config().items():
            if isinstance(value, Initializer):
                given = f"{name}={value!r}"
                text = text.replace(f", {given}", "").replace(f"({given}, ", "(").replace(f"({given})", "()")
        return text
    return f"{type(layer).__name__}: {', '.join(type(part).__name__ for part in layer.layers)}"


def _picture(drawing: Digraph, kind: str, path: str | PathLike[str]) -> bytes:
    from graphviz import ExecutableNotFound

    try:
        picture: bytes = drawing.pipe(format=kind)
    except ExecutableNotFound as error:
        raise FileNotFoundError(
            f"{path}: a picture needs Graphviz, whose program dot is not on the PATH: install your system's package "
            f"graphviz (https://graphviz.org/download), or give a name that ends in .dot, for the drawing as text"
        ) from error
    return picture
