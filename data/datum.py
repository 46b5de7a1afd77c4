"""Caffe's two messages with arrays: Datum, a sample of a database, and BlobProto, of which a mean file is one."""

import math
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError
from .guard import decoding
from .wire import BYTES, fields, floats, integer


class Datum(NamedTuple):
    """A sample of shape (C, H, W), uint8 or float32, and its label."""

    X: NDArray[Any]
    label: int


def parse_datum(record: bytes) -> Datum:
    """The sample in one record of a database. Raises ValueError if it holds none, or a packed image."""
    shape, label, encoded = [0, 0, 0], 0, False
    pixels: Any = b""
    numbers: list[NDArray[Any]] = []
    for number, kind, value in fields(memoryview(record)):
        if number in (1, 2, 3):  # channels, height, width
            shape[number - 1] = integer(number, kind, value)
        elif number == 4 and kind == BYTES:
            pixels = value
        elif number == 5:
            label = integer(number, kind, value)
        elif number == 6:  # float_data
            numbers.append(floats(number, kind, value))
        elif number == 7:
            encoded = bool(integer(number, kind, value))
    if encoded:
        raise ValueError("it is a packed image (JPEG or PNG); make the database anew without --encoded")
    X = np.frombuffer(pixels, np.uint8) if len(pixels) or not numbers else np.concatenate(numbers)
    if min(shape) < 1 or X.size != math.prod(shape):
        raise ValueError(f"a Datum of {X.size} values, whose channels, height and width are {tuple(shape)}")
    return Datum(X.reshape(shape), label)


def read_mean(path: str | PathLike[str]) -> NDArray[np.float32]:
    """The mean image in a binaryproto file, (C, H, W), as Caffe's compute_image_mean writes it.

    Raises FileFormatError if the file holds no such image.
    """
    path = Path(path)
    with path.open("rb") as file, decoding(path):
        shape, old, parts = [], [1, 1, 1, 1], list[NDArray[Any]]()
        for number, kind, value in fields(memoryview(file.read())):
            if number in (1, 2, 3, 4):  # num, channels, height, width
                old[number - 1] = integer(number, kind, value)
            elif number in (5, 8):  # data, double_data
                parts.append(floats(number, kind, value, "<f4" if number == 5 else "<f8"))
            elif number == 7 and kind == BYTES:
                shape = _dims(value)
        data = np.concatenate(parts) if parts else np.empty(0, np.float32)
        shape = shape or old
        if min(shape) < 1 or math.prod(shape) != data.size or len(shape) < 3 or math.prod(shape[:-3]) != 1:
            raise FileFormatError(
                f"{path}: expected the mean of images, 1 x channels x height x width, got {data.size} values and the "
                f"shape {tuple(shape)}"
            )
        return data.reshape(shape[-3:]).astype(np.float32)


def _dims(message: memoryview) -> list[int]:
    """A BlobShape's lengths, packed or not."""
    lengths: list[int] = []
    for number, kind, value in fields(message):
        if number != 1:
            continue
        if kind == BYTES:
            # A packed field is what a message of nothing but integers would be, each without its key.
            packed = bytes(value)
            while packed:
                size = next((i for i, byte in enumerate(packed) if byte < 0x80), len(packed)) + 1
                lengths += [integer(n, k, v) for n, k, v in fields(memoryview(b"\x08" + packed[:size]))]
                packed = packed[size:]
        else:
            lengths.append(integer(number, kind, value))
        if len(lengths) > 32:  # Caffe's own limit
            raise ValueError(f"a shape of {len(lengths)} axes or more")
    return lengths
