"""Which layers do what ONNX's operators on shapes, axes and indices do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from handbrew.layers import Flatten, Reshape, Transpose

from .arranging import OnnxDepthToSpace, OnnxTranspose
from .attributes import Operator
from .rules import Made, Rule
from .shapes import OnnxFlatten, OnnxIdentity, OnnxReshape, OnnxSqueeze, OnnxUnsqueeze


def identity(op: Operator) -> Made:
    """The input."""
    op.expect(1, 1)
    return Made(OnnxIdentity(), op.inputs)


def reshape(op: Operator) -> Made:
    """``Reshape`` or ``Flatten``, if the shape is known, or made of the input's sizes, and leaves axis 0 alone."""
    zero = bool(op.attributes.integer("allowzero", 0))
    if op.version < 5:
        op.expect(1, 1)
        shape = op.attributes.integers("shape") or ()
    else:
        op.expect(2, 2)
        found = op.argument(1)
        if found is None and not zero:
            found = op.traced
        if found is None:
            return Made(OnnxReshape(allowzero=zero), op.inputs)
        shape = found
    before = op.shape(0)
    kept = bool(shape) and shape[0] == 0 and not zero
    if shape and shape[0] == -1 and before and 0 not in shape and not (zero and 0 in before):
        kept = math.prod(before[1:]) == math.prod(shape[1:])
    if kept and before and len(before) > 1 and op.holds(0, "f"):
        flat = shape[1:] in ((-1,), (math.prod(before[1:]),))
        return Made(Flatten() if flat else Reshape(*shape[1:]), op.inputs[:1])
    return Made(OnnxReshape(shape, zero), op.inputs[:1])


def flatten(op: Operator) -> Made:
    """``Flatten``, if axis 0 is left alone."""
    op.expect(1, 1)
    axis, shape = op.attributes.integer("axis", 1), op.shape(0)
    if shape is not None and len(shape) > 1 and op.holds(0, "f") and axis in (1, 1 - len(shape)):
        return Made(Flatten(), op.inputs)
    return Made(OnnxFlatten(axis), op.inputs)


def squeeze(op: Operator) -> Made:
    """Axes of size 1 taken off, or put in."""
    layer: Any = OnnxSqueeze if op.kind == "Squeeze" else OnnxUnsqueeze
    op.expect(1, 2)
    axes = op.argument(1) if op.has(1) else op.attributes.integers("axes")
    if op.has(1) and axes is None:
        return Made(layer(), op.inputs)
    return Made(layer(axes), op.inputs[:1])


def transpose(op: Operator) -> Made:
    """``Transpose``, if axis 0 stays first."""
    op.expect(1, 1)
    perm = op.attributes.integers("perm")
    stays = perm is not None and len(perm) > 1 and perm[0] == 0 and sorted(perm) == list(range(len(perm)))
    if perm is not None and stays and op.holds(0, "f"):
        return Made(Transpose(*perm[1:]), op.inputs)
    return Made(OnnxTranspose(perm), op.inputs)


def depth_to_space(op: Operator) -> Made:
    """Channels as pixels, or pixels as channels."""
    op.expect(1, 1)
    a = op.attributes
    return Made(
        OnnxDepthToSpace(a.integer("blocksize", 0), a.text("mode", "DCR"), op.kind == "SpaceToDepth"), op.inputs
    )


RULES: Mapping[str, Rule] = {
    "Identity": identity,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": squeeze,
    "Transpose": transpose,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": depth_to_space,
}
