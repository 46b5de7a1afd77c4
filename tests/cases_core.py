"""Linear layers, merges and containers for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers import Add, Affine, Bias, Branches, Concat, Embedding, Glorot, Layer, ReLU, Residual, Scale

TOKENS = np.array([[1, 0, 1], [2, 4, 4], [3, 1, 3], [0, 0, 2]])
SAMPLES, PLANES = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate([(5, 3, 4, 2), (3, 4)]))

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("affine", lambda: Affine(3), ((4,),)),
    ("affine-one", lambda: Affine(1), ((1,),)),
    ("affine-no-bias", lambda: Affine(3, bias=False), ((4,),)),
    ("affine-sequences", lambda: Affine(3, weight_init=Glorot()), ((6, 4),)),
    ("affine-frozen", lambda: _frozen(Affine(3)), ((4,),)),
    ("embedding", lambda: Embedding(5, 3), (TOKENS,)),
    ("embedding-bias", lambda: Embedding(6, 2, bias=True), (TOKENS[:, 0],)),
    ("scale", Scale, ((3,),)),
    ("scale-images", lambda: Scale(bias=True), ((3, 4, 2),)),
    ("scale-sample", lambda: Scale(num_axes=-1, bias=True), ((3, 2),)),
    ("scale-last", lambda: Scale(axis=-1), ((3, 2),)),
    ("scale-number", lambda: Scale(axis=0, num_axes=0, bias=True), ((3, 2),)),
    ("scale-two", lambda: Scale(axis=0), ((3, 4, 2), (3,))),
    ("scale-two-planes", lambda: Scale(bias=True), (SAMPLES, PLANES)),
    ("bias", Bias, ((3,),)),
    ("bias-images", lambda: Bias(num_axes=2), ((3, 4, 2),)),
    ("bias-two", lambda: Bias(axis=0), ((3, 4, 2), (3, 4))),
    ("bias-two-planes", Bias, (SAMPLES, PLANES)),
    ("add", Add, ((3,), (3,))),
    ("add-three-images", Add, ((2, 3, 4),) * 3),
    ("concat", Concat, ((2,), (3,))),
    ("concat-channels", Concat, ((2, 3, 4), (1, 3, 4), (3, 3, 4))),
    ("concat-last", lambda: Concat(axis=-1), ((2, 3, 4), (2, 3, 1))),
    ("residual", lambda: Residual(Affine(4)), ((4,),)),
    ("residual-shortcut", lambda: Residual(ReLU(), Affine(4)), ((4,),)),
    ("residual-residual", lambda: Residual(Residual(Affine(4))), ((4,),)),
    ("branches", lambda: Branches(Affine(2), Affine(3), ReLU()), ((4,),)),
    ("branches-add", lambda: Branches(Affine(4), ReLU(), merge=Add()), ((4,),)),
]


def _frozen(layer: Affine) -> Affine:
    layer.build((4,))
    layer.W.trainable = False
    return layer
