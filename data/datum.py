"""Datum, Caffe's message for one sample of a database."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .wire import fields, floats, integer


class Datum(NamedTuple):
    """A sample of shape (C, H, W), uint8 or float32, and its label."""

    X: NDArray[Any]
    label: int


def parse_datum(record: bytes) -> Datum:
    """The sample in one record of a database. Raises ValueError if it holds none, or a packed image."""
    shape, label, encoded = [0, 0, 0], 0, False
    pixels: Any = b""
    numbers: list[NDArray[Any]] = []
    for number, value in fields(memoryview(record)):
        if number in (1, 2, 3):  # channels, height, width
            shape[number - 1] = integer(number, value)
        elif number == 4 and isinstance(value, memoryview):
            pixels = value
        elif number == 5:
            label = integer(number, value)
        elif number == 6:  # float_data
            numbers.append(floats(number, value))
        elif number == 7:
            encoded = bool(integer(number, value))
    if encoded:
        raise ValueError("it is a packed image (JPEG or PNG); make the database anew without --encoded")
    X = np.frombuffer(pixels, np.uint8) if len(pixels) or not numbers else np.concatenate(numbers)
    if min(shape) < 1 or X.size != math.prod(shape):
        raise ValueError(f"a Datum of {X.size} values, whose channels, height and width are {tuple(shape)}")
    return Datum(X.reshape(shape), label)
