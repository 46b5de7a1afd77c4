"""Caffe's arrays in their binary form, against bytes made by hand."""

import numpy as np
import pytest
from caffe_wire import blob, field, varint, whole

from handbrew.data import FileFormatError
from handbrew.nets.caffe.blobs import decode_blob, encode_blob, read_blob, read_mean

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
SHAPE = field(7, field(1, b"\x02\x03\x04"))
DATA = field(5, A.tobytes())


def decode(data):
    return decode_blob(memoryview(data))


def test_a_blob_of_today():
    found = decode(SHAPE + DATA)
    np.testing.assert_array_equal(found, A, strict=True)
    found[...] = 0  # it is the caller's
    assert b"".join(encode_blob(A)) == SHAPE + DATA


def test_a_blob_of_old_with_unpacked_data():
    np.testing.assert_array_equal(decode(blob(A, old=True)), A[None], strict=True)


def test_sizes_one_by_one_and_data_in_pieces():
    data = field(5, A.tobytes()[:40]) + whole(99, 3) + field(5, A.tobytes()[40:])
    shape = field(7, whole(1, 2) + whole(1, 3)) + field(7, whole(1, 4))
    np.testing.assert_array_equal(decode(data + shape), A, strict=True)


def test_doubles_come_first_and_stay_doubles():
    doubles = A.astype(np.float64) / 3
    np.testing.assert_array_equal(decode(SHAPE + DATA + field(8, doubles.tobytes())), doubles, strict=True)
    np.testing.assert_array_equal(decode(b"".join(encode_blob(doubles))), doubles, strict=True)


def test_old_sizes_win_as_in_caffe():
    assert decode(SHAPE + DATA + b"".join(map(whole, (1, 2, 3, 4), (1, 1, 4, 6)))).shape == (1, 1, 4, 6)


def test_no_shape_is_that_of_one_number():
    np.testing.assert_array_equal(decode(field(5, b"\0\0\x80\x3f")), np.float32(1).reshape(()), strict=True)
    np.testing.assert_array_equal(decode(b"".join(encode_blob(np.float32(1).reshape(())))), np.float32(1))


def test_gradients_and_fields_of_others_are_passed_over():
    assert decode(field(6, A.tobytes()) + SHAPE + field(500, b"x") + DATA).shape == A.shape


@pytest.mark.parametrize(
    "data",
    [
        field(7, field(1, varint(2**40))),  # a blob of 2^40 values
        field(7, field(1, varint(2**40) * 2)) + DATA,
        SHAPE,
        SHAPE + DATA[:-1] + b"",
        DATA,
        field(7, field(1, b"\x02\x03\x05")) + DATA,
        field(7, field(1, b"\x00\x03\x04")),
        field(7, field(1, b"\x02\x00")) + field(5, b""),
        field(7, field(1, varint(2**64 - 2) + varint(2**64 - 12))) + DATA,  # (-2) * (-12) is 24, too
        b"".join(whole(i, 2**31 - 1) for i in (1, 2, 3, 4)),
        whole(1, 24) + DATA,  # its other old sizes are 0
        SHAPE + field(5, A.tobytes()[:-2]),
        field(7, field(1, b"\x01" * 33)) + field(5, b"\0\0\0\0"),
        field(7, field(1, b"\x01" * 1000)) + field(5, b"\0\0\0\0"),
        SHAPE + DATA + b"\x0b",
        b"",
    ],
)
def test_what_is_refused(data):
    with pytest.raises(FileFormatError):
        decode(data)


def test_the_message_says_what_is_wrong():
    with pytest.raises(FileFormatError, match=r"shape \(2, 3, 4\) needs 96 bytes of data, and 0 are there"):
        decode(SHAPE)


def test_files(tmp_path):
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob(A, old=True))
    np.testing.assert_array_equal(read_mean(path), A, strict=True)
    np.testing.assert_array_equal(read_blob(path), A[None], strict=True)
    path.write_bytes(b"".join(encode_blob(A)))
    np.testing.assert_array_equal(read_mean(path), A, strict=True)
    path.write_bytes(b"".join(encode_blob(A[0])))
    with pytest.raises(FileFormatError, match=r"mean\.binaryproto: expected the mean of images.*\(3, 4\)"):
        read_mean(path)
    path.write_bytes(SHAPE)
    with pytest.raises(FileFormatError, match=r"mean\.binaryproto: a blob of shape"):
        read_mean(path)
