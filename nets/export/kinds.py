"""Each layer of handbrew as a call of a plain function: which one, with which of its arrays and which options."""

from __future__ import annotations

from handbrew import layers as hb
from handbrew.layers import Layer

from . import kinds_images, kinds_shape, kinds_values
from .call import Call

KINDS = {**kinds_values.KINDS, **kinds_images.KINDS, **kinds_shape.KINDS}


def call_of(layer: Layer) -> Call | None:
    """What a layer does at inference; None of one that is not known here."""
    make = KINDS.get(type(layer))
    return None if make is None else make(layer)


def does_nothing(layer: Layer) -> bool:
    """Whether a layer is for training only."""
    return type(layer) in (hb.Dropout, hb.Dropout2D, hb.RandomCrop, hb.RandomFlip)
