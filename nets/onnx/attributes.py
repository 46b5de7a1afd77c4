"""An operator in an ONNX file: its attributes, checked, and what is known of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError

from .tensors import Array, array_of

FLOAT, INT, STRING, TENSOR, FLOATS, INTS = 1, 2, 3, 4, 6, 7  # AttributeProto's types


class UnsupportedError(Exception):
    """What handbrew has no layer for; the message says what."""


class Attributes:
    """The attributes of an operator by name, each asked for with the type that it has to have."""

    def __init__(self, node: Any, folder: Path, where: str) -> None:
        self._by_name = {attribute.name: attribute for attribute in node.attribute}
        self._folder, self._where = folder, where

    def _get(self, name: str, kind: int) -> Any:
        attribute = self._by_name.get(name)
        if attribute is not None and attribute.type != kind:
            raise FileFormatError(f"{self._where}: its attribute {name} is of type {attribute.type}, expected {kind}")
        return attribute

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def number(self, name: str, default: float) -> float:
        """A floating-point number."""
        attribute = self._get(name, FLOAT)
        return default if attribute is None else float(attribute.f)

    def integer(self, name: str, default: int) -> int:
        """An integer."""
        attribute = self._get(name, INT)
        return default if attribute is None else int(attribute.i)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Integers, or ``None``."""
        attribute = self._get(name, INTS)
        return None if attribute is None else tuple(int(n) for n in attribute.ints)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """Floating-point numbers, or ``None``."""
        attribute = self._get(name, FLOATS)
        return None if attribute is None else tuple(float(n) for n in attribute.floats)

    def text(self, name: str, default: str) -> str:
        """A text."""
        attribute = self._get(name, STRING)
        return default if attribute is None else attribute.s.decode("utf-8")

    def tensor(self, name: str) -> Array | None:
        """An array, or ``None``."""
        attribute = self._get(name, TENSOR)
        return None if attribute is None else array_of(attribute.t, self._folder, f"{self._where}: {name}")


class Operator:
    """An operator, as the rules that turn operators into layers see it.

    Attributes
    ----------
    kind : str
        Its type, like "Conv".
    version : int
        Of the operator set that it comes from.
    inputs, outputs : tuple of str
        Names of values; an empty one is missing.
    attributes : Attributes
    where : str
        Its place in the file, for error messages.
    constants : dict
        The values that are known beforehand, by name.
    sketches : dict
        Arrays that stand for the others: of their shape and dtype, as far as those are known.
    final : bool
        Whether no other operator reads its first output.
    given : set of str
        The values that the user gives: the model's inputs.
    bias, sum : str
        An initialiser that is added to its output, and what that makes; empty if there is none.
    traced : tuple of int or None
        What a shape, the second input, comes to if the model works it out: with 0 for a size that the first one has in
        that place.
    """

    def __init__(self, node: Any, number: int, version: int, folder: Path) -> None:
        self.kind, self.version, self.name = node.op_type, version, node.name
        self.inputs, self.outputs = _trimmed(node.input), _trimmed(node.output)
        self.where = f"operator {number}, {self.kind}" + (f" {self.name!r:.60}" if self.name else "")
        self.attributes = Attributes(node, folder, self.where)
        self.constants: dict[str, Array] = {}
        self.sketches: dict[str, Array] = {}
        self.given: set[str] = set()
        self.final = False
        self.bias = self.sum = ""
        self.traced: tuple[int, ...] | None = None
        if not self.outputs:
            raise FileFormatError(f"{self.where}: has no outputs")

    def has(self, place: int) -> bool:
        """Whether there is such an input."""
        return place < len(self.inputs) and self.inputs[place] != ""

    def wants(self, place: int) -> bool:
        """Whether there is such an output."""
        return place < len(self.outputs) and self.outputs[place] != ""

    def constant(self, place: int) -> Array | None:
        """An input's value, if it is known beforehand."""
        return self.constants.get(self.inputs[place]) if self.has(place) else None

    def shape(self, place: int) -> tuple[int, ...] | None:
        """An input's shape, if it is known."""
        value = self._sketch(place)
        return None if value is None else value.shape

    def holds(self, place: int, kinds: str) -> bool:
        """Whether an input is known to be of one of NumPy's kinds of dtypes: "f" are floats."""
        value = self._sketch(place)
        return value is not None and value.dtype.kind in kinds

    def _sketch(self, place: int) -> Array | None:
        value = self.constant(place)
        return self.sketches.get(self.inputs[place]) if value is None and self.has(place) else value

    def argument(self, place: int) -> tuple[int, ...] | None:
        """An input as integers, if it is there and known beforehand."""
        value = self.constant(place)
        if value is None:
            return None
        if value.dtype.kind not in "iu":
            raise FileFormatError(f"{self.where}: expected integers as input {place}, got {value.dtype}")
        return tuple(int(n) for n in value.reshape(-1))

    def known(self, places: Sequence[int]) -> bool:
        """Whether all of these inputs are known beforehand, or missing."""
        return all(not self.has(place) or self.constant(place) is not None for place in places)

    def expect(self, least: int, most: int) -> None:
        """Refuse an operator with fewer inputs, or more.

        Raises
        ------
        FileFormatError
            If the number of inputs is another.
        """
        if not least <= len(self.inputs) <= most or "" in self.inputs[:least]:
            raise FileFormatError(f"{self.where}: expected {least} to {most} inputs, got {list(self.inputs)}")


def _trimmed(names: Any) -> tuple[str, ...]:
    found = list(names)
    while found and not found[-1]:
        found.pop()
    return tuple(found)
