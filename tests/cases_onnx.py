"""Layers for ONNX operators, for the contract test: (name, factory, inputs for check_layer, options)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers import Layer
from handbrew.nets.onnx import (
    OnnxAveragePool,
    OnnxBatchNorm,
    OnnxBinary,
    OnnxClip,
    OnnxConcat,
    OnnxConv,
    OnnxConvTranspose,
    OnnxDepthToSpace,
    OnnxDropout,
    OnnxExpand,
    OnnxFlatten,
    OnnxGather,
    OnnxGemm,
    OnnxGlobalPool,
    OnnxGroupNorm,
    OnnxIdentity,
    OnnxInstanceNorm,
    OnnxLayerNorm,
    OnnxLpNorm,
    OnnxLpPool,
    OnnxMatMul,
    OnnxMaxPool,
    OnnxMaxUnpool,
    OnnxMVN,
    OnnxNegativeLogLikelihood,
    OnnxPad,
    OnnxReduce,
    OnnxReshape,
    OnnxResize,
    OnnxScatter,
    OnnxSlice,
    OnnxSoftmax,
    OnnxSoftmaxCrossEntropy,
    OnnxSplit,
    OnnxSqueeze,
    OnnxTile,
    OnnxTranspose,
    OnnxUnary,
    OnnxUnsqueeze,
    OnnxVariadic,
    OnnxWhere,
)

Case = tuple[str, Callable[[], Layer], tuple[Any, ...]]
RNG = np.random.default_rng(7)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def positive(*shape: int) -> Any:
    return RNG.uniform(0.5, 2, shape)


IMAGES, LINES, BODIES = (2, 5, 6), (3, 7), (2, 3, 4, 5)
LABELS = np.array([[0, 2], [1, 1], [2, 0]])
WEIGHTS = np.array([0.5, 1.0, 2.0])

# Of the functions that handbrew has no other layer for, with arrays that they are defined for.
UNARY: list[Case] = [
    *((name.lower(), lambda name=name: OnnxUnary(name), ((3, 4),)) for name in ("Asinh", "Atan", "Celu", "Cos", "Erf")),
    *((name.lower(), lambda name=name: OnnxUnary(name), ((3, 4),)) for name in ("HardSigmoid", "HardSwish", "Mish")),
    *((name.lower(), lambda name=name: OnnxUnary(name), ((3, 4),)) for name in ("Neg", "Selu", "Shrink", "Sin")),
    *((name.lower(), lambda name=name: OnnxUnary(name), ((3, 4),)) for name in ("Softsign", "ThresholdedRelu")),
    ("hardsigmoid-options", lambda: OnnxUnary("HardSigmoid", alpha=0.4, beta=0.3), ((3, 4),)),
    ("celu-alpha", lambda: OnnxUnary("Celu", alpha=2.0), ((3, 4),)),
    ("selu-options", lambda: OnnxUnary("Selu", alpha=2.0, gamma=0.5), ((3, 4),)),
    ("shrink-options", lambda: OnnxUnary("Shrink", bias=0.2, lambd=0.3), ((3, 4),)),
    ("thresholdedrelu-alpha", lambda: OnnxUnary("ThresholdedRelu", alpha=0.2), ((3, 4),)),
]
# Those that are not defined for, or too steep at, numbers of any size.
NARROW: list[Case] = [
    *(
        (name.lower(), lambda name=name: OnnxUnary(name), (RNG.uniform(-0.8, 0.8, (4, 3)),))
        for name in ("Acos", "Asin", "Atanh", "Cosh", "Sinh", "Tan")
    ),
    *(
        (name.lower(), lambda name=name: OnnxUnary(name), (positive(4, 3) + 1,))
        for name in ("Acosh", "Reciprocal", "Sqrt")
    ),
    ("pow", lambda: OnnxBinary("Pow"), (positive(4, 3), floats(4, 3))),
    ("div", lambda: OnnxBinary("Div"), (floats(4, 3), positive(4, 3))),
    ("mod", lambda: OnnxBinary("Mod"), (floats(4, 3), positive(4, 3) * 3)),
    ("fmod", lambda: OnnxBinary("FMod"), (floats(4, 3), positive(4, 3) * 3)),
    ("logsum", lambda: OnnxReduce("LogSum", (1,)), (positive(4, 3),)),
    ("l2", lambda: OnnxReduce("L2", (1,)), (positive(4, 3),)),
    ("prod", lambda: OnnxReduce("Prod", (1,)), (floats(4, 3),)),
    ("sumsquare", lambda: OnnxReduce("SumSquare", (0, 2), False), (floats(4, 3, 2),)),
    ("lp-pool", lambda: OnnxLpPool((3,), (2,), (1, 1), p=3), (positive(2, 3, 7),)),
    ("lp-norm", lambda: OnnxLpNorm(1, 2), (positive(4, 3),)),
    ("lp-norm-1", lambda: OnnxLpNorm(-1, 1), (positive(4, 3),)),
    ("batchnorm-given", OnnxBatchNorm, (floats(4, 3, 2), floats(3), floats(3), floats(3), positive(3))),
    ("batchnorm-batch", lambda: OnnxBatchNorm(batch=True),
     (floats(4, 3, 2), floats(3), floats(3), floats(3), positive(3))),
    ("groupnorm", lambda: OnnxGroupNorm(2), (floats(3, 4, 3), floats(4), floats(4))),
    ("groupnorm-per-group", lambda: OnnxGroupNorm(2), (floats(3, 4, 3), floats(2), floats(2))),
    ("instancenorm", OnnxInstanceNorm, (floats(3, 2, 4), floats(2), floats(2))),
    ("layernorm", OnnxLayerNorm, (floats(3, 2, 4), floats(4), floats(4))),
    ("layernorm-no-beta", lambda: OnnxLayerNorm(1), (floats(3, 2, 4), floats(2, 4))),
    ("layernorm-all", lambda: OnnxLayerNorm(0), (floats(3, 2), floats(3, 2), floats(2))),
    ("rmsnorm", lambda: OnnxLayerNorm(-1, centred=False), (floats(3, 4), floats(4))),
    ("mvn", OnnxMVN, (floats(3, 2, 4, 3),)),
    ("mvn-axes", lambda: OnnxMVN((1, -1)), (floats(3, 2, 4),)),
]  # fmt: skip
# Whose samples do not depend on each other, and axis 0 stays what it is.
BATCHES: list[Case] = [
    *UNARY,
    ("identity", OnnxIdentity, ((3,),)),
    ("max-pool", lambda: OnnxMaxPool((3, 2), (2, 1), (1, 0, 0, 1), (1, 2)), (IMAGES,)),
    ("max-pool-line", lambda: OnnxMaxPool((3,), ceil_mode=True, strides=(2,)), (LINES,)),
    ("max-pool-body", lambda: OnnxMaxPool((2, 2, 2), auto_pad="SAME_UPPER"), (BODIES,)),
    ("average-pool", lambda: OnnxAveragePool((3, 2), (2, 1), (1, 0, 0, 1), (1, 2)), (IMAGES,)),
    ("average-pool-counting", lambda: OnnxAveragePool((3,), (2,), (1, 1), None, True, count_include_pad=True),
     (LINES,)),
    ("average-pool-lower", lambda: OnnxAveragePool((2, 2, 2), auto_pad="SAME_LOWER"), (BODIES,)),
    ("global-average", OnnxGlobalPool, (BODIES,)),
    ("global-max", lambda: OnnxGlobalPool(True), (LINES,)),
    ("depth-to-space", lambda: OnnxDepthToSpace(2), ((8, 2, 3),)),
    ("depth-to-space-crd", lambda: OnnxDepthToSpace(2, "CRD"), ((8, 2, 3),)),
    ("space-to-depth", lambda: OnnxDepthToSpace(2, back=True), ((2, 4, 6),)),
    ("space-to-depth-crd", lambda: OnnxDepthToSpace(2, "CRD", back=True), ((2, 4, 6),)),
]  # fmt: skip
# Of any axes: what check_layer says of batches does not hold, its gradients do.
ANY: list[Case] = [
    *NARROW,
    ("add", lambda: OnnxBinary("Add"), (floats(2, 1, 3), floats(4, 1))),
    ("sub", lambda: OnnxBinary("Sub"), (floats(3), floats(2, 3))),
    ("mul", lambda: OnnxBinary("Mul"), (floats(2, 3), floats(1, 3))),
    ("prelu", lambda: OnnxBinary("PRelu"), (floats(2, 3, 4), floats(3, 1))),
    ("sum", lambda: OnnxVariadic("Sum"), (floats(2, 3), floats(3), floats(2, 1))),
    ("mean", lambda: OnnxVariadic("Mean"), (floats(2, 3), floats(3))),
    ("max", lambda: OnnxVariadic("Max"), (floats(2, 3), floats(3), floats(2, 1))),
    ("min", lambda: OnnxVariadic("Min"), (floats(2, 3), floats(2, 3))),
    ("max-of-one", lambda: OnnxVariadic("Max"), (floats(2, 3),)),
    ("where", OnnxWhere, (np.array([True, False, True]), floats(2, 3), floats(2, 1))),
    ("clip", lambda: OnnxClip(-0.5, 0.5), (floats(2, 3),)),
    ("clip-inputs", OnnxClip, (floats(4, 3), np.array(-0.5), np.array(0.5))),
    ("clip-input-max", OnnxClip, (floats(4, 3), np.zeros(0), np.array(0.1))),
    ("reduce-sum", lambda: OnnxReduce("Sum"), (floats(2, 3),)),
    ("reduce-mean", lambda: OnnxReduce("Mean", (0, -1)), (floats(2, 3, 4),)),
    ("reduce-max", lambda: OnnxReduce("Max", (1,), False), (floats(2, 3, 4),)),
    ("reduce-min", lambda: OnnxReduce("Min", (0,)), (floats(2, 3, 4),)),
    ("reduce-l1", lambda: OnnxReduce("L1", (1,)), (floats(2, 3, 4),)),
    ("reduce-logsumexp", lambda: OnnxReduce("LogSumExp", (1,)), (floats(2, 3, 4),)),
    ("reduce-axes", lambda: OnnxReduce("Sum", keepdims=False), (floats(2, 3, 4), np.array([0, 2]))),
    ("reduce-none", lambda: OnnxReduce("SumSquare", keep_all=True), (floats(2, 3),)),
    ("reshape", lambda: OnnxReshape((-1, 2)), (floats(4, 3),)),
    ("reshape-input", OnnxReshape, (floats(4, 3), np.array([0, 1, -1]))),
    ("flatten", lambda: OnnxFlatten(2), (floats(2, 3, 2, 2),)),
    ("flatten-0", lambda: OnnxFlatten(0), (floats(2, 3),)),
    ("squeeze", OnnxSqueeze, (floats(1, 3, 1),)),
    ("squeeze-input", OnnxSqueeze, (floats(1, 3, 1), np.array([-1]))),
    ("unsqueeze", lambda: OnnxUnsqueeze((0, -1)), (floats(2, 3),)),
    ("transpose", lambda: OnnxTranspose((2, 0, 1)), (floats(2, 3, 4),)),
    ("transpose-all", OnnxTranspose, (floats(2, 3, 4),)),
    ("concat", lambda: OnnxConcat(0), (floats(2, 3), floats(1, 3))),
    ("split", lambda: OnnxSplit(0, 2), (floats(5, 3),)),
    ("split-sizes", lambda: OnnxSplit(-1, 2, (1, 3)), (floats(2, 4),)),
    ("split-input", lambda: OnnxSplit(1, 2), (floats(2, 4), np.array([3, 1]))),
    ("tile", lambda: OnnxTile((2, 3)), (floats(2, 3),)),
    ("tile-input", OnnxTile, (floats(2, 3), np.array([1, 2]))),
    ("expand", lambda: OnnxExpand((2, 1, 3)), (floats(4, 1),)),
    ("slice", lambda: OnnxSlice((1, -1), (9, -9), (0, 1), (2, -1)), (floats(5, 4),)),
    ("slice-inputs", OnnxSlice, (floats(5, 4), np.array([1]), np.array([3]), np.array([-1]), np.zeros(0, int))),
    ("gather", lambda: OnnxGather(1), (floats(3, 4), np.array([[0, -1], [0, 2]]))),
    ("gather-along", lambda: OnnxGather(0, along=True), (floats(3, 2), np.array([[0, -1], [0, 2]]))),
    ("scatter", lambda: OnnxScatter(1), (floats(2, 4), np.array([[0, -1], [1, 1]]), floats(2, 2))),
    ("pad", lambda: OnnxPad((1, 0, -1, 2)), (floats(3, 4),)),
    ("pad-edge", lambda: OnnxPad((2, 1), "edge", axes=(-1,)), (floats(3, 4),)),
    ("pad-reflect", lambda: OnnxPad((2, 5, 1, 0), "reflect"), (floats(3, 4),)),
    ("pad-wrap", lambda: OnnxPad((2, 5, 1, 0), "wrap"), (floats(3, 4),)),
    ("pad-inputs", OnnxPad, (floats(3, 4), np.array([1, 2]), np.zeros(0), np.array([1]))),
    ("unpool", lambda: OnnxMaxUnpool((2,), (2,), (0, 0)), (floats(1, 2, 2), np.array([[[0, 2], [5, 7]]]))),
    ("matmul", OnnxMatMul, (floats(2, 1, 3, 4), floats(5, 4, 2))),
    ("matmul-vector-left", OnnxMatMul, (floats(3), floats(2, 3, 4))),
    ("matmul-vector-right", OnnxMatMul, (floats(2, 3, 4), floats(4))),
    ("matmul-vectors", OnnxMatMul, (floats(3), floats(3))),
    ("gemm", lambda: OnnxGemm(0.5, 2.0, True, True), (floats(3, 2), floats(4, 3), floats(4))),
    ("gemm-no-C", OnnxGemm, (floats(2, 3), floats(3, 4))),
    ("gemm-column", OnnxGemm, (floats(2, 3), floats(3, 4), floats(2, 1))),
    ("conv", lambda: OnnxConv((2, 1), (1, 0, 2, 1), (1, 2), 2), (floats(2, 4, 5, 6), floats(6, 2, 3, 2), floats(6))),
    ("conv-line", OnnxConv, (floats(2, 3, 5), floats(2, 3, 2))),
    ("conv-body", lambda: OnnxConv(auto_pad="SAME_LOWER"), (floats(1, 2, 3, 3, 4), floats(3, 2, 2, 2, 2))),
    ("conv-transpose", lambda: OnnxConvTranspose((2, 3), (1, 0, 0, 1), (1, 2), 2, output_padding=(1, 0)),
     (floats(2, 4, 3, 2), floats(4, 3, 3, 2), floats(6))),
    ("conv-transpose-line", OnnxConvTranspose, (floats(2, 3, 5), floats(3, 2, 2))),
    ("conv-transpose-same", lambda: OnnxConvTranspose((2, 2), auto_pad="SAME_UPPER"),
     (floats(1, 2, 3, 3), floats(2, 1, 3, 3))),
    ("conv-transpose-shape", lambda: OnnxConvTranspose((3, 2), output_shape=(10, 8)),
     (floats(1, 1, 3, 3), floats(1, 2, 3, 3))),
    ("softmax", lambda: OnnxSoftmax(0), (floats(3, 4),)),
    ("log-softmax", lambda: OnnxSoftmax(-1, log=True), (floats(3, 4),)),
    ("softmax-onwards", lambda: OnnxSoftmax(1, onwards=True), (floats(2, 3, 2),)),
    ("likelihood", OnnxNegativeLogLikelihood, (floats(3, 3, 2), LABELS, WEIGHTS)),
    ("likelihood-none", lambda: OnnxNegativeLogLikelihood("none", 1), (floats(3, 3, 2), LABELS)),
    ("cross-entropy", lambda: OnnxSoftmaxCrossEntropy(ignore_index=1), (floats(3, 3, 2), LABELS, WEIGHTS)),
    ("cross-entropy-sum", lambda: OnnxSoftmaxCrossEntropy("sum"), (floats(3, 3, 2), LABELS)),
    ("cross-entropy-both", lambda: OnnxSoftmaxCrossEntropy("none", None, True), (floats(3, 3, 2), LABELS)),
    ("resize-nearest", lambda: OnnxResize(scales=(1, 1.5)), (floats(2, 4),)),
    ("resize-linear", lambda: OnnxResize("linear", "align_corners", sizes=(5, 3)), (floats(2, 4),)),
    ("resize-cubic", lambda: OnnxResize("cubic", scales=(2.0, 0.6), antialias=True), (floats(3, 5),)),
    ("resize-cubic-inside", lambda: OnnxResize("cubic", inside=True, scales=(2.0, 0.6)), (floats(3, 5),)),
    ("resize-crop", lambda: OnnxResize("linear", "crop", sizes=(3, 3), roi=(-0.2, 0.1, 0.6, 1.2)), (floats(3, 5),)),
    ("resize-inputs", lambda: OnnxResize("linear", "half_pixel_symmetric"),
     (floats(2, 3), np.zeros(0), np.array([1, 2.0]), np.zeros(0, int))),
    ("dropout", lambda: OnnxDropout(0.4, mask=True), (floats(3, 4),)),
]  # fmt: skip
