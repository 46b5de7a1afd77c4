"""Layers that change shapes, and merges, for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

from handbrew.layers import (
    Add,
    ArgMax,
    Crop,
    Layer,
    Maximum,
    Multiply,
    Pad2D,
    Reduce,
    Slice,
    Split,
    Tile,
    Transpose,
    Upsample2D,
)

IMAGES, SEQUENCES = (2, 3, 4), (5, 3)

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("transpose", lambda: Transpose(2, 1), (SEQUENCES,)),
    ("transpose-images", lambda: Transpose(2, 3, 1), (IMAGES,)),
    ("slice", lambda: Slice(1, 3), ((4,),)),
    ("slice-last", lambda: Slice(-2, None, axis=-1), (IMAGES,)),
    ("split", lambda: Split(2), ((6,),)),
    ("split-points", lambda: Split(points=(1, 3), axis=3), (IMAGES,)),
    ("crop", lambda: Crop(2, offset=(1, 0)), (IMAGES,)),
    ("crop-box", lambda: Crop((1, 2, 3), offset=1, axis=1), (IMAGES,)),
    ("crop-reference", Crop, (IMAGES, (1, 2, 2))),
    ("pad", lambda: Pad2D(1, value=0.5), (IMAGES,)),
    ("pad-replicate", lambda: Pad2D((2, 3), mode="replicate"), (IMAGES,)),
    ("pad-reflect", lambda: Pad2D((1, 2, 3, 0), mode="reflect"), (IMAGES,)),
    ("tile", lambda: Tile(3), ((2,),)),
    ("tile-images", lambda: Tile(2, axis=-1), (IMAGES,)),
    ("upsample", lambda: Upsample2D((2, 3)), (IMAGES,)),
    ("upsample-bilinear", lambda: Upsample2D(2, mode="bilinear"), (IMAGES,)),
    ("upsample-corners", lambda: Upsample2D((3, 1), mode="bilinear", align_corners=True), (IMAGES,)),
    ("reduce", Reduce, (IMAGES,)),
    ("reduce-mean", lambda: Reduce("mean", axis=2), (IMAGES,)),
    ("reduce-abs", lambda: Reduce("abs_sum", axis=-1, scale=-0.5), (IMAGES,)),
    ("reduce-square", lambda: Reduce("square_sum", scale=0.5), (SEQUENCES,)),
    ("arg-max", ArgMax, ((4,),)),
    ("arg-max-keepdims", lambda: ArgMax(axis=-1, keepdims=True), (IMAGES,)),
    ("add-coefficients", lambda: Add((1.0, -2.0, 0.5)), ((3,),) * 3),
    ("multiply", Multiply, ((3,), (3,))),
    ("multiply-three-images", Multiply, (IMAGES,) * 3),
    ("maximum", Maximum, ((3,), (3,))),
    ("maximum-three-images", Maximum, (IMAGES,) * 3),
]

# The reference lends its shape only; an index does not change with the number at it.
OPTIONS = {
    "crop-reference": {"allow_constant": ("reference",)},
    "arg-max": {"allow_constant": ("x",)},
    "arg-max-keepdims": {"allow_constant": ("x",)},
}
