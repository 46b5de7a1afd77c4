import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.data.datum import parse_datum
from handbrew.data.wire import floats, integer


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    """An integer, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def datum(shape=(1, 2, 3), data=bytes(range(6)), label=7, **more):
    """The record that Caffe's tools write for a sample."""
    parts = [field(i + 1, n) for i, n in enumerate(shape)] + [field(4, data), field(5, label)]
    return b"".join([*parts, *more.values()])


def test_a_field_of_another_kind():
    for wrong in (3, memoryview(b"abc"), np.zeros(1, "<f8")):
        with pytest.raises(FileFormatError, match="field 6 should hold numbers of 4 bytes"):
            floats(6, wrong)
    with pytest.raises(FileFormatError, match="field 1 should hold an integer"):
        integer(1, memoryview(b""))


def test_bytes_are_pixels():
    X, label = parse_datum(datum())
    assert (X.dtype, label) == (np.uint8, 7)
    assert X.tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_floats_packed_or_one_by_one():
    values = np.array([1, -2.5, 3e9, 0], "<f4")
    one_by_one = b"".join(varint(6 << 3 | 5) + value.tobytes() for value in values)
    for numbers in (field(6, values.tobytes()), one_by_one):
        X, label = parse_datum(datum((1, 2, 2), b"", -1, numbers=numbers))
        assert (X.dtype, X.shape, label) == (np.float32, (1, 2, 2), -1)
        assert X.ravel().tolist() == values.tolist()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (datum(data=b"12345"), r"5 values, whose channels, height and width are \(1, 2, 3\)"),
        (datum(shape=(2**31 - 1, 2**31 - 1, 2**31 - 1)), "6 values, whose"),
        (datum(shape=(-1, -2, 3)), "6 values, whose"),
        (datum(encoded=field(7, 1)), "packed image"),
        (b"", "0 values"),
        (datum()[:-3], "promises|has no end"),
        (field(1, b"3") + datum(), "field 1 should hold an integer"),
    ],
)
def test_hostile_records(record, said):
    with pytest.raises(ValueError, match=said):
        parse_datum(record)


def test_any_bytes_are_refused_or_read():
    rng = np.random.default_rng(0)
    good = bytearray(datum())
    for _ in range(2000):
        bad = bytearray(good)
        for at in rng.integers(len(bad), size=rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        try:
            X, label = parse_datum(bytes(bad[: rng.integers(len(bad) + 1)]))
        except ValueError:
            continue
        assert X.ndim == 3
        assert isinstance(label, int)
