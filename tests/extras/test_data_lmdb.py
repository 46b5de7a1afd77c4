import sys

import lmdb
import numpy as np
import pytest

from handbrew.data import FileFormatError, load, read_lmdb

IMAGES = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)


def datum(X, label):
    """A record as Caffe's tools write it; all its numbers here are below 128, a byte each."""
    head = bytes([8, X.shape[0], 16, X.shape[1], 24, X.shape[2]])
    data = X.tobytes()
    kind = 0x22 if X.dtype == np.uint8 else 0x32  # data, float_data
    return head + bytes([kind, len(data)]) + data + bytes([0x28, label])


def write(folder, records, **options):
    with lmdb.open(str(folder), map_size=1 << 20, **options) as database, database.begin(write=True) as transaction:
        for i, record in enumerate(records):
            transaction.put(f"{i:08}".encode(), record)
    return folder


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_samples_in_the_order_of_the_keys(tmp_path, dtype):
    images = IMAGES.astype(dtype)
    path = write(tmp_path / "db", [datum(x, 9 - i) for i, x in enumerate(images)])
    data = read_lmdb(path)
    np.testing.assert_array_equal(data.X, images)
    assert (data.X.dtype, data.y.tolist(), data.name) == (dtype, [9, 8, 7, 6, 5], "db")


def test_load_knows_databases(tmp_path):
    write(tmp_path / "mnist_train_lmdb", [datum(x, i) for i, x in enumerate(IMAGES)])
    assert load(tmp_path)[1] is None
    write(tmp_path / "mnist_test_lmdb", [datum(x, i) for i, x in enumerate(IMAGES[:2])])
    train, test = load(tmp_path)
    assert (len(train), len(test), train.X.dtype) == (5, 2, np.float32)
    np.testing.assert_array_equal(train.X, IMAGES / np.float32(255))
    train, test = load(tmp_path / "mnist_train_lmdb", raw=True)
    assert (train.X.dtype, test) == (np.uint8, None)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "no record"),
        ([datum(IMAGES[0], 1), b"\x08"], r"record '00000001': an integer has no end"),
        (
            [datum(IMAGES[0], 1), datum(IMAGES[1, :1], 1)],
            r"expected uint8 of shape \(3, 2, 2\).*got uint8 of shape \(1",
        ),
        ([datum(IMAGES[0], 1), datum(IMAGES[1].astype("f4"), 1)], "expected uint8 of .*got float32"),
        ([datum(IMAGES[0], 1) + b"\x38\x01"], "packed image"),
    ],
)
def test_records_that_are_no_samples(tmp_path, records, said):
    with pytest.raises(FileFormatError, match=said):
        read_lmdb(write(tmp_path / "db", records))


def test_no_database(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"x" * 10_000)
    with pytest.raises(FileFormatError, match="not an LMDB database"):
        read_lmdb(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_lmdb(tmp_path / "nowhere")


def test_cut_short(tmp_path):
    """LMDB itself would read beyond the file's end, and end the program."""
    path = write(tmp_path / "db", [datum(x, 1) for x in IMAGES] * 500) / "data.mdb"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match=r"data\.mdb is cut short: it should have \d+ bytes, \d+ are there"):
        read_lmdb(path.parent)


def test_without_lmdb(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError, match=r"pip install 'handbrew\[lmdb\]'"):
        read_lmdb(tmp_path)
