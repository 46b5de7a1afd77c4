import numpy as np
import pytest

from handbrew.data.datum import parse_datum
from handbrew.data.wire import fields, floats, integer


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


def test_fields_of_every_kind():
    message = field(1, 300) + field(20, b"ab") + varint(2 << 3 | 5) + b"abcd" + varint(3 << 3 | 1) + b"12345678"
    found = [(n, kind, v if kind == 0 else bytes(v)) for n, kind, v in fields(memoryview(message))]
    assert found == [(1, 0, 300), (20, 2, b"ab"), (2, 5, b"abcd"), (3, 1, b"12345678")]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**31 - 1, -1, -(2**31), 2**63 - 1, -(2**63)])
def test_integers(value):
    [(number, kind, found)] = fields(memoryview(field(5, value)))
    assert integer(number, kind, found) == value


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (field(4, b"abc")[:-1], "field 4 is cut short: it has 2 of its 3 bytes"),
        (varint(4 << 3 | 2) + varint(2**60), r"field 4 is cut short: it has 0 of its \d+ bytes"),
        (varint(4 << 3 | 5) + b"abc", "field 4 is cut short"),
        (b"\x80", "ends within an integer"),
        (b"\xff" * 11, "more than ten bytes"),
        (varint(4 << 3 | 3), "field 4 has kind 3"),
    ],
)
def test_no_message(message, said):
    with pytest.raises(ValueError, match=said):
        list(fields(memoryview(message)))


def test_a_field_of_another_kind():
    with pytest.raises(ValueError, match="field 6 should hold numbers of 4 bytes"):
        floats(6, 0, 3)
    with pytest.raises(ValueError, match="field 1 should hold an integer"):
        integer(1, 2, b"")


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
        (datum()[:-3], "cut short|ends within"),
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
