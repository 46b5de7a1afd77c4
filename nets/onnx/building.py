"""From operators to layers that are wired: weights put in, constants worked out, shapes found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Layer, build_from, inference

from .attributes import Operator
from .base import OnnxLayer
from .constants import OnnxConstant, OnnxParameter
from .rules import Made
from .sharing import Uses
from .sketching import Sketchpad
from .telling import OnnxShape
from .tensors import Array
from .tracing import Traces
from .values import Values

Node = tuple[Layer, tuple[str, ...], tuple[str, ...]]
FOLDED = 2**26  # elements that may be made of constants, beyond four times those that are there


class ShapeMisfitError(FileFormatError):
    """The shapes that the model declares do not fit its operators."""


class Builder(Values):
    """The nodes of a ``Graph``, one by one.

    Attributes
    ----------
    nodes : list of Node
        Layers, with the blobs that each reads and makes.
    uses : Uses
    traces : Traces
    """

    def __init__(self, proto: Any, folder: Path, batch: int) -> None:
        super().__init__(proto, folder, batch)
        self.nodes: list[Node] = []
        self.uses, self.traces, self._pad, self._left = Uses(), Traces(), Sketchpad(), FOLDED

    def begin(self) -> None:
        """Take note of the initialisers, which have been read."""
        self._left = FOLDED + 4 * sum(array.size for array in self.constants.values())
        self.uses.origins = {name: frozenset((name,)) for name in self.learned}

    def add(self, op: Operator, made: Made) -> None:
        """Add what a rule made of an operator, or work it out if it depends on constants only."""
        for name in filter(None, op.outputs):
            if name in self.blobs or name in self.constants:
                raise FileFormatError(f"{op.where}: makes {name!r:.60}, which is there already")
        made.layer.astype(self.dtype)
        values = [read if isinstance(read, np.ndarray) else self.constants.get(read) for read in made.reads]
        if not made.weights and all(value is not None for value in values):
            self._fold(op, made.layer, [value for value in values if value is not None])
            return
        if made.weights:
            names = [name for name in op.inputs if name and name not in made.reads]
            twin = self.uses.twin(made.layer, made.weights, names, self.constants)
            if twin is None:
                build_from(made.layer.tied(), made.sample, dict(made.weights))
            else:
                made = made._replace(layer=twin)
        reads = [self.blob(read) for read in made.reads]
        wanted = [*op.outputs, *[""] * (made.outputs - len(op.outputs))]
        makes = [self.blob_name(name, op.kind.lower()) for name in wanted]
        self.blobs.update({name: blob for name, blob in zip(wanted, makes, strict=True) if name})
        self.nodes.append((made.layer.named(self.layer_name(op.name, op.kind.lower())), tuple(reads), tuple(makes)))
        self.traces.follow(op, made.layer, made.reads)
        self._sketch(op, made, values)

    def _fold(self, op: Operator, layer: Layer, values: list[Array]) -> None:
        """Work out what depends on constants only."""
        values = [v.astype(self.dtype, copy=False) if v.dtype.kind == "f" else v for v in values]
        if isinstance(layer, OnnxLayer):
            layer.most = self._left
        elif values[0].ndim:
            made = layer.build(values[0].shape[1:] if len(values) == 1 else tuple(v.shape[1:] for v in values))
            shapes = made if made and isinstance(made[0], tuple) else (made,)
            if len(values[0]) * sum(map(math.prod, shapes)) > self._left:
                raise FileFormatError(f"{op.where}: makes too much out of constants")
        with inference(layer), np.errstate(all="ignore"):
            ys = layer.forward(*values)
        for name, y in zip(op.outputs, ys if isinstance(ys, tuple) else (ys,), strict=False):
            self._left -= y.size
            if self._left < 0:
                raise FileFormatError(f"{op.where}: makes too much out of constants")
            self.constants[name] = y
            if y.dtype.kind == "f" and y.ndim and self.learned.intersection(op.inputs):
                self.learned.add(name)
                self.uses.comes_from(name, op.inputs)

    def blob(self, value: str | Array) -> str:
        """The blob that holds a value; a constant gets a layer that makes it, when one is first asked for."""
        if isinstance(value, str) and value in self.blobs:
            return self.blobs[value]
        array = value if isinstance(value, np.ndarray) else self.constants[value]
        name = value if isinstance(value, str) else ""
        blob = self.blob_name(name, "constant")
        layer: Layer
        if name in self.learned:
            self.uses.parameter(name, array)
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
            found = None if layer.takes_target else self._pad.run(layer, inputs, self.dtype)
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
