"""From an ONNX graph to the nodes of a ``Graph``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError

from ..graph import Graph
from .attributes import Operator, UnsupportedError
from .biases import Biases
from .building import Builder, Node
from .constants import OnnxConstant
from .own_losses import own_loss
from .rules import Made, Rule
from .rules_constants import RULES as CONSTANTS
from .rules_elementwise import RULES as ELEMENTWISE
from .rules_indexing import RULES as INDEXING
from .rules_losses import RULES as LOSSES
from .rules_normalizing import RULES as NORMALIZING
from .rules_pooling import RULES as POOLING
from .rules_products import RULES as PRODUCTS
from .rules_resizing import RULES as RESIZING
from .rules_shapes import RULES as SHAPES
from .shapes import OnnxIdentity
from .sketching import blank

RULES: Mapping[str, Rule] = {
    **PRODUCTS,
    **POOLING,
    **NORMALIZING,
    **LOSSES,
    **ELEMENTWISE,
    **SHAPES,
    **INDEXING,
    **CONSTANTS,
    **RESIZING,
}


class Importer(Builder):
    """One reading of a graph, operator by operator; ``batch`` as for ``Values``.

    ``own``: whether handbrew wrote it. Initialisers in ``shared`` become parameters, which the layers read.
    """

    def __init__(self, proto: Any, version: int, folder: Path, batch: int, own: bool = False) -> None:
        super().__init__(proto, folder, batch)
        self.version, self.own, self.shared = version, own, set[str]()

    def graph(self) -> Graph:
        """Convert everything.

        Raises
        ------
        FileFormatError
            If something is wrong with the model, or handbrew has no layer for some of its operators.
        """
        self.read_initializers()
        self.begin()
        given = self.read_inputs()
        for name in sorted(self.shared):
            self.blob(name)
            array = self.constants.pop(name)
            self.sketches[name] = blank(array.shape, self.dtype)
        read = {name for node in self.proto.node for name in node.input}
        biases = Biases(self.proto, self.learned)
        loss = own_loss(self.proto) if self.own else None
        for number, node in enumerate(self.proto.node):
            if loss is not None and loss.start <= number < len(self.proto.node) - 1:
                continue
            op = Operator(node, number, self.version, self.folder)
            op.constants, op.sketches, op.given, op.final = (
                self.constants,
                self.sketches,
                given,
                op.outputs[0] not in read,
            )
            if op.outputs[0] in biases.sums:
                continue
            if loss is not None and number >= loss.start:
                op.name = loss.name
                self.add(op, Made(loss.layer, loss.reads))
                break
            op.bias = biases.of(op)
            self._convert(op, node.domain)
            if op.bias and op.bias in op.inputs:
                biases.sums.add(op.outputs[0])
        if self.problems:
            raise FileFormatError("handbrew has no layer for\n  " + "\n  ".join(self.problems))
        if self.uses.shared and not self.shared:
            again = Importer(self.proto, self.version, self.folder, self.batch, self.own)
            again.shared = self.uses.shared
            return again.graph()
        return self._finish(given)

    def _convert(self, op: Operator, domain: str) -> None:
        for name in op.inputs:
            if name and name not in self.blobs and name not in self.constants and not self.problems:
                raise FileFormatError(f"{op.where}: reads {name!r:.60}, which nothing before it makes")
        if domain not in ("", "ai.onnx") or op.kind not in RULES:
            self._skip(op, op.where + (f" of {domain!r:.60}" if domain else ""))
            return
        try:
            if op.kind == "Reshape" and op.has(1):
                op.traced = self.traces.shape_for(op)
            made = RULES[op.kind](op)
            if op.bias and "b" in made.weights:
                op.inputs, op.outputs = (*op.inputs, op.bias), (op.sum,)
            if len(op.outputs) > made.outputs:
                raise UnsupportedError(f"{made.outputs} outputs are made, and {len(op.outputs)} are wanted")
            self.add(op, made)
        except UnsupportedError as error:
            self._skip(op, f"{op.where}: {error}")
        except FileFormatError:
            raise
        except Exception as error:
            raise FileFormatError(f"{op.where}: {error}") from error

    def _skip(self, op: Operator, problem: str) -> None:
        self.problems.append(problem)
        self.blobs.update({name: name for name in op.outputs if name})  # so that the rest can be looked at

    def _wanted(self, outputs: list[str]) -> list[Node]:
        """The nodes without those that work out a shape that is known now."""
        found: list[Node] = []
        read, traced = set(outputs), {self.blobs[name] for name in self.traces.codes if name in self.blobs}
        for layer, reads, makes in reversed(self.nodes):
            if read.intersection(makes) or not (isinstance(layer, OnnxConstant) or traced.issuperset(makes)):
                found.append((layer, reads, makes))
                read.update(reads)
        return found[::-1]

    def _finish(self, given: set[str]) -> Graph:
        inputs = tuple(self.blobs[value.name] for value in self.proto.input if value.name in given)
        outputs = []
        for value in self.proto.output:
            if value.name not in self.blobs and value.name not in self.constants:
                raise FileFormatError(f"its output {value.name!r:.60} is made by nothing")
            blob = self.blob(value.name)
            if blob in inputs or blob in outputs:
                same, blob = blob, self.blob_name(value.name, "output")
                self.nodes.append((OnnxIdentity().named(self.layer_name("", "identity")), (same,), (blob,)))
            outputs.append(blob)
        if not outputs:
            raise FileFormatError("has no outputs")
        net = Graph(inputs, *self._wanted(outputs), outputs=tuple(outputs)).astype(self.dtype)
        values = [value.name for value in self.proto.input if value.name in given]
        shapes = [
            self.sketches[name].shape[1:] for name in values if self.blobs[name] in net.data and name in self.sketches
        ]
        whole = all(layer.in_shape is not None or layer.takes_target for layer in net.layers)
        whole = whole and not all(layer.takes_target for layer in net.layers)
        opened = [self.open_shape(value) for value in self.proto.input if self.blobs.get(value.name) in net.data]
        if self.guessed and len(opened) == len(net.data) and None not in opened:
            net.open_shape = opened[0] if len(opened) == 1 else tuple(opened)
        if whole and shapes and len(shapes) == len(net.data):
            net.build(shapes[0] if len(shapes) == 1 else tuple(shapes))
        return net
