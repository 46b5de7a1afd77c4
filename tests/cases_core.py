"""Linear layers, merges and containers for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

from handbrew.layers import Add, Affine, Branches, Concat, Glorot, Layer, ReLU, Residual

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("affine", lambda: Affine(3), ((4,),)),
    ("affine-one", lambda: Affine(1), ((1,),)),
    ("affine-no-bias", lambda: Affine(3, bias=False), ((4,),)),
    ("affine-sequences", lambda: Affine(3, weight_init=Glorot()), ((6, 4),)),
    ("affine-frozen", lambda: _frozen(Affine(3)), ((4,),)),
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
