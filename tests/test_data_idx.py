import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import FileFormatError, read_idx

CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}  # struct's letters


def idx(code, shape, values):
    return struct.pack(f">BBBB{len(shape)}I{len(values)}{CODES[code]}", 0, 0, code, len(shape), *shape, *values)


IMAGES = idx(0x08, (2, 2, 3), range(12))


@pytest.fixture
def write(tmp_path):
    def write(content, name="some.idx"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@settings(max_examples=60)
@given(
    code=st.sampled_from(sorted(CODES)),
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    zipped=st.booleans(),
)
def test_reads_every_type_and_shape(tmp_path_factory, code, shape, zipped):
    values = [i % 120 for i in range(int(np.prod(shape)))]
    path = tmp_path_factory.mktemp("idx") / "any-name"
    content = idx(code, shape, values)
    path.write_bytes(gzip.compress(content) if zipped else content)
    array = read_idx(path)
    assert array.tolist() == np.array(values).reshape(shape).tolist()
    assert array.dtype == np.dtype(CODES[code])  # native
    assert array.flags.writeable


def test_numbers_are_big_endian_and_signed(write):
    assert read_idx(write(b"\0\0\x0b\1\0\0\0\2\x01\x02\xff\xfe")).tolist() == [258, -2]


def test_the_content_tells_gzip_not_the_name(write):
    assert read_idx(write(IMAGES, "a.gz")).shape == (2, 2, 3)
    assert read_idx(str(write(gzip.compress(IMAGES), "b"))).shape == (2, 2, 3)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"PK\3\4" + bytes(20), "not an IDX file"),
        (b"\0\0\x0a\1\0\0\0\0", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\0\x08\3\0\0", "damaged"),
        (IMAGES[:-1], "cut short"),
        (IMAGES + b"\0", "goes on after"),
        (b"\0\0\x0e\5" + b"\xff" * 20, "too many for a file of its size"),  # 2**160 doubles
        (b"\0\0\x08\2" + struct.pack(">II", 0, 2**32 - 1) * 1 + b"x", "goes on after"),
        (b"\0\0\x08\x41" + bytes(4 * 0x41), "damaged"),  # more axes than an array can have
    ],
)
def test_a_wrong_file_is_named_and_refused(write, content, message, pack):
    path = write(pack(content))
    with pytest.raises(FileFormatError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_damaged_gzip(write):
    zipped = gzip.compress(IMAGES)
    for content in (
        zipped[:-9],
        zipped[:-5] + b"\0" + zipped[-4:],
        zipped + b"more",
        zipped[:10] + b"\xff" * 9,
    ):
        with pytest.raises(FileFormatError) as error:
            read_idx(write(content))
        assert error.value.__cause__ is not None


def test_memory_follows_the_bytes_not_the_promise(write):
    import tracemalloc

    path = write(b"\0\0\x08\1" + struct.pack(">I", 2**28) + bytes(100))
    bomb = write(gzip.compress(b"\0\0\x08\1" + struct.pack(">I", 2**20) + bytes(2**26)), "bomb")
    noise = np.random.default_rng(0).bytes(2**18)  # enough, if it were not noise, to unpack to what is promised
    plausible = write(gzip.compress(b"\0\0\x08\1" + struct.pack(">I", 2**28) + noise), "plausible")
    tracemalloc.start()
    for promise in (path, bomb, plausible):
        with pytest.raises(FileFormatError):
            read_idx(promise)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")
