"""Layers that prepare images, for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

from handbrew.layers import Layer, Normalize, RandomCrop, RandomFlip

IMAGES = (2, 4, 5)

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("random-flip", RandomFlip, (IMAGES,)),
    ("random-flip-always", lambda: RandomFlip(rate=1.0), (IMAGES,)),
    ("random-flip-never", lambda: RandomFlip(rate=0.0), (IMAGES,)),
    ("random-flip-eval", lambda: RandomFlip().eval(), (IMAGES,)),
    ("random-crop", lambda: RandomCrop(padding=2), (IMAGES,)),
    ("random-crop-none", lambda: RandomCrop(padding=0), (IMAGES,)),
    ("random-crop-eval", lambda: RandomCrop(padding=3).eval(), (IMAGES,)),
    ("normalize", lambda: Normalize(mean=(0.4, -0.5), std=(0.3, 2.0)), (IMAGES,)),
    ("normalize-all-alike", lambda: Normalize(mean=0.5, std=0.25), (IMAGES,)),
    ("normalize-columns", lambda: Normalize(mean=(1.0, 2.0, 3.0), std=(0.5,) * 3), ((3,),)),
]
