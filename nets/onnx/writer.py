"""The ONNX model that is being written: nodes, initialisers, and names for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers import Layer

from .tensors import CODES, Array

Values = tuple[str, ...]


class Writer:
    """Collects what a model is made of; ``path`` is the place in the net that names are made from.

    ``any_size``: whether the model is for images of any size, and not only for those that the net was built for.
    """

    def __init__(self, dtype: np.dtype[Any], any_size: bool = False) -> None:
        from onnx import helper

        self.helper, self.dtype, self.any_size = helper, dtype, any_size
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.problems: list[str] = []
        self.integer_inputs: set[str] = set()
        self.target_shapes: dict[str, tuple[int, ...]] = {}  # without the batch axis
        self.path = ""
        self._taken: dict[str, int] = {}  # and how often
        self._held: dict[int, str] = {}

    def name(self, wanted: str) -> str:
        """A name like the wanted one that is free."""
        name = wanted
        while name in self._taken:
            self._taken[wanted] += 1
            name = f"{wanted}_{self._taken[wanted]}"
        self._taken[name] = 1
        return name

    def tensor(self, array: Any, name: str = "") -> Any:
        """An array as a TensorProto, floating-point numbers in the net's precision."""
        array = np.asarray(array)
        array = array.astype(self.dtype) if array.dtype.kind == "f" else array
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        return self.helper.make_tensor(name, CODES[array.dtype.name], array.shape, data, raw=True)

    def weight(self, name: str, array: Array, key: Any = None) -> str:
        """An initialiser; the same ``key`` again gives the same one, so that tied layers share it."""
        if id(key) not in self._held or key is None:
            there = self.name(f"{self.path}.{name}" if self.path else name)
            self.initializers.append(self.tensor(array, there))
            if key is None:
                return there
            self._held[id(key)] = there
        return self._held[id(key)]

    def integers(self, *numbers: int) -> str:
        """A vector of integers."""
        return self.weight("constant", np.array(numbers, np.int64))

    def scales(self, values: Any) -> str:
        """A vector of float32, which some inputs have to be whatever the net's precision."""
        data = np.asarray(values, "<f4")
        there = self.name(f"{self.path}.constant" if self.path else "constant")
        self.initializers.append(self.helper.make_tensor(there, CODES["float32"], data.shape, data.tobytes(), raw=True))
        return there

    def given(self, name: str) -> str:
        """A value's name, or none if it is a Constant without elements, which stands for an input that is missing."""
        made = next((node for node in reversed(self.nodes) if name in node.output), None)
        missing = made is not None and made.op_type == "Constant" and 0 in made.attribute[0].t.dims
        return "" if missing else name

    def constant(self, value: Any) -> str:
        """A fixed array of floating-point numbers, which no reader will take for a weight."""
        return self.op("Constant", (), value=self.tensor(np.asarray(value, self.dtype)))

    def op(self, kind: str, inputs: Values, **attributes: Any) -> str:
        """An operator with one output, whose name is returned."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Values, outputs: int, **attributes: Any) -> Values:
        """An operator; attributes that are ``None`` are left out."""
        name = self.name(f"{self.path}.{kind}" if self.path else kind)
        made = tuple(self.name(f"{name}.{i}" if outputs > 1 else f"{name}.y") for i in range(outputs))
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self.helper.make_node(kind, list(inputs), list(made), name=name, **given))
        return made

    def rename(self, name: str, wanted: str) -> str:
        """Give a value that an operator makes the wanted name, or one like it that is free."""
        new = self.name(wanted)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [new if there == name else there for there in names]
        return new

    def scaled(self, x: str, scale: float = 1.0, shift: float = 0.0) -> str:
        """Scale x + shift, as far as that does anything."""
        x = x if scale == 1 else self.op("Mul", (x, self.constant(scale)))
        return x if shift == 0 else self.op("Add", (x, self.constant(shift)))


Emitter = Callable[[Writer, Any, Values], "str | Values"]


def emitter_for(layer: Layer, table: dict[type, Emitter]) -> Emitter | None:
    """The way to write a layer: its class's, or that of a base which computes what it computes."""
    for base in type(layer).__mro__:
        if base in table:
            return table[base] if type(layer).forward is base.forward else None  # type: ignore[attr-defined]
    return None
