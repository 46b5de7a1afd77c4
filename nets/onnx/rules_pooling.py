"""Which layers do what ONNX's pooling operators do."""

from __future__ import annotations

from collections.abc import Mapping

from handbrew.data import FileFormatError
from handbrew.layers import (
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    Layer,
    MaxPool2D,
)

from .attributes import Operator
from .global_pooling import OnnxGlobalPool
from .pooling import OnnxAveragePool, OnnxLpPool, OnnxMaxPool
from .rules import Made, Rule
from .rules_products import one_number


def pool(op: Operator) -> Made:
    """``MaxPool2D`` or ``AvgPool2D``, if the windows lie as theirs do."""
    op.expect(1, 1)
    a = op.attributes
    kernel = a.integers("kernel_shape")
    if not kernel:
        raise FileFormatError(f"{op.where}: has no kernel_shape")
    strides, pads, dilations = (a.integers(name) for name in ("strides", "pads", "dilations"))
    ceil, auto_pad = bool(a.integer("ceil_mode", 0)), a.text("auto_pad", "NOTSET")
    options = (kernel, strides, pads, dilations, ceil, auto_pad)
    if op.kind == "LpPool":
        return Made(OnnxLpPool(*options, a.integer("p", 2)), op.inputs)
    indices = op.kind == "MaxPool" and op.wants(1)
    count_pad = bool(a.integer("count_include_pad", 0))
    around = (0,) * 4 if pads is None or auto_pad == "VALID" else pads
    plain = auto_pad in ("NOTSET", "VALID") and not indices and set(dilations or (1,)) == {1}
    if plain and len(kernel) == 2 and len(around) == 4 and around[:2] == around[2:] and op.holds(0, "f"):
        stride = one_number(strides)
        if all(0 <= p < k for p, k in zip(around, kernel, strict=False)):
            shape = one_number(kernel), stride, one_number(around[:2]), ceil
            if op.kind == "MaxPool":
                return Made(MaxPool2D(*shape), op.inputs)  # type: ignore[arg-type]
            return Made(AvgPool2D(*shape, count_pad), op.inputs)  # type: ignore[arg-type]
    if op.kind == "AveragePool":
        return Made(OnnxAveragePool(*options, count_pad), op.inputs)
    order = a.integer("storage_order", 0)
    return Made(OnnxMaxPool(*options, indices, order), op.inputs, outputs=1 + indices)


def global_pool(op: Operator) -> Made:
    """``GlobalAvgPool2D`` or ``GlobalMaxPool2D``, for images."""
    op.expect(1, 1)
    largest = op.kind == "GlobalMaxPool"
    if len(op.shape(0) or ()) == 4:
        image: Layer = GlobalMaxPool2D(keepdims=True) if largest else GlobalAvgPool2D(keepdims=True)
        return Made(image, op.inputs)
    return Made(OnnxGlobalPool(largest), op.inputs)


RULES: Mapping[str, Rule] = {
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
}
