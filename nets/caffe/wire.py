"""Protobuf's binary format, written: what stands before a field's bytes. ``handbrew.data.wire`` reads it."""

from __future__ import annotations

from handbrew.data.wire import BYTES


def encode(number: int, length: int) -> bytes:
    """What stands before the bytes, so many, of a field of them."""
    return encode_varint(number << 3 | BYTES) + encode_varint(length)


def encode_varint(value: int) -> bytes:
    """A number of 0 or more."""
    pieces = bytearray()
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)
