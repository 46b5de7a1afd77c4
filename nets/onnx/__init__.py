"""ONNX models, written and read, and the layers for operators that handbrew has no other layer for."""

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
from .reading import load_onnx
from .reductions import OnnxArgExtreme, OnnxReduce
from .resizing import OnnxResize
from .saving import save_onnx
from .shapes import OnnxFlatten, OnnxIdentity, OnnxReshape, OnnxSqueeze, OnnxUnsqueeze
from .slicing import OnnxSlice
from .telling import OnnxCast, OnnxShape
from .unpooling import OnnxMaxUnpool

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
