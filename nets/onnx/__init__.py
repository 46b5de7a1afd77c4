"""ONNX models, written and read, and the layers for operators that handbrew has no other layer for."""

from .classifying import OnnxDropout, OnnxNegativeLogLikelihood, OnnxSoftmax, OnnxSoftmaxCrossEntropy
from .constants import OnnxConstant, OnnxFill, OnnxParameter, OnnxRange
from .convolutions import OnnxConv, OnnxConvTranspose
from .elementwise import OnnxBinary, OnnxClip, OnnxUnary, OnnxVariadic, OnnxWhere
from .indexing import OnnxGather, OnnxMaxUnpool, OnnxPad, OnnxScatter, OnnxSlice
from .joining import OnnxConcat, OnnxExpand, OnnxSplit, OnnxTile
from .normalizing import OnnxBatchNorm, OnnxGroupNorm, OnnxInstanceNorm, OnnxLayerNorm, OnnxLpNorm, OnnxMVN
from .pooling import OnnxAveragePool, OnnxGlobalPool, OnnxLpPool, OnnxMaxPool
from .products import OnnxGemm, OnnxMatMul
from .reading import load_onnx
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
from .writing import save_onnx

__all__ = [
    "OnnxArgExtreme",
    "OnnxAveragePool",
    "OnnxBatchNorm",
    "OnnxBinary",
    "OnnxCast",
    "OnnxClip",
    "OnnxConcat",
    "OnnxConstant",
    "OnnxConv",
    "OnnxConvTranspose",
    "OnnxDepthToSpace",
    "OnnxDropout",
    "OnnxExpand",
    "OnnxFill",
    "OnnxFlatten",
    "OnnxGather",
    "OnnxGemm",
    "OnnxGlobalPool",
    "OnnxGroupNorm",
    "OnnxIdentity",
    "OnnxInstanceNorm",
    "OnnxLayerNorm",
    "OnnxLpNorm",
    "OnnxLpPool",
    "OnnxMVN",
    "OnnxMatMul",
    "OnnxMaxPool",
    "OnnxMaxUnpool",
    "OnnxNegativeLogLikelihood",
    "OnnxPad",
    "OnnxParameter",
    "OnnxRange",
    "OnnxReduce",
    "OnnxReshape",
    "OnnxResize",
    "OnnxScatter",
    "OnnxShape",
    "OnnxSlice",
    "OnnxSoftmax",
    "OnnxSoftmaxCrossEntropy",
    "OnnxSplit",
    "OnnxSqueeze",
    "OnnxTile",
    "OnnxTranspose",
    "OnnxUnary",
    "OnnxUnsqueeze",
    "OnnxVariadic",
    "OnnxWhere",
    "load_onnx",
    "save_onnx",
]
