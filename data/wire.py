"""Protocol buffers' wire format: a message's fields, one after the other.

Each field begins with an integer, its number times 8 plus the kind of its value: 0 an integer, 1 eight bytes, 5 four
bytes, 2 a length and so many bytes. Integers are in groups of seven bits, the lowest first, each byte but the last
with its top bit set. (https://protobuf.dev/programming-guides/encoding)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
_LENGTHS = {EIGHT: 8, FOUR: 4}


def fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Number, kind and value of each field: an int for integers, a view of the bytes for all else.

    Raises ValueError where the message is none: a field that goes on after its end, a kind that there is none of.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in _LENGTHS:
            length = _LENGTHS[kind]
        else:
            raise ValueError(f"field {number} has kind {kind}, which no message of today has")
        if length > end - at:
            raise ValueError(f"field {number} is cut short: it has {end - at} of its {length} bytes")
        yield number, kind, message[at : at + length]
        at += length


def floats(number: int, kind: int, value: Any) -> NDArray[Any]:
    """The numbers in one field of a `repeated float`, packed or not."""
    if kind not in (BYTES, FOUR):
        raise ValueError(f"field {number} should hold numbers of 4 bytes, its kind is {kind}")
    return np.frombuffer(value, "<f4")  # refuses half a number


def integer(number: int, kind: int, value: Any) -> int:
    """The value of an `int32` or `int64` field, negative ones too."""
    if kind != VARINT:
        raise ValueError(f"field {number} should hold an integer, its kind is {kind}")
    return value - (1 << 64) if value >> 63 else value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer at a position, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends within an integer")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("an integer has more than ten bytes")
