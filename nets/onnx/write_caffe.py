"""Layers for Caffe's conventions as operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..caffe import (
    BatchReindex,
    CaffeArgMax,
    CaffeBatchNorm,
    CaffeConcat,
    CaffeEmbed,
    CaffeReduction,
    CaffeReshape,
    CaffeSlice,
    CaffeSplit,
    InnerProduct,
    Parameter,
    StopGradient,
)
from .tensors import CODES
from .write_elementwise import same
from .write_products import embedding
from .writer import Emitter, Values, Writer


def refuse(w: Writer, layer: Any) -> None:
    """Note a layer that only some arguments of can be written."""
    w.problems.append(f"{w.path}, with these arguments: {layer!r}")


def batch_norm(w: Writer, layer: CaffeBatchNorm, x: Values) -> str:
    """With the statistics that Caffe's sums come to; the Scale behind it has gamma and beta."""
    if layer.use_global_stats is False:
        refuse(w, layer)
    channels = layer.sum_mean.shape
    learned = [w.constant(np.ones(channels)), w.constant(np.zeros(channels))]
    kept = [w.weight(b.name, b.data) for b in (layer.mean, layer.var)]
    return w.op("BatchNormalization", (*x, *learned, *kept), epsilon=layer.eps)


def inner_product(w: Writer, layer: InnerProduct, x: Values) -> str:
    """A product of what is flattened from an axis on."""
    shape: Any = layer.in_shape
    at = layer.axis + 1 + len(shape) if layer.axis < 0 else layer.axis
    W = w.weight("W", layer.W.data, layer.W)
    b = (w.weight("b", layer.b.data, layer.b),) if layer.bias else ()
    if at == 1:
        return w.op("Gemm", (w.op("Flatten", x, axis=1), W, *b), transB=int(layer.transpose))
    rows = w.op("Reshape", (*x, w.integers(*(0,) * at, math.prod(shape[at - 1 :]))))
    y = w.op("MatMul", (rows, w.op("Transpose", (W,)) if layer.transpose else W))
    return w.op("Add", (y, *b)) if b else y


def integers(w: Writer, x: str) -> str:
    """Whole numbers that are held as floating-point ones, as integers."""
    return w.op("Cast", (x,), to=CODES["int64"])


def arg_max(w: Writer, layer: CaffeArgMax, x: Values) -> str:
    """Indices, or values, along an axis, or through all of a sample; of equals the last."""
    if layer.top_k > 1 or (layer.out_max_val and layer.axis is None):
        refuse(w, layer)
    y, axis = (w.op("Flatten", x, axis=1), 1) if layer.axis is None else (x[0], layer.axis)
    if layer.out_max_val:
        return w.op("ReduceMax", (y, w.integers(axis)), keepdims=1)
    found = w.op("ArgMax", (y,), axis=axis, keepdims=1, select_last_index=1)
    found = found if layer.axis is not None else w.op("Reshape", (found, w.integers(0, 1, 1)))
    return w.op("Cast", (found,), to=CODES[w.dtype.name])


def reduction(w: Writer, layer: CaffeReduction, x: Values) -> str:
    """A sum over an axis and all later ones."""
    kind = {"SUM": "Sum", "MEAN": "Mean", "ASUM": "L1", "SUMSQ": "SumSquare"}[layer.operation]
    ndim = 1 + len(layer.in_shape or ())
    at = layer.axis + ndim if layer.axis < 0 else layer.axis
    return w.scaled(w.op(f"Reduce{kind}", (*x, w.integers(*range(at, ndim))), keepdims=0), layer.coeff)


def slices(w: Writer, layer: CaffeSlice, x: Values) -> Values:
    """Parts along an axis; along axis 0 only equal ones, as there may be any number of samples."""
    shape: Any = layer.in_shape
    at = layer.axis + 1 + len(shape) if layer.axis < 0 else layer.axis
    if layer.parts is not None:
        return w.ops("Split", x, layer.parts, axis=at, num_outputs=layer.parts)
    if at == 0:
        refuse(w, layer)
    cuts = [0, *map(int, layer.points), shape[at - 1]]
    sizes = np.diff(cuts)
    return w.ops("Split", (*x, w.integers(*sizes)), len(sizes), axis=at)


def reshape(w: Writer, layer: CaffeReshape, x: Values) -> str:
    """The shape of a sample, which is known; as many samples as there are."""
    return w.op("Reshape", (*x, w.integers(-1, *(layer.out_shape or ()))))


def embed(w: Writer, layer: CaffeEmbed, x: Values) -> str:
    """Rows picked out of a table by numbers whose fraction is cut off."""
    whole = integers(w, x[0])
    y = embedding(w, layer, (whole,))
    w.integer_inputs.discard(whole)
    return y


TABLE: dict[type, Emitter] = {
    BatchReindex: lambda w, layer, x: w.op("Gather", (x[0], integers(w, x[1])), axis=0),
    CaffeArgMax: arg_max,
    CaffeBatchNorm: batch_norm,
    CaffeConcat: lambda w, layer, x: w.op("Concat", x, axis=layer.axis),
    CaffeEmbed: embed,
    CaffeReduction: reduction,
    CaffeReshape: reshape,
    CaffeSlice: slices,
    CaffeSplit: lambda w, layer, x: x * layer.copies,
    InnerProduct: inner_product,
    Parameter: lambda w, layer, x: w.weight("W", layer.params["W"].data, layer.params["W"]),
    StopGradient: same,
}
