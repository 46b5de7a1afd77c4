"""MatMul with an Add behind it: what PyTorch makes of a linear layer."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .attributes import Operator


class Biases:
    """Finds, for a MatMul whose only reader is an Add, the initialiser that this adds.

    Attributes
    ----------
    sums : set of str
        What the Adds make that a layer does already.
    """

    def __init__(self, proto: Any, learned: set[str]) -> None:
        self.sums: set[str] = set()
        self._learned = learned
        self._readers = Counter(name for node in proto.node for name in node.input)
        self._readers.update(value.name for value in proto.output)
        plain = (node for node in proto.node if node.op_type == "Add" and not node.attribute and len(node.input) == 2)
        self._adds = {name: node for node in plain for name in node.input}

    def of(self, op: Operator) -> str:
        """The bias, with ``op.sum`` set; else an empty text."""
        add = self._adds.get(op.outputs[0])
        if op.kind != "MatMul" or add is None or self._readers[op.outputs[0]] > 1 or len(add.output) != 1:
            return ""
        other = next((name for name in add.input if name != op.outputs[0]), "")
        op.sum = add.output[0]
        return other if other in self._learned and other in op.constants and add.domain in ("", "ai.onnx") else ""
