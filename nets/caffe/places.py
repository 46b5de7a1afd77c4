"""Where the blobs of Caffe's files belong among a layer's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import Affine, Bias, Buffer, Conv2D, ConvTranspose2D, Embedding, Layer, PReLU, Scale
from handbrew.layers.given import Given

from .batch_norm import CaffeBatchNorm
from .inner_product import InnerProduct
from .sources import Parameter

Array = np.ndarray[Any, np.dtype[Any]]
Slots = tuple[str, ...]
UNNAMED = "blob "  # begins the name of an array that only a user's layer knows


def slots_of(layer: Layer, inputs: int = 1) -> Slots | None:
    """The names of a layer's arrays in the order of Caffe's blobs; ``None`` where only the layer itself can say."""
    if isinstance(layer, (Affine, InnerProduct, Conv2D, ConvTranspose2D, Embedding)):
        return ("W", "b") if layer.bias else ("W",)
    if isinstance(layer, Scale):
        return (("W",) if inputs == 1 else ()) + (("b",) if layer.bias else ())
    if isinstance(layer, Bias):
        return ("b",) if inputs == 1 else ()
    if isinstance(layer, CaffeBatchNorm):
        return ("sum_mean", "sum_var", "weight")
    if isinstance(layer, PReLU):
        return ("slope",)
    return ("W",) if isinstance(layer, Parameter) else None


def places_of(name: str, layer: Layer, inputs: int) -> list[Place]:
    """Where the blobs of a layer are that is built, or of Caffe's own kinds."""
    slots = slots_of(layer, inputs)
    flipped = isinstance(layer, (Affine, InnerProduct))
    slots = tuple(layer._shared.params) if slots is None else slots
    return [Place(name, layer, slot, transposed=flipped and slot == "W") for slot in slots]


class Place:
    """Where one blob goes: an array of a layer that is built, or will be."""

    def __init__(self, name: str, layer: Layer, slot: str, transposed: bool = False) -> None:
        self.name, self.layer, self.slot, self.transposed = name, layer, slot, transposed

    @property
    def array(self) -> Buffer | None:
        arrays: dict[str, Buffer] = {**self.layer._shared.params, **self.layer._shared.buffers}
        return arrays.get(self.slot)

    def misfit(self, blob: Array) -> str | None:
        """What is wrong with a blob, as far as can be said."""
        array = self.array
        return None if array is None or self.fit(blob, array.shape) is not None else self.said(blob, array.shape)

    def said(self, blob: Array, shape: tuple[int, ...]) -> str:
        there = shape[::-1] if self.transposed else shape
        resized = self.slot == "W" and blob.ndim == len(there) and blob.shape[:1] == there[:1]
        hint = "; was the size of its input changed?" if resized else ""
        return f"{self.name}, {self.slot}: expected a blob of shape {there}, got {blob.shape}{hint}"

    def fit(self, blob: Array, shape: tuple[int, ...]) -> Array | None:
        """The blob as an array of ``shape``, if it is one but for leading axes of length 1, as old files have them."""
        wanted = shape[::-1] if self.transposed else shape
        if _without_ones(blob.shape) != _without_ones(wanted):
            return None
        blob = blob.reshape(wanted)
        return blob.T if self.transposed else blob

    def put(self, blob: Array) -> None:
        array = self.array
        if array is not None:
            array.data = self.fit(blob, array.shape)
        else:
            pending = self.layer._given
            self.layer._given = pending = pending if isinstance(pending, Pending) else Pending()
            pending.blobs[self.slot] = self, blob

    def get(self) -> Array:
        array = self.array
        assert array is not None, f"{self.name} is not built"
        return np.array(array.data.T if self.transposed else array.data, order="C")


class Pending(Given):
    """Blobs for a layer that is not built yet; those of a user's own layer are for its arrays in turn."""

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[Place, Array]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        unnamed = next((slot for slot in self.blobs if slot.startswith(UNNAMED)), None)
        if name not in self.blobs and unnamed is not None:
            self.blobs[name] = self.blobs.pop(unnamed)
        if name not in self.blobs:
            raise FileFormatError(f"the weights have no {name} for a layer that needs one of shape {shape}")
        place, blob = self.blobs[name]
        array = place.fit(blob, shape)
        if array is None:
            raise FileFormatError(
                f"{place.said(blob, shape)}; rename the layer, so that it keeps what it begins with (or is this "
                f"another net's caffemodel?)"
            )
        return np.array(array, dtype, order="C")


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(shape)
    while shape[:1] == (1,):
        shape = shape[1:]
    return shape
