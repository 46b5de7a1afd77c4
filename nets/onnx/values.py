"""What an ONNX graph's values are known to be, before and while its operators are converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError

from .sketching import MOST, blank
from .tensors import FLOATS, KINDS, Array, array_of

BYTE, DOUBLE = 2, 11  # data types
GUESS = 32  # the size of an axis that the model leaves open, while shapes are worked out


class Values:
    """The values of a graph by name; ``batch`` is the size of axis 0 that is tried where the model leaves it open.

    Attributes
    ----------
    constants : dict
        Those that are known beforehand.
    learned : set
        The constants among them that are weights.
    sketches : dict
        Stand-ins for the others: arrays of their shape and dtype.
    exact : set
        The sketches whose elements are right too, not only their shape.
    blobs : dict
        The blobs that hold values in the ``Graph``.
    problems : list
        What handbrew has no layer for.
    guessed : bool
        Whether the size of an axis other than the first was left open.
    """

    def __init__(self, proto: Any, folder: Path, batch: int) -> None:
        self.proto, self.folder, self.batch = proto, folder, batch
        self.constants: dict[str, Array] = {}
        self.learned: set[str] = set()
        self.sketches: dict[str, Array] = {}
        self.exact: set[str] = set()
        self.blobs: dict[str, str] = {}
        self.problems: list[str] = []
        self.guessed = False
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._blob_names: dict[str, int] = {}  # those taken, and how often
        self._layer_names: dict[str, int] = {}

    def read_initializers(self) -> None:
        """Take up the weights, and what else is given."""
        if len(self.proto.sparse_initializer):
            raise FileFormatError("has sparse initialisers, which handbrew does not read")
        doubles = [t for t in self.proto.initializer if t.data_type == DOUBLE]
        if doubles or any(value.type.tensor_type.elem_type == DOUBLE for value in self.proto.input):
            self.dtype = np.dtype(np.float64)
        for tensor in self.proto.initializer:
            if tensor.name in self.constants:
                raise FileFormatError(f"has two initialisers {tensor.name!r:.60}")
            array = array_of(tensor, self.folder, f"initialiser {tensor.name!r:.60}")
            self.constants[tensor.name] = array
            if array.dtype.kind == "f" and array.ndim:
                self.learned.add(tensor.name)

    def read_inputs(self) -> set[str]:
        """Take up the inputs; return those that the user gives."""
        given = [value for value in self.proto.input if value.name not in self.constants]
        for value in given:
            kind = value.type.tensor_type.elem_type
            if kind not in KINDS:
                self.problems.append(f"the input {value.name!r:.60}, which is no array of numbers")
                self.blobs[value.name] = ""
                continue
            self.blobs[value.name] = self.blob_name(value.name, "input")
            shape = self._shape(value.type.tensor_type)
            floats = kind in FLOATS or kind == BYTE  # uint8 is cast at the entry
            if shape is not None and np.prod(shape, dtype=float) <= MOST:
                self.sketches[value.name] = blank(shape, self.dtype if floats else KINDS[kind][0])
        return {value.name for value in given}

    def _shape(self, kind: Any) -> tuple[int, ...] | None:
        """The declared shape, with a guess for what is left open."""
        if not kind.HasField("shape"):
            return None
        sizes = []
        for axis, dim in enumerate(kind.shape.dim):
            known = dim.HasField("dim_value")
            if known and dim.dim_value < 0:
                raise FileFormatError(f"an input has a size of {dim.dim_value}")
            self.guessed |= not known and axis > 0
            sizes.append(dim.dim_value if known else self.batch if axis == 0 else GUESS)
        return tuple(sizes)

    @staticmethod
    def open_shape(value: Any) -> tuple[int | None, ...] | None:
        """An input's declared shape without the batch axis: ``None`` for a size that is left open."""
        kind = value.type.tensor_type
        if not kind.HasField("shape"):
            return None
        return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim[1:])

    def blob_name(self, wanted: str, default: str) -> str:
        """A name for a blob that is free."""
        return _free(wanted, default, self._blob_names)

    def layer_name(self, wanted: str, default: str) -> str:
        """A name for a layer that is free."""
        return _free(wanted, default, self._layer_names)


def _free(wanted: str, default: str, taken: dict[str, int]) -> str:
    """A name like the wanted one, without dots and blanks; it is taken then."""
    word = "".join(c if c.isprintable() and not c.isspace() and c != "." else "_" for c in wanted) or default
    name = word
    while name in taken:
        taken[word] += 1
        name = f"{word}_{taken[word]}"
    taken[name] = 1
    return name
