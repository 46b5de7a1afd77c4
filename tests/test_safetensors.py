"""The safetensors format: written as its page says, and nothing else is read.

The format's own library is the oracle in ``tests/extras``; here files are made and taken apart by hand.
"""

import hashlib
import json
import struct
import tracemalloc

import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.nets import safetensors
from handbrew.nets.safetensors import CHECKSUM, DTYPES, NAMES, read_safetensors, write_safetensors

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.array([7, 8], np.int64)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.safetensors"


def compose(header, data=b""):
    """A file of this header, an object or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype="F32", shape=(2, 3), begin=0, end=24):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


GOOD = {"a": entry(), "b": entry("I64", (2,), 24, 40), "__metadata__": {"key": "text"}}
DATA = A.tobytes() + B.tobytes()
GOOD_ARRAYS = {"a": A, "b": B}


def test_what_is_written_byte_by_byte(path):
    with path.open("wb") as file:
        write_safetensors(file, {"a": A, "b": B}, {"key": "Gruß"})
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    digest = header["__metadata__"].pop("handbrew.sha256")
    assert header == {"__metadata__": {"key": "Gruß"}, "a": entry(), "b": entry("I64", (2,), 24, 40)}
    assert content[8 + length :] == DATA
    assert content.count(digest.encode()) == 1
    assert digest == hashlib.sha256(content.replace(digest.encode(), b"0" * 64)).hexdigest()


def test_what_is_read_of_a_file_made_by_hand(path):
    path.write_bytes(compose(GOOD, DATA))
    arrays, metadata = read_safetensors(path)
    assert list(arrays) == ["a", "b"]
    np.testing.assert_array_equal(arrays["a"], A, strict=True)
    np.testing.assert_array_equal(arrays["b"], B, strict=True)
    assert metadata == {"key": "text"}
    arrays["a"][0, 0] = 5


@pytest.mark.parametrize("dtype", NAMES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (0,), (1, 2, 3)])
def test_every_type_and_shape_comes_back(path, dtype, shape):
    arrays = {
        "x": np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype),
        "y": A.T,
        "z": A[:, ::2],
    }
    with path.open("wb") as file:
        write_safetensors(file, arrays, {})
    found, metadata = read_safetensors(path)
    assert metadata == {}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_big_endian_arrays_are_written_little_endian(path):
    with path.open("wb") as file:
        write_safetensors(file, {"x": A.astype(">f4")}, {})
    np.testing.assert_array_equal(read_safetensors(path)[0]["x"], A, strict=True)


@pytest.mark.parametrize("dtype", [complex, "U3", object, "M8[s]"])
def test_types_that_the_format_lacks(path, dtype):
    with path.open("wb") as file, pytest.raises(TypeError, match="x: safetensors has no data type for"):
        write_safetensors(file, {"x": np.zeros(2, dtype)}, {})


@pytest.mark.parametrize("values", [np.float32([1.5, -3.0]), np.float32(1.5)], ids=["vector", "scalar"])
def test_bfloat16_is_read_as_float32(path, values):
    values = np.asarray(values)
    upper = (values.ravel().view(np.uint32) >> 16).astype("<u2")
    path.write_bytes(compose({"x": entry("BF16", values.shape, 0, upper.nbytes)}, upper.tobytes()))
    found = read_safetensors(path)[0]["x"]
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, values, strict=True)


def test_special_values_keep_their_bits(path):
    bits = np.array([0x7FC01234, 0xFF800000, 0x80000000, 0x00000001], np.uint32)
    with path.open("wb") as file:
        write_safetensors(file, {"x": bits.view(np.float32)}, {})
    np.testing.assert_array_equal(read_safetensors(path)[0]["x"].view(np.uint32), bits)


BAD = {
    "a gap between arrays": {"a": entry(), "b": entry("I64", (1,), 32, 40)},
    "a gap at the start": {"a": entry(begin=16, end=40)},
    "overlapping arrays": {"a": entry(), "b": entry("F32", (6,), 16, 40)},
    "the same bytes twice": {"a": entry(), "b": entry()},
    "bytes left over": {"a": entry()},
    "more than there is": {"a": entry(), "b": entry("I64", (3,), 24, 48)},
    "offsets the wrong way round": {"a": entry(begin=24, end=0)},
    "negative offsets": {"a": entry("F32", (10,), -40, 0)},
    "a negative shape": {"a": entry("F32", (-2, -5), 0, 40)},
    "offsets that are no integers": {"a": entry("F32", (10,), 0.0, 40.0)},
    "a shape of floats": {"a": entry("F32", (10.0,), 0, 40)},
    "a shape of booleans": {"a": entry("F32", (10, True), 0, 40)},
    "a shape that is a text": {"a": {"dtype": "F32", "shape": "10", "data_offsets": [0, 40]}},
    "another type than the bytes": {"a": entry("F64", (10,), 0, 40)},
    "an unknown type": {"a": entry("F8_E4M3", (40,), 0, 40)},
    "a type that is no text": {"a": entry(["F32"], (10,), 0, 40)},
    "three offsets": {"a": {"dtype": "F32", "shape": [10], "data_offsets": [0, 40, 40]}},
    "no offsets": {"a": {"dtype": "F32", "shape": [10]}},
    "no shape": {"a": {"dtype": "F32", "data_offsets": [0, 40]}},
    "an entry that is a list": {"a": [0, 40]},
    "an entry that is nothing": {"a": None},
    "metadata of numbers": {"a": entry("F32", (10,), 0, 40), "__metadata__": {"x": 1}},
    "metadata that are a list": {"a": entry("F32", (10,), 0, 40), "__metadata__": ["x"]},
    "metadata that are nothing": {"a": entry("F32", (10,), 0, 40), "__metadata__": None},
    "a list": [entry()],
    "a number": 5,
    "an enormous empty array": {"a": entry("F32", (0, 2**62, 2**62), 0, 0), "b": entry("F32", (10,), 0, 40)},
    "an enormous array": {"a": entry("F32", (2**40,), 0, 2**42)},
    "sixty-five axes": {"a": entry("F32", (1,) * 65 + (10,), 0, 40)},
    "no UTF-8": b'{"a\xff": 1}',
    "no JSON": b"{a: 1}",
    "half of it": b'{"a": {"dtype": "F32", "shape"',
    "a name twice": b'{"a":%s,"a":%s}' % ((b'{"dtype":"F32","shape":[10],"data_offsets":[0,40]}',) * 2),
    "a key twice": b'{"a":{"dtype":"F64","dtype":"F32","shape":[10],"data_offsets":[0,40]}}',
    "nested without end": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number without end": b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,40]}}',
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_headers(path, case):
    path.write_bytes(compose(BAD[case], DATA))
    with pytest.raises(FileFormatError) as error:
        read_safetensors(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\0" * 8, struct.pack("<Q", 2**63), struct.pack("<Q", 3) + b"{}"])
def test_too_short_for_a_header(path, content):
    path.write_bytes(content)
    with pytest.raises(FileFormatError):
        read_safetensors(path)


def test_memory_is_bounded_by_the_file(path):
    path.write_bytes(compose({"a": entry("F32", (2**40,), 0, 2**42)}, b"\0" * 1000))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="ends at byte 4398046511104 of the data, but there are 1000"):
        read_safetensors(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_cut_short_at_every_byte(path):
    whole = compose(GOOD, DATA)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            pytest.fail(f"{length} bytes: {read_safetensors(path)}")
    path.write_bytes(whole + b"\0")
    with pytest.raises(FileFormatError, match="expected 40 bytes of data, got 41"):
        read_safetensors(path)


def test_the_names_are_those_of_the_format():
    assert set(DTYPES) == {
        "BOOL", "BF16", "F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64",
    }  # fmt: skip
    assert all(
        np.dtype(code).itemsize == int(name.strip("BFIU") or 8) / 8 for name, code in DTYPES.items() if name != "BOOL"
    )


# ---- the checksum


def write(path, arrays=GOOD_ARRAYS, **metadata):
    with path.open("wb") as file:
        write_safetensors(file, arrays, metadata)
    return path.read_bytes()


def test_the_checksum_is_no_text_of_the_file(path):
    write(path, handbrew="x")
    assert read_safetensors(path)[1] == {"handbrew": "x"}


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_noticed(path, bit):
    whole = write(path, handbrew="{}")
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        with pytest.raises(FileFormatError):
            pytest.fail(f"byte {at}: {read_safetensors(path)}")


def test_what_a_damaged_file_says(path):
    whole = write(path, handbrew="{}")
    path.write_bytes(whole[:-1] + b"\1")
    digest = hashlib.sha256(path.read_bytes().replace(whole[whole.index(b"sha256") + 9 :][:64], b"0" * 64)).hexdigest()
    with pytest.raises(
        FileFormatError, match=f"^{path}: damaged: its SHA-256 is {digest}, expected [0-9a-f]{{64}}. A prog"
    ):
        read_safetensors(path)


@pytest.mark.parametrize("name", ["handbrew", "handbrew.snapshot", "handbrew.something"])
def test_a_file_of_handbrews_has_a_checksum(path, name):
    header = {"__metadata__": {name: "{}"}, "a": entry()}
    path.write_bytes(compose(header, A.tobytes()))
    with pytest.raises(FileFormatError, match=r"not its checksum: .* set the text handbrew.sha256 to 'none'"):
        read_safetensors(path)
    header["__metadata__"][CHECKSUM] = "none"
    path.write_bytes(compose(header, A.tobytes()))
    arrays, metadata = read_safetensors(path)
    np.testing.assert_array_equal(arrays["a"], A, strict=True)
    assert metadata == {name: "{}"}


@pytest.mark.parametrize("digest", ["", "0" * 64, "None", "ß", "f" * 63])
def test_a_checksum_that_is_none(path, digest):
    path.write_bytes(compose({"__metadata__": {CHECKSUM: digest}, "a": entry()}, A.tobytes()))
    with pytest.raises(FileFormatError, match="damaged"):
        read_safetensors(path)


def test_others_may_have_a_checksum_of_their_own(path):
    header = {"__metadata__": {"sha256": "of something else", "format": "np"}, "a": entry()}
    path.write_bytes(compose(header, A.tobytes()))
    assert read_safetensors(path)[1] == header["__metadata__"]


def test_texts_and_names_full_of_zeros(path):
    """The digits are put where the checksum is, not where other zeros are."""
    zeros = "0" * 64
    write(path, {zeros: A}, a=zeros, handbrew=zeros)
    arrays, metadata = read_safetensors(path)
    assert list(arrays) == [zeros]
    assert metadata == {"a": zeros, "handbrew": zeros}


def test_no_second_copy_of_the_arrays(path):
    """Neither writing nor reading takes much more memory than the arrays have."""
    arrays = {f"{i}": np.zeros(2**20, np.float32) for i in range(4)}
    tracemalloc.start()
    with path.open("wb") as file:
        write_safetensors(file, arrays, {})
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    found, _ = read_safetensors(path)
    read = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 4
    assert written < 2**20
    assert read < 17 * 2**20


def test_a_header_that_could_not_be_read_is_not_written(path, monkeypatch):
    monkeypatch.setattr(safetensors, "LONGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="safetensors has room for 1000"):
        write(path, handbrew="x" * 1000)
