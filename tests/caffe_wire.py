"""Caffe's weights in protobuf's wire format, by hand, after caffe.proto's field numbers."""

import struct

import numpy as np

V1_KINDS = {"Concat": 3, "Convolution": 4, "InnerProduct": 14, "LRN": 15, "Pooling": 17, "ReLU": 18, "Softmax": 20}


def varint(n):
    found = bytearray()
    while n >= 128:
        found.append(n & 127 | 128)
        n >>= 7
    return bytes([*found, n])


def field(number, content):
    """A length-delimited field: a message, a text, or packed numbers."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def whole(number, value):
    return varint(number << 3) + varint(value)


def floats(number, array):
    """Each number for itself, as old files have them."""
    return b"".join(varint(number << 3 | 5) + struct.pack("<f", value) for value in array.ravel())


def blob(array, old=False):
    """BlobProto; old files have four sizes, and ones in front of what has fewer axes."""
    if old:
        sizes = (1,) * (4 - array.ndim) + array.shape
        return b"".join(whole(i, size) for i, size in enumerate(sizes, 1)) + floats(5, array)
    return field(5, array.astype("<f4").tobytes()) + field(7, field(1, b"".join(map(varint, array.shape))))


def caffemodel(weights, kinds, old=False):
    """NetParameter: ``layer`` with the type as a text, or the old ``layers`` with the type as a number.

    ``weights`` are lists of arrays by the layer's name, ``kinds`` the types.
    """
    found = field(1, b"stored")
    for name, arrays in weights.items():
        if old:
            head = field(4, name.encode()) + whole(5, V1_KINDS[kinds[name]])
            found += field(2, head + b"".join(field(6, blob(np.asarray(array), True)) for array in arrays))
        else:
            head = field(1, name.encode()) + field(2, kinds[name].encode())
            found += field(100, head + b"".join(field(7, blob(np.asarray(array))) for array in arrays))
    return found
