"""Layers for operators as those operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .base import integers
from .classifying import OnnxDropout, OnnxNegativeLogLikelihood, OnnxSoftmax, OnnxSoftmaxCrossEntropy
from .constants import OnnxConstant, OnnxFill, OnnxParameter, OnnxRange
from .convolutions import OnnxConv, OnnxConvTranspose
from .elementwise import OnnxBinary, OnnxClip, OnnxUnary, OnnxVariadic, OnnxWhere
from .indexing import OnnxGather, OnnxMaxUnpool, OnnxPad, OnnxScatter, OnnxSlice
from .joining import OnnxConcat, OnnxExpand, OnnxSplit, OnnxTile
from .normalizing import OnnxBatchNorm, OnnxGroupNorm, OnnxInstanceNorm, OnnxLayerNorm, OnnxLpNorm, OnnxMVN
from .pooling import OnnxAveragePool, OnnxGlobalPool, OnnxLpPool, OnnxMaxPool
from .products import OnnxGemm, OnnxMatMul
from .reductions import OnnxArgExtreme, OnnxReduce
from .resizing import OnnxResize
from .shapes import (
    OnnxCast,
    OnnxDepthToSpace,
    OnnxFlatten,
    OnnxIdentity,
    OnnxReshape,
    OnnxShape,
    OnnxSqueeze,
    OnnxTranspose,
    OnnxUnsqueeze,
)
from .tensors import CODES
from .write_elementwise import simple
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


def unary(w: Writer, layer: OnnxUnary, x: Values) -> str:
    """A function with its options."""
    return w.op(layer.function, x, **layer._options)


def binary(w: Writer, layer: OnnxBinary, x: Values) -> str:
    """A function of two elements."""
    return w.op("Mod", x, fmod=1) if layer.function == "FMod" else w.op(layer.function, x)


def clip(w: Writer, layer: OnnxClip, x: Values) -> str:
    """Bounds, those that are there; of integers they are integers."""
    bounds = ["" if b is None else w.constant(b) for b in (layer.min, layer.max)] if len(x) == 1 else []
    return w.op("Clip", (*x, *(b and w.op("CastLike", (b, x[0])) for b in bounds)))


def constant(w: Writer, layer: OnnxConstant, x: Values) -> str:
    """A fixed array."""
    return w.op("Constant", (), value=w.tensor(layer.value))


def fill(w: Writer, layer: OnnxFill, x: Values) -> str:
    """One value everywhere."""
    return w.op("ConstantOfShape", x, value=w.tensor(layer.value.reshape(1)))


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


def shape(w: Writer, layer: OnnxShape, x: Values) -> str:
    """The shape, or the number of elements."""
    return w.op("Size", x) if layer.size else w.op("Shape", x, start=layer.start, end=layer.end)


def cast(w: Writer, layer: OnnxCast, x: Values) -> str:
    """Numbers of another kind."""
    return w.op("Cast", x, to=CODES[w.dtype.name if layer.to == "float" else np.dtype(layer.to).name])


def max_pool(w: Writer, layer: OnnxMaxPool, x: Values) -> str | Values:
    """Maxima, and where they are."""
    names = POOL | {"storage_order": "storage_order"}
    return attributed("MaxPool", names, lambda _: 1 + layer.indices)(w, layer, x)


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
        floats = [None if v is None else np.array(v, np.float32) for v in (layer.roi, layer.scales)]
        given = ["" if v is None else w.weight("constant", v) for v in floats]
        x = (*x, *given, "" if layer.sizes is None else w.integers(*map(int, layer.sizes)))
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


MOVES = {"strides": "strides", "pads": "pads", "dilations": "dilations", "auto_pad": "auto_pad"}
POOL = MOVES | {"kernel_shape": "kernel_shape", "ceil_mode": "ceil_mode"}

TABLE: dict[type, Emitter] = {
    OnnxArgExtreme: lambda w, layer, x: w.op(
        "ArgMax" if layer.largest else "ArgMin",
        x,
        axis=layer.axis,
        keepdims=int(layer.keepdims),
        select_last_index=int(layer.last),
    ),
    OnnxAveragePool: attributed("AveragePool", POOL | {"count_include_pad": "count_include_pad"}),
    OnnxBatchNorm: batch_norm,
    OnnxBinary: binary,
    OnnxCast: cast,
    OnnxClip: clip,
    OnnxConcat: attributed("Concat", {"axis": "axis"}),
    OnnxConstant: constant,
    OnnxConv: attributed("Conv", MOVES | {"group": "group"}),
    OnnxConvTranspose: attributed(
        "ConvTranspose",
        MOVES | {"group": "group", "output_padding": "output_padding", "output_shape": "output_shape"},
    ),
    OnnxDepthToSpace: lambda w, layer, x: w.op(
        "SpaceToDepth" if layer.back else "DepthToSpace",
        x,
        blocksize=layer.blocksize,
        mode=None if layer.back else layer.mode,
    ),
    OnnxDropout: dropout,
    OnnxExpand: argued("Expand", ["shape"]),
    OnnxFill: fill,
    OnnxFlatten: attributed("Flatten", {"axis": "axis"}),
    OnnxGather: gather,
    OnnxGemm: attributed("Gemm", {"alpha": "alpha", "beta": "beta", "transA": "transA", "transB": "transB"}),
    OnnxGlobalPool: lambda w, layer, x: w.op("GlobalMaxPool" if layer.largest else "GlobalAveragePool", x),
    OnnxGroupNorm: attributed("GroupNormalization", {"num_groups": "groups", "epsilon": "eps"}),
    OnnxIdentity: simple("Identity"),
    OnnxInstanceNorm: attributed("InstanceNormalization", {"epsilon": "eps"}),
    OnnxLayerNorm: layer_norm,
    OnnxLpNorm: attributed("LpNormalization", {"axis": "axis", "p": "p"}),
    OnnxLpPool: attributed("LpPool", POOL | {"p": "p"}),
    OnnxMVN: attributed("MeanVarianceNormalization", {"axes": "axes"}),
    OnnxMatMul: simple("MatMul"),
    OnnxMaxPool: max_pool,
    OnnxMaxUnpool: attributed("MaxUnpool", {"kernel_shape": "kernel_shape", "strides": "strides", "pads": "pads"}),
    OnnxNegativeLogLikelihood: likelihood,
    OnnxPad: pad,
    OnnxParameter: lambda w, layer, x: w.weight("value", layer.value.data, layer.value),
    OnnxRange: simple("Range"),
    OnnxReduce: reduce_,
    OnnxReshape: argued("Reshape", ["shape"], {"allowzero": "allowzero"}),
    OnnxResize: resize,
    OnnxScatter: attributed("ScatterElements", {"axis": "axis"}),
    OnnxShape: shape,
    OnnxSlice: argued("Slice", ["starts", "stops", "axes", "steps"]),
    OnnxSoftmax: softmax,
    OnnxSoftmaxCrossEntropy: likelihood,
    OnnxSplit: split,
    OnnxSqueeze: argued("Squeeze", ["axes"]),
    OnnxTile: argued("Tile", ["repeats"]),
    OnnxTranspose: attributed("Transpose", {"perm": "perm"}),
    OnnxUnary: unary,
    OnnxUnsqueeze: argued("Unsqueeze", ["axes"]),
    OnnxVariadic: lambda w, layer, x: w.op(layer.function, x),
    OnnxWhere: simple("Where"),
}
