"""From an ONNX graph to the nodes of a ``Graph``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Layer, build_from, inference

from ..graph import Graph
from .attributes import Operator, UnsupportedError
from .base import OnnxLayer
from .constants import OnnxConstant, OnnxParameter
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
from .sketching import Sketchpad
from .telling import OnnxShape
from .tensors import Array
from .values import Values

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
FOLDED = 2**26  # elements that may be made of constants, beyond those that are there


class ShapeMisfitError(FileFormatError):
    """The shapes that the model declares do not fit its operators."""


class Importer(Values):
    """One reading of a graph, operator by operator; ``batch`` as for ``Values``."""

    def __init__(self, proto: Any, version: int, folder: Path, batch: int) -> None:
        super().__init__(proto, folder, batch)
        self.version, self.folded, self.pad = version, 0, Sketchpad()
        self.nodes: list[tuple[Layer, tuple[str, ...], tuple[str, ...]]] = []

    def graph(self) -> Graph:
        """Convert everything.

        Raises
        ------
        FileFormatError
            If something is wrong with the model, or handbrew has no layer for some of its operators.
        """
        self.read_initializers()
        given = self.read_inputs()
        read = {name for node in self.proto.node for name in node.input}
        for number, node in enumerate(self.proto.node):
            op = Operator(node, number, self.version, self.folder)
            op.constants, op.sketches, op.given, op.final = (
                self.constants,
                self.sketches,
                given,
                op.outputs[0] not in read,
            )
            self._convert(op, node.domain)
        if self.problems:
            raise FileFormatError("handbrew has no layer for\n  " + "\n  ".join(self.problems))
        return self._finish(given)

    def _convert(self, op: Operator, domain: str) -> None:
        for name in op.inputs:
            if name and name not in self.blobs and name not in self.constants and not self.problems:
                raise FileFormatError(f"{op.where}: reads {name!r:.60}, which nothing before it makes")
        if domain not in ("", "ai.onnx") or op.kind not in RULES:
            self._skip(op, op.where + (f" of {domain!r:.60}" if domain else ""))
            return
        try:
            made = RULES[op.kind](op)
            if len(op.outputs) > made.outputs:
                raise UnsupportedError(f"{made.outputs} outputs are made, and {len(op.outputs)} are wanted")
            self._add(op, made)
        except UnsupportedError as error:
            self._skip(op, f"{op.where}: {error}")
        except FileFormatError:
            raise
        except Exception as error:
            raise FileFormatError(f"{op.where}: {error}") from error

    def _skip(self, op: Operator, problem: str) -> None:
        self.problems.append(problem)
        self.blobs.update({name: name for name in op.outputs if name})  # so that the rest can be looked at

    def _add(self, op: Operator, made: Made) -> None:
        for name in filter(None, op.outputs):
            if name in self.blobs or name in self.constants:
                raise FileFormatError(f"{op.where}: makes {name!r:.60}, which is there already")
        made.layer.astype(self.dtype)
        values = [read if isinstance(read, np.ndarray) else self.constants.get(read) for read in made.reads]
        if not made.weights and all(value is not None for value in values):
            self._fold(op, made.layer, [value for value in values if value is not None])
            return
        if made.weights:
            build_from(made.layer.tied(), made.sample, dict(made.weights))
        reads = [self._blob(read) for read in made.reads]
        wanted = [*op.outputs, *[""] * (made.outputs - len(op.outputs))]
        makes = [self.blob_name(name, op.kind.lower()) for name in wanted]
        self.blobs.update({name: blob for name, blob in zip(wanted, makes, strict=True) if name})
        self.nodes.append((made.layer.named(self.layer_name(op.name, op.kind.lower())), tuple(reads), tuple(makes)))
        self._sketch(op, made, values)

    def _fold(self, op: Operator, layer: Layer, values: list[Array]) -> None:
        """Work out what depends on constants only."""
        with inference(layer), np.errstate(all="ignore"):
            values = [v.astype(self.dtype) if v.dtype.kind == "f" else v for v in values]
            ys = layer.forward(*values)
        for name, y in zip(op.outputs, ys if isinstance(ys, tuple) else (ys,), strict=False):
            self.folded += max(0, y.size - sum(v.size for v in values))
            if self.folded > FOLDED:
                raise FileFormatError(f"{op.where}: makes too much out of constants")
            self.constants[name] = y
            if y.dtype.kind == "f" and y.size > 1 and self.learned.intersection(op.inputs):
                self.learned.add(name)

    def _blob(self, value: str | Array) -> str:
        """The blob that holds a value; a constant gets a layer that makes it, when one is first asked for."""
        if isinstance(value, str) and value in self.blobs:
            return self.blobs[value]
        array = value if isinstance(value, np.ndarray) else self.constants[value]
        name = value if isinstance(value, str) else ""
        blob = self.blob_name(name, "constant")
        layer: Layer
        if name in self.learned:
            layer = OnnxParameter(*array.shape).astype(self.dtype)
            build_from(layer, (), {"value": array})
        else:
            layer = OnnxConstant(array).astype(self.dtype)
            layer.build(())
        self.nodes.append((layer.named(self.layer_name(name, "constant")), (), (blob,)))
        if name:
            self.blobs[name] = blob
        return blob

    def _sketch(self, op: Operator, made: Made, values: list[Array | None]) -> None:
        layer = made.layer
        inputs = []
        for place, (read, value) in enumerate(zip(made.reads, values, strict=True)):
            sketch = value if value is not None or isinstance(read, np.ndarray) else self.sketches.get(read)
            decides = isinstance(layer, OnnxLayer) and layer.shaped_by is not None and place >= layer.shaped_by
            if sketch is None or (decides and value is None and read not in self.exact):
                return
            inputs.append(sketch.astype(self.dtype, copy=False) if sketch.dtype.kind == "f" else sketch)
        try:
            found = None if layer.takes_target else self.pad.run(layer, inputs, self.dtype)
        except Exception as error:
            if self.guessed:
                return
            raise ShapeMisfitError(f"{op.where}: {error}") from error
        sure = isinstance(layer, OnnxShape) or all(
            v is not None or r in self.exact for r, v in zip(made.reads, values, strict=True)
        )
        for name, y in zip(op.outputs, found or (), strict=False):
            self.sketches[name] = y
            if sure and y.dtype.kind in "iub" and 0 not in (y.strides or (1,)):
                self.exact.add(name)

    def _finish(self, given: set[str]) -> Graph:
        inputs = tuple(self.blobs[value.name] for value in self.proto.input if value.name in given)
        outputs = []
        for value in self.proto.output:
            if value.name not in self.blobs and value.name not in self.constants:
                raise FileFormatError(f"its output {value.name!r:.60} is made by nothing")
            blob = self._blob(value.name)
            if blob in inputs or blob in outputs:
                same, blob = blob, self.blob_name(value.name, "output")
                self.nodes.append((OnnxIdentity().named(self.layer_name("", "identity")), (same,), (blob,)))
            outputs.append(blob)
        if not outputs:
            raise FileFormatError("has no outputs")
        net = Graph(inputs, *self.nodes, outputs=tuple(outputs)).astype(self.dtype)
        values = [value.name for value in self.proto.input if value.name in given]
        shapes = [
            self.sketches[name].shape[1:] for name in values if self.blobs[name] in net.data and name in self.sketches
        ]
        whole = all(layer.in_shape is not None or layer.takes_target for layer in net.layers)
        whole = whole and not all(layer.takes_target for layer in net.layers)
        if whole and shapes and len(shapes) == len(net.data):
            net.build(shapes[0] if len(shapes) == 1 else tuple(shapes))
        return net
