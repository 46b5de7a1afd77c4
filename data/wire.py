"""Protobuf's binary format, as far as Caffe's weights and databases need it: fields, read where they lie.

https://protobuf.dev/programming-guides/encoding: a field is a varint ``number << 3 | kind`` and its value: a varint
(kind 0), 8 bytes (1), a varint with the length and that many bytes (2) or 4 bytes (5).

protobuf itself would make an object of every value and a message of hundreds of bytes of any two bytes that say so;
this takes no more memory than the file, and a file may have more than protobuf's 2 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .errors import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]
Value = int | memoryview | Array

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
_WIDTHS = {EIGHT: 8, FOUR: 4}


def fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield number and value of each field: an int for a varint, the bytes of a field with a length.

    Values of 4 or 8 bytes come as an array of floats or doubles: those of equal fields that follow one another.

    Raises
    ------
    FileFormatError
        If the bytes are not fields, or end within one.
    """
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in (VARINT, EIGHT, BYTES, FOUR):
            raise FileFormatError(f"there is no field {number} of kind {kind} in protobuf's binary format")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind in _WIDTHS:
            run = _run(data[start:], at - start, _WIDTHS[kind])
            yield number, run
            at = start + len(run) * (at - start + _WIDTHS[kind])
            continue
        length, at = _varint(data, at)
        if length > len(data) - at:
            raise FileFormatError(f"a field promises {length} bytes where {len(data) - at} are left")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The integer that starts at ``at``, and where the next thing does."""
    value = 0
    for position, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << (7 * position)
        if byte < 128:
            return value, at + position + 1
    raise FileFormatError("an integer has no end")


def _run(data: memoryview, key: int, width: int) -> Array:
    """The values, without their keys, of the equal fields at the start of ``data``."""
    there = len(data) // (key + width)
    if not there:
        raise FileFormatError(f"a field of {width} bytes is cut short")
    table = np.frombuffer(data, np.uint8, there * (key + width)).reshape(there, key + width)
    count = 1
    while count < there:  # look twice as far each time: the cost is that of the run, not of all that is left
        more = table[count : 2 * count, :key]
        equal = (more == table[0, :key]).all(axis=1)
        count += len(more) if equal.all() else int(equal.argmin())
        if not equal.all():
            break
    return np.frombuffer(table[:count, key:].tobytes(), f"<f{width}")


def varints(data: memoryview) -> Iterator[int]:
    """Yield the values of a packed field of integers."""
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def signed(value: int) -> int:
    """The int32 or int64 that a varint stands for."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def integer(number: int, value: Value) -> int:
    """The value of an int32 or int64 field. Raises a FileFormatError if it is of another kind."""
    if not isinstance(value, int):
        raise FileFormatError(f"field {number} should hold an integer")
    return signed(value)


def floats(number: int, value: Value) -> Array:
    """The numbers in one field of a repeated float, packed or not. Raises a FileFormatError for another kind."""
    if isinstance(value, memoryview) and len(value) % 4 == 0:
        return np.frombuffer(value, "<f4")
    if isinstance(value, np.ndarray) and value.itemsize == 4:
        return value
    raise FileFormatError(f"field {number} should hold numbers of 4 bytes")
