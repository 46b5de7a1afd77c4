"""Layers for operators whose attributes and inputs take some work to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .base import integers
from .batch_normalizing import OnnxBatchNorm
from .classifying import OnnxDropout, OnnxNegativeLogLikelihood, OnnxSoftmax, OnnxSoftmaxCrossEntropy
from .elementwise import OnnxClip
from .gathering import OnnxGather
from .joining import OnnxSplit
from .normalizing import OnnxLayerNorm
from .padding import OnnxPad
from .pooling import OnnxMaxPool
from .reductions import OnnxReduce
from .resizing import OnnxResize
from .tensors import CODES
from .writer import Emitter, Values, Writer


def attributed(kind: str, names: Mapping[str, str], outputs: Callable[[Any], int] = lambda layer: 1) -> Emitter:
    """An operator with attributes: its names for them, and the layer's."""

    def emit(w: Writer, layer: Any, x: Values) -> str | Values:
        values = {name: getattr(layer, mine) for name, mine in names.items()}
        plain = {name: int(v) if isinstance(v, bool) else v for name, v in values.items()}
        made = w.ops(kind, x, outputs(layer), **plain)
        return made if len(made) > 1 else made[0]

    return emit


def argued(kind: str, arguments: Sequence[str], names: Mapping[str, str] = {}) -> Emitter:
    """An operator with arguments that are inputs, unless these are among the layer's own already."""
    plain = attributed(kind, names)

    def emit(w: Writer, layer: Any, x: Values) -> str | Values:
        given = [getattr(layer, name) for name in arguments] if len(x) == 1 else []
        w.integer_inputs.update(x[1:])
        while given and given[-1] is None:
            given.pop()
        return plain(w, layer, (*x, *("" if v is None else w.integers(*v) for v in given)))

    return emit


def clip(w: Writer, layer: OnnxClip, x: Values) -> str:
    """Bounds, those that are there; of integers they are integers."""
    bounds = ["" if b is None else w.constant(b) for b in (layer.min, layer.max)] if len(x) == 1 else []
    return w.op("Clip", (*x, *(b and w.op("CastLike", (b, x[0])) for b in bounds)))


def pad(w: Writer, layer: OnnxPad, x: Values) -> str:
    """A border; the value is of x's kind."""
    if len(x) > 1:
        return w.op("Pad", x, mode=layer.mode)
    value = w.op("CastLike", (w.constant(layer.value), x[0])) if layer.mode == "constant" and layer.value else ""
    axes = "" if layer.axes is None else w.integers(*layer.axes)
    return w.op("Pad", (*x, w.integers(*(layer.pads or ())), value, axes), mode=layer.mode)


def split(w: Writer, layer: OnnxSplit, x: Values) -> str | Values:
    """Parts of these sizes, or equal ones."""
    if layer.sizes is not None and len(x) == 1:
        x = (*x, w.integers(*layer.sizes))
    parts = w.ops("Split", x, layer.parts, axis=layer.axis, num_outputs=layer.parts if len(x) == 1 else None)
    return parts if len(parts) > 1 else parts[0]


def max_pool(w: Writer, layer: OnnxMaxPool, x: Values) -> str | Values:
    """Maxima, and where they are."""
    names = POOL | {"storage_order": "storage_order"}
    return attributed("MaxPool", names, lambda _: 1 + layer.indices)(w, layer, x)


MOVES = {"strides": "strides", "pads": "pads", "dilations": "dilations", "auto_pad": "auto_pad"}

POOL = MOVES | {"kernel_shape": "kernel_shape", "ceil_mode": "ceil_mode"}


def dropout(w: Writer, layer: OnnxDropout, x: Values) -> str | Values:
    """Nothing in use, and the mask."""
    given = x if len(x) > 1 else (*x, w.constant(layer.rate))
    made = w.ops("Dropout", given, 1 + layer.mask)
    return made if layer.mask else made[0]


def reduce_(w: Writer, layer: OnnxReduce, x: Values) -> str | Values:
    """A sum, or the like."""
    names = {"keepdims": "keepdims", "noop_with_empty_axes": "keep_all"}
    return argued(f"Reduce{layer.operation}", ["axes"], names)(w, layer, x)


def resize(w: Writer, layer: OnnxResize, x: Values) -> str:
    """By scales, or to sizes."""
    if len(x) == 1:
        given = ["" if v is None else w.scales(v) for v in (layer.roi, layer.scales)]
        x = (*x, *given, "" if layer.sizes is None else w.integers(*map(int, layer.sizes)))
    else:
        roi, scales, sizes = map(w.given, x[1:])
        if scales and w.dtype != np.float32:
            scales = w.op("Cast", (scales,), to=CODES["float32"])
        x = (x[0], roi, scales, sizes)
    coordinates = {"crop": "tf_crop_and_resize"}.get(layer.coordinates, layer.coordinates)
    return w.op(
        "Resize",
        x,
        mode=layer.mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode=layer.nearest,
        cubic_coeff_a=layer.a,
        exclude_outside=int(layer.inside),
        extrapolation_value=layer.extrapolation,
        antialias=int(layer.antialias),
        keep_aspect_ratio_policy=layer.policy,
        axes=None if layer.axes is None else integers(layer.axes),
    )


def softmax(w: Writer, layer: OnnxSoftmax, x: Values) -> str:
    """Along one axis; of several together, the axes are made one before, and taken apart behind."""
    kind = "LogSoftmax" if layer.log else "Softmax"
    if not layer.onwards:
        return w.op(kind, x, axis=layer.axis)
    y = w.op(kind, (w.op("Flatten", x, axis=layer.axis),), axis=1)
    return w.op("Reshape", (y, w.op("Shape", x)))


def gather(w: Writer, layer: OnnxGather, x: Values) -> str:
    """Elements picked by their indices."""
    w.integer_inputs.add(x[1])
    return w.op("GatherElements" if layer.along else "Gather", x, axis=layer.axis)


def likelihood(w: Writer, layer: OnnxNegativeLogLikelihood, x: Values) -> str | Values:
    """A loss, as an operator anywhere."""
    w.integer_inputs.add(x[1])
    names = {"reduction": "reduction", "ignore_index": "ignore_index"}
    if not isinstance(layer, OnnxSoftmaxCrossEntropy):
        return attributed("NegativeLogLikelihoodLoss", names)(w, layer, x)
    count = 1 + layer.log_probabilities
    return attributed("SoftmaxCrossEntropyLoss", names, lambda _: count)(w, layer, x)


def layer_norm(w: Writer, layer: OnnxLayerNorm, x: Values) -> str | Values:
    """LayerNormalization; RMSNormalization is younger than the operator set that is written."""
    if layer.centred:
        names = {"axis": "axis", "epsilon": "eps"}
        return attributed("LayerNormalization", names, lambda _: layer.outputs)(w, layer, x)
    ndim = 1 + len(layer.in_shape[0])  # type: ignore[index]
    axes = w.integers(*range(layer.axis, 0 if layer.axis < 0 else ndim))
    square = w.op("ReduceMean", (w.op("Mul", (x[0], x[0])), axes), keepdims=1)
    y = w.op("Div", (x[0], w.op("Sqrt", (w.scaled(square, shift=layer.eps),))))
    return w.op("Mul", (y, x[1]))


def batch_norm(w: Writer, layer: OnnxBatchNorm, x: Values) -> str | Values:
    """With the statistics given, or those of the batch."""
    names = {"epsilon": "eps", "momentum": "momentum", "training_mode": "batch"}
    return attributed("BatchNormalization", names, lambda _: 3 if layer.batch else 1)(w, layer, x)
