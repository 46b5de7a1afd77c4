"""Protobuf's binary format: what is read of it, and what is refused."""

import struct

import numpy as np
import pytest
from caffe_wire import field, varint, whole

from handbrew.data import FileFormatError
from handbrew.data.wire import fields, signed, varints
from handbrew.nets.caffe.wire import encode, encode_varint


def read(data):
    return [
        (number, bytes(value) if isinstance(value, memoryview) else value) for number, value in fields(memoryview(data))
    ]


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63, 2**64 - 1])
def test_integers(number):
    assert encode_varint(number) == varint(number)
    assert read(whole(7, number)) == [(7, number)]
    assert list(varints(memoryview(varint(number) * 2))) == [number, number]


def test_negative_integers_are_those_of_64_bits():
    assert signed(2**64 - 1) == -1
    assert signed(2**63) == -(2**63)
    assert signed(5) == 5
    ((_, value),) = read(b"\x08" + b"\xff" * 9 + b"\x7f")  # there is room for 70 bits
    assert signed(value) == -1


def test_fields_with_a_length():
    data = field(1, b"abc") + field(100, b"") + whole(2, 5)
    assert read(data) == [(1, b"abc"), (100, b""), (2, 5)]
    assert encode(100, 3) + b"xyz" == field(100, b"xyz")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 100])
@pytest.mark.parametrize("number", [5, 16])
def test_equal_fields_of_4_or_8_bytes_come_as_one_array(count, number):
    values = np.arange(count) / 2
    floats = b"".join(varint(number << 3 | 5) + struct.pack("<f", value) for value in values)
    doubles = b"".join(varint(number << 3 | 1) + struct.pack("<d", value) for value in values)
    found = list(fields(memoryview(floats + whole(1, 1) + doubles)))
    assert [number for number, _ in found] == [number, 1, number]
    assert found[0][1].dtype == np.float32
    assert found[2][1].dtype == np.float64
    for _, array in (found[0], found[2]):
        np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "no end"),
        (b"\x08", "no end"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "no end"),
        (b"\x0a\x05abc", "promises 5 bytes where 3"),
        (b"\x0a" + varint(2**40), f"promises {2**40} bytes where 0"),
        (b"\x2d\x00\x00\x00", "cut short"),
        (b"\x29\x00\x00\x00\x00", "cut short"),
        (b"\x0b", "field 1 of kind 3"),
        (b"\x02\x00", "field 0"),
        (b"\x0f", "kind 7"),
    ],
)
def test_what_is_refused(data, message):
    with pytest.raises(FileFormatError, match=message):
        read(whole(1, 1) + data)
