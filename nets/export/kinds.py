"""Each layer of handbrew as a call of a plain function: which one, with which of its arrays and which options."""

from __future__ import annotations

from handbrew import layers as hb
from handbrew.layers import Layer

from ..caffe import CaffeConcat, CaffeSplit, Silence
from . import kinds_caffe, kinds_images, kinds_shape, kinds_values
from .call import Call, several

KINDS = {**kinds_values.KINDS, **kinds_images.KINDS, **kinds_shape.KINDS, **kinds_caffe.KINDS}


def call_of(layer: Layer) -> Call | None:
    """What a layer does at inference; None of one that is not known here."""
    make = KINDS.get(type(layer))
    return None if make is None else make(layer)


def does_nothing(layer: Layer) -> bool:
    """Whether a layer hands on what it gets: it is for training only, or copies, or joins one array."""
    if type(layer) is CaffeConcat and not several(layer):
        return True
    return type(layer) in (hb.Dropout, hb.Dropout2D, hb.RandomCrop, hb.RandomFlip, CaffeSplit)


def makes_nothing(layer: Layer) -> bool:
    """Whether a layer is there for its input only."""
    return type(layer) is Silence
