"""Which layers do what ONNX's products and convolutions do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import (
    Affine,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
)

from .attributes import Operator
from .convolutions import OnnxConv, OnnxConvTranspose
from .products import OnnxGemm, OnnxMatMul
from .rules import Made, Rule
from .tensors import Array


def weights_of(op: Operator, *places: int) -> list[Array] | None:
    """Inputs as weights, those that are there; ``None`` unless all of them are known."""
    found = [op.constant(place) for place in places if op.has(place)]
    known = [value for value in found if value is not None and value.dtype.kind == "f"]
    return known if len(known) == len(found) else None


def gemm(op: Operator) -> Made:
    """``Affine``, if the right matrix is known."""
    op.expect(2, 3)
    a = op.attributes
    alpha, beta = a.number("alpha", 1.0), a.number("beta", 1.0)
    left, right = bool(a.integer("transA", 0)), bool(a.integer("transB", 0))
    weights = weights_of(op, 1, 2)
    if weights and not left and weights[0].ndim == 2:
        W = alpha * (weights[0].T if right else weights[0])
        b = weights[1:] and beta * weights[1]
        if not op.has(2):
            return Made(Affine(W.shape[1], bias=False), op.inputs[:1], {"W": W}, W.shape[:1])
        if np.shape(b) in ((), (1,), (1, 1), (W.shape[1],), (1, W.shape[1])):
            b = np.broadcast_to(np.reshape(b, -1), W.shape[1:])
            return Made(Affine(W.shape[1]), op.inputs[:1], {"W": W, "b": b}, W.shape[:1])
    return Made(OnnxGemm(alpha, beta, left, right), op.inputs)


def matmul(op: Operator) -> Made:
    """``Affine``, if the right factor is a known matrix, and the left one vectors; with the bias that is added."""
    op.expect(2, 2)
    weights, shape = weights_of(op, 1), op.shape(0)
    if weights and weights[0].ndim == 2 and shape is not None and len(shape) in (2, 3):
        W = weights[0]
        b = op.constants.get(op.bias)
        if b is not None and b.size == W.shape[1] == (b.shape or (0,))[-1] and b.ndim <= len(shape):
            return Made(Affine(W.shape[1]), op.inputs[:1], {"W": W, "b": b.reshape(-1)}, W.shape[:1])
        return Made(Affine(W.shape[1], bias=False), op.inputs[:1], {"W": W}, W.shape[:1])
    return Made(OnnxMatMul(), op.inputs)


def conv(op: Operator) -> Made:
    """``Conv2D`` or ``Conv1D``, if the weights are known."""
    op.expect(2, 3)
    a = op.attributes
    pads, strides, dilations = (a.integers(name) for name in ("pads", "strides", "dilations"))
    group, auto_pad = a.integer("group", 1), a.text("auto_pad", "NOTSET")
    weights, kernel = weights_of(op, 1, 2), op.shape(1)
    if kernel is not None and a.integers("kernel_shape") not in (None, kernel[2:]):
        raise FileFormatError(f"{op.where}: its kernel_shape is not that of its weights {kernel}")
    if weights and kernel and len(kernel) in (3, 4) and auto_pad in ("NOTSET", "VALID"):
        n = len(kernel) - 2
        around = (0,) * 2 * n if auto_pad == "VALID" or pads is None else pads
        _expect_each(op, n, strides, dilations, around)
        W, named = weights[0], dict(zip(("W", "b"), weights, strict=False))
        size = tuple(d * (k - 1) + 1 for k, d in zip(kernel[2:], dilations or (1,) * n, strict=True))
        sample = (kernel[1] * group, *size)
        if n == 1:
            line = Conv1D(
                len(W), kernel[2], (strides or (1,))[0], around, (dilations or (1,))[0], group, len(weights) > 1
            )
            return Made(line, op.inputs[:1], named, sample)
        top, left, bottom, right = around
        padding = _short((top, bottom, left, right))
        image = Conv2D(
            len(W), one_number(kernel[2:]), one_number(strides), padding, one_number(dilations), group, len(weights) > 1
        )
        return Made(image, op.inputs[:1], named, sample)
    return Made(OnnxConv(strides, pads, dilations, group, auto_pad), op.inputs)


def conv_transpose(op: Operator) -> Made:
    """``ConvTranspose2D``, if the weights are known."""
    op.expect(2, 3)
    a = op.attributes
    names = ("pads", "strides", "dilations", "output_padding", "output_shape")
    pads, strides, dilations, extra, size = (a.integers(name) for name in names)
    group, auto_pad = a.integer("group", 1), a.text("auto_pad", "NOTSET")
    weights, kernel = weights_of(op, 1, 2), op.shape(1)
    if weights and kernel and len(kernel) == 4 and auto_pad == "NOTSET" and size is None:
        top, left, bottom, right = pads = pads or (0,) * 4
        _expect_each(op, 2, strides, dilations, pads)
        layer = ConvTranspose2D(
            kernel[1] * group,
            one_number(kernel[2:]),
            one_number(strides),
            _short((top, bottom, left, right)),
            one_number(extra or (0, 0)),
            one_number(dilations),
            group,
            len(weights) > 1,
        )
        sample = (kernel[0], 1 + top + bottom, 1 + left + right)
        return Made(layer, op.inputs[:1], dict(zip(("W", "b"), weights, strict=False)), sample)
    return Made(OnnxConvTranspose(strides, pads, dilations, group, auto_pad, extra, size), op.inputs)


def _expect_each(op: Operator, n: int, strides: object, dilations: object, pads: object) -> None:
    for what, sizes, count in (("strides", strides, n), ("dilations", dilations, n), ("pads", pads, 2 * n)):
        if sizes is not None and (not isinstance(sizes, tuple) or len(sizes) != count or min(sizes) < 0):
            raise FileFormatError(f"{op.where}: expected {count} {what}, got {sizes}")


def one_number(sizes: tuple[int, ...] | None) -> int | tuple[int, ...]:
    """A pair, as one number if both are equal."""
    if sizes is None:
        return 1
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _short(padding: tuple[int, int, int, int]) -> int | tuple[int, ...]:
    """(top, bottom, left, right), in fewer numbers where these say it."""
    top, bottom, left, right = padding
    return padding if (top, left) != (bottom, right) else one_number((top, left))


RULES: Mapping[str, Rule] = {
    "Gemm": gemm,
    "MatMul": matmul,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
}
