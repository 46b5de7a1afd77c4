"""Caffe's arrays (blobs): in protobuf's binary form in caffemodels and mean files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.data.wire import fields, signed, varints

from .reading import reading
from .schema import messages
from .wire import encode, encode_varint

Array = np.ndarray[Any, np.dtype[Any]]
MOST_AXES = 32  # as in Caffe

# The fields of BlobProto.
LEGACY = (1, 2, 3, 4)  # num, channels, height, width, before blobs had shapes
DATA, SHAPE, DOUBLE_DATA = 5, 7, 8
DTYPES: dict[int, np.dtype[Any]] = {DATA: np.dtype("<f4"), DOUBLE_DATA: np.dtype("<f8")}


def read_blob(path: str | PathLike[str]) -> Array:
    """Return the array of a file with one ``BlobProto`` in it: a mean image or an infogain matrix, say.

    Raises
    ------
    FileFormatError
        If it is no such file, or its shape is not that of its data.
    """
    path = Path(path)
    data = path.read_bytes()
    with reading(path):
        return decode_blob(memoryview(data))


def read_mean(path: str | PathLike[str]) -> Array:
    """Return the mean image, (C, H, W), of a ``.binaryproto``.

    Raises
    ------
    FileFormatError
        If it is no such file, or holds something else than one image.
    """
    mean = read_blob(path)
    shape = mean.shape[1:] if mean.ndim == 4 and mean.shape[0] == 1 else mean.shape
    if len(shape) != 3:
        raise FileFormatError(f"{path}: expected the mean of images, (1, C, H, W), got an array of shape {mean.shape}")
    return mean.reshape(shape)


def decode_blob(data: memoryview) -> Array:
    """Return the array of a ``BlobProto``: float32, or float64 if its data are doubles. Its gradient is left out.

    Nothing is allocated for a shape: it has to be that of the data that are there.

    Raises
    ------
    FileFormatError
        If it is not.
    """
    values = {DATA: bytearray(), DOUBLE_DATA: bytearray()}
    legacy: dict[int, int] = {}
    shape: list[int] = []
    for number, value in fields(data):
        if isinstance(value, int):
            if number in LEGACY:
                legacy[number] = signed(value)
        elif number in values and (isinstance(value, memoryview) or value.dtype == DTYPES[number]):
            values[number] += value if isinstance(value, memoryview) else value.data
        elif number == SHAPE and isinstance(value, memoryview):
            shape += islice(_dims(value), MOST_AXES + 1)
            if len(shape) > MOST_AXES:
                raise FileFormatError(f"a blob has at most {MOST_AXES} axes")
    if legacy:
        shape = [legacy.get(number, 0) for number in LEGACY]
    number = DOUBLE_DATA if values[DOUBLE_DATA] else DATA
    content, dtype = values[number], DTYPES[number]
    expected = math.prod(shape) * dtype.itemsize
    if any(n < 1 for n in shape) or expected != len(content):
        raise FileFormatError(
            f"a blob of shape {tuple(shape)} needs {expected} bytes of data, and {len(content)} are there"
        )
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _dims(data: memoryview) -> Iterator[int]:
    """Yield the sizes in a ``BlobShape``, packed or not."""
    for number, value in fields(data):
        if number == 1 and not isinstance(value, np.ndarray):
            yield from map(signed, [value] if isinstance(value, int) else varints(value))


def encode_blob(array: Array) -> list[bytes | memoryview]:
    """Return the pieces that, joined, are the ``BlobProto`` of an array: doubles stay doubles, all else is float."""
    number = DOUBLE_DATA if array.dtype == np.float64 else DATA
    content = np.ascontiguousarray(array, DTYPES[number]).reshape(-1).view(np.uint8).data
    dims = b"".join(map(encode_varint, array.shape))
    shape = encode(1, len(dims)) + dims
    return [encode(SHAPE, len(shape)), shape, encode(number, len(content)), content]


def blob_proto(array: Array) -> Any:
    """Return the protobuf message ``BlobProto`` of an array.

    Raises
    ------
    ImportError
        Without protobuf, saying how to get it.
    """
    return messages().BlobProto.FromString(b"".join(encode_blob(array)))
