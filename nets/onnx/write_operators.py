"""Layers for operators as those operators."""

from __future__ import annotations

import numpy as np

from .arranging import OnnxDepthToSpace, OnnxTranspose
from .batch_normalizing import OnnxBatchNorm, OnnxLpNorm, OnnxMVN
from .classifying import OnnxDropout, OnnxNegativeLogLikelihood, OnnxSoftmax, OnnxSoftmaxCrossEntropy
from .constants import OnnxConstant, OnnxFill, OnnxParameter, OnnxRange
from .convolutions import OnnxConv, OnnxConvTranspose
from .elementwise import OnnxBinary, OnnxClip, OnnxUnary, OnnxVariadic, OnnxWhere
from .gathering import OnnxGather, OnnxScatter
from .global_pooling import OnnxGlobalPool
from .joining import OnnxConcat, OnnxExpand, OnnxSplit, OnnxTile
from .normalizing import OnnxGroupNorm, OnnxInstanceNorm, OnnxLayerNorm
from .padding import OnnxPad
from .pooling import OnnxAveragePool, OnnxLpPool, OnnxMaxPool
from .products import OnnxGemm, OnnxMatMul
from .reductions import OnnxArgExtreme, OnnxReduce
from .resizing import OnnxResize
from .shapes import OnnxFlatten, OnnxIdentity, OnnxReshape, OnnxSqueeze, OnnxUnsqueeze
from .slicing import OnnxSlice
from .telling import OnnxCast, OnnxShape
from .tensors import CODES
from .unpooling import OnnxMaxUnpool
from .write_elementwise import simple
from .write_special import (
    MOVES,
    POOL,
    argued,
    attributed,
    batch_norm,
    clip,
    dropout,
    gather,
    layer_norm,
    likelihood,
    max_pool,
    pad,
    reduce_,
    resize,
    softmax,
    split,
)
from .writer import Emitter, Values, Writer


def unary(w: Writer, layer: OnnxUnary, x: Values) -> str:
    """A function with its options."""
    return w.op(layer.function, x, **layer._options)


def binary(w: Writer, layer: OnnxBinary, x: Values) -> str:
    """A function of two elements."""
    return w.op("Mod", x, fmod=1) if layer.function == "FMod" else w.op(layer.function, x)


def constant(w: Writer, layer: OnnxConstant, x: Values) -> str:
    """A fixed array."""
    return w.op("Constant", (), value=w.tensor(layer.value))


def fill(w: Writer, layer: OnnxFill, x: Values) -> str:
    """One value everywhere."""
    return w.op("ConstantOfShape", x, value=w.tensor(layer.value.reshape(1)))


def shape(w: Writer, layer: OnnxShape, x: Values) -> str:
    """The shape, or the number of elements."""
    return w.op("Size", x) if layer.size else w.op("Shape", x, start=layer.start, end=layer.end)


def cast(w: Writer, layer: OnnxCast, x: Values) -> str:
    """Numbers of another kind."""
    return w.op("Cast", x, to=CODES[w.dtype.name if layer.to == "float" else np.dtype(layer.to).name])


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
