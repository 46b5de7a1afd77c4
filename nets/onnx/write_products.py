"""Products and convolution as operators."""

from __future__ import annotations

from handbrew.layers import (
    Affine,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Embedding,
)

from .writer import Emitter, Values, Writer


def affine(w: Writer, layer: Affine, x: Values) -> str:
    """Gemm, for matrices; else a product, and a sum."""
    W = w.weight("W", layer.W.data, layer.W)
    b = (w.weight("b", layer.b.data, layer.b),) if layer.bias else ()
    if len(layer.in_shape or ()) == 1:
        return w.op("Gemm", (*x, W, *b))
    y = w.op("MatMul", (*x, W))
    return w.op("Add", (y, *b)) if b else y


def embedding(w: Writer, layer: Embedding, x: Values) -> str:
    """Rows picked out of a table."""
    w.integer_inputs.add(x[0])
    y = w.op("Gather", (w.weight("W", layer.W.data, layer.W), *x), axis=0)
    return w.op("Add", (y, w.weight("b", layer.b.data, layer.b))) if layer.bias else y


def conv(w: Writer, layer: Conv2D | ConvTranspose2D, x: Values) -> str:
    """A kernel over images or sequences, or its transpose."""
    window, n = layer.window, layer.ndim - 2
    weights = [w.weight(name, p.data, p) for name, p in (("W", layer.W), *([("b", layer.b)] if layer.bias else []))]
    transposed = isinstance(layer, ConvTranspose2D)
    return w.op(
        "ConvTranspose" if transposed else "Conv",
        (*x, *weights),
        kernel_shape=window.kernel[-n:],
        strides=window.stride[-n:],
        dilations=window.dilation[-n:],
        pads=(*window.start[-n:], *window.end[-n:]),
        group=layer.groups,
        output_padding=layer._output_padding() if isinstance(layer, ConvTranspose2D) else None,
    )


TABLE: dict[type, Emitter] = {
    Affine: affine,
    Conv1D: conv,
    Conv2D: conv,
    ConvTranspose2D: conv,
    Embedding: embedding,
}
