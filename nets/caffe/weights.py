"""Trained weights of Caffe's nets: caffemodels, and the same as HDF5 files."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from handbrew.data import FileFormatError
from handbrew.data.wire import Value, fields

from ..files import write_atomically
from .blobs import Array, decode_blob, encode_blob
from .legacy_fields import V1_TYPES
from .reading import reading
from .sniff import told_of_safetensors, told_of_weights
from .v0 import type_of_v0
from .wire import encode

MOST_BLOBS = 100_000  # in a file; hostile ones could have more names and arrays than there is memory for
HDF5 = b"\x89HDF\r\n\x1a\n"  # so begins a file of that format

# Fields of NetParameter, and of its layers of today, of V1 and of V0 (which lies in one of V1).
LAYER, LAYERS_V1, LAYER_V0 = 100, 2, 1
NAME, TYPE, BLOBS = 1, 2, 7
NAME_V1, TYPE_V1, BLOBS_V1 = 4, 5, 6
NAME_V0, TYPE_V0, BLOBS_V0 = 1, 2, 50
_V1_NAMES = dict(V1_TYPES.values())


class LayerWeights(NamedTuple):
    """The arrays that a file has for one layer.

    Attributes
    ----------
    name : str
        The layer's.
    kind : str
        Caffe's name for its type, "Convolution" say; empty if the file does not tell, as HDF5 files do not.
    blobs : list of arrays
        In Caffe's layout and order; those of old files have four axes, the first of them 1 where there were fewer.
    """

    name: str
    kind: str
    blobs: list[Array]


def read_caffemodel(path: str | PathLike[str]) -> list[LayerWeights]:
    """Return the weights in a ``.caffemodel`` (of V0, V1 or today's layers) or its HDF5 form, in the file's order.

    Layers without weights are left out. Which format it is tells the file, not its name. No more memory is taken
    than twice the file's size (of an HDF5 file that is compressed: what it holds, unpacked).

    Raises
    ------
    FileFormatError
        If it is damaged, cut short or something else, or the shape of a blob is not that of its data.
    ImportError
        For an HDF5 file without h5py, saying how to get it.
    """
    path = Path(path)
    with path.open("rb") as file:
        if file.read(len(HDF5)) == HDF5:
            from .hdf5_weights import read_hdf5

            return read_hdf5(path)
        file.seek(0)
        data = file.read()
    if not data:
        raise FileFormatError(f"{path}: is empty; expected a caffemodel")
    if (said := told_of_safetensors(path, data[:10])) is not None:
        raise FileFormatError(f"{path}: {said}")
    with reading(path):
        try:
            return _read_net(memoryview(data))
        except FileFormatError as error:
            said = told_of_weights(data, error)
            raise FileFormatError(f"{said} ({error})" if said else str(error)) from error


def _read_net(data: memoryview) -> list[LayerWeights]:
    found: list[LayerWeights] = []
    left, any_layer = MOST_BLOBS, False
    for number, value in fields(data):
        if number not in (LAYER, LAYERS_V1) or not isinstance(value, memoryview):
            continue
        any_layer = True
        name, kind, blobs = _read_layer(value) if number == LAYER else _read_layer_v1(value)
        left -= len(blobs)
        if left < 0:
            raise FileFormatError(f"has more than {MOST_BLOBS} blobs")
        if blobs:
            arrays = [_decode(blob, f"layer {name}, blob {i}") for i, blob in enumerate(blobs)]
            found.append(LayerWeights(name, kind, arrays))
    if not any_layer:  # as in other programs' files of protobuf's format
        raise FileFormatError("has no layers; expected a caffemodel")
    return found


def _read_layer(data: memoryview) -> tuple[str, str, list[memoryview]]:
    parts, blobs = _parts(data, BLOBS)
    return _text(parts, NAME), _text(parts, TYPE), blobs


def _read_layer_v1(data: memoryview) -> tuple[str, str, list[memoryview]]:
    parts, blobs = _parts(data, BLOBS_V1)
    inner = parts.get(LAYER_V0)
    if isinstance(inner, memoryview):
        parts, blobs = _parts(inner, BLOBS_V0)
        return _text(parts, NAME_V0), type_of_v0(_text(parts, TYPE_V0)), blobs
    number = parts.get(TYPE_V1)
    kind = _V1_NAMES.get(number, "") if isinstance(number, int) else ""
    return _text(parts, NAME_V1), kind, blobs


def _parts(data: memoryview, blobs: int) -> tuple[dict[int, Value], list[memoryview]]:
    """The last value of each field of text (or TYPE_V1), and all of the field of blobs."""
    parts: dict[int, Value] = {}
    found = []
    for number, value in fields(data):
        if number == blobs and isinstance(value, memoryview):
            found.append(value)
            if len(found) > MOST_BLOBS:
                raise FileFormatError(f"a layer has more than {MOST_BLOBS} blobs")
        elif number <= TYPE_V1 and isinstance(value, int if number == TYPE_V1 else memoryview):
            parts[number] = value
    return parts, found


def _decode(blob: memoryview, where: str) -> Array:
    try:
        return decode_blob(blob)
    except FileFormatError as error:
        raise FileFormatError(f"{where}: {error}") from error


def _text(parts: dict[int, Value], number: int) -> str:
    value = parts.get(number)
    return bytes(value).decode(errors="backslashreplace") if isinstance(value, memoryview) else ""


def write_caffemodel(path: str | PathLike[str], net: Any, weights: Iterable[LayerWeights] = ()) -> None:
    """Write a ``NetParameter`` in binary form, atomically: its own blobs, and the weights given beside it.

    ``weights`` go to the layers by name (the n-th of a name to the n-th layer of it), and are written from where
    they lie; so they may be more than the 2 GB that a protobuf message can hold.

    Raises
    ------
    ValueError
        If a layer of ``weights`` is not in the net.
    """
    by_name: dict[str, list[LayerWeights]] = {}
    for given in weights:
        by_name.setdefault(given.name, []).append(given)
    pieces = []
    for layer in net.layer:
        blobs = [encode_blob(blob) for blob in by_name[layer.name].pop(0).blobs] if by_name.get(layer.name) else []
        content = [layer.SerializeToString()]
        for blob in blobs:
            content += [encode(BLOBS, sum(map(len, blob))), *blob]
        pieces += [encode(LAYER, sum(map(len, content))), *content]
    left = [name for name, given in by_name.items() if given]
    if left:
        raise ValueError(f"weights for layers that the net does not have: {', '.join(left)}")
    rest = type(net)()
    rest.CopyFrom(net)
    rest.ClearField("layer")
    with write_atomically(path) as file:
        file.write(rest.SerializeToString())
        file.writelines(pieces)
