import sys

import h5py
import numpy as np
import pytest

from handbrew.data import FileFormatError, load, read_hdf5
from handbrew.data.hdf5 import read_arrays

X = np.random.default_rng(0).standard_normal((6, 2, 3)).astype(np.float32)
y = np.arange(6)


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return path


@pytest.mark.parametrize("names", [("data", "label"), ("X", "y"), ("x_train", "y_train")])
def test_the_usual_names(tmp_path, names):
    path = write(tmp_path / "a.h5", **dict(zip(names, (X, y), strict=True)))
    data = read_hdf5(path)
    np.testing.assert_array_equal(data.X, X)
    assert (data.X.dtype, data.y.tolist(), data.name) == (np.float32, y.tolist(), "a")


def test_other_names(tmp_path):
    path = write(tmp_path / "a.h5", image=X, depth=y.astype(np.float32))
    assert read_hdf5(path, "image", "depth").y.dtype == np.float32
    assert list(read_arrays(path, ["depth", "image"])) == ["depth", "image"]
    with pytest.raises(
        FileFormatError, match=r"a\.h5: expected the arrays data and label or X and y or .*found depth, image"
    ):
        read_hdf5(path)
    with pytest.raises(FileFormatError, match="expected an array called mask, found depth, image"):
        read_arrays(path, ["mask"])


def test_lists(tmp_path, monkeypatch):
    write(tmp_path / "a.h5", data=X, label=y)
    write(tmp_path / "b.h5", data=X[:2], label=y[:2])
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.h5'}\nb.h5\n")
    data = read_hdf5(tmp_path / "list.txt")
    assert (data.X.shape, data.y.tolist()) == ((8, 2, 3), [*range(6), 0, 1])
    assert len(load(tmp_path / "list.txt")[0]) == 8
    assert read_arrays(tmp_path / "list.txt", ["label"])["label"].tolist() == data.y.tolist()
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(FileFormatError, match="an empty list"):
        read_hdf5(tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("nowhere.h5")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        read_hdf5(tmp_path / "list.txt")
    write(tmp_path / "b.h5", data=X[:, :1], label=y)
    (tmp_path / "list.txt").write_text("a.h5 b.h5")
    with pytest.raises(FileFormatError, match="samples of unequal shapes"):
        read_hdf5(tmp_path / "list.txt")


def test_load_knows_parts(tmp_path):
    write(tmp_path / "train.h5", data=np.full((3, 4, 4), 255, np.uint8), label=y[:3])
    write(tmp_path / "test.h5", data=np.full((2, 4, 4), 0, np.uint8), label=y[:2])
    train, test = load(tmp_path)
    assert (train.X.shape, train.X.max(), len(test)) == ((3, 1, 4, 4), 1, 2)
    write(tmp_path / "one.hdf5", X=X, y=y, x_test=X[:1], y_test=y[:1])
    assert [len(part) for part in load(tmp_path / "one.hdf5")] == [6, 1]


def test_what_is_packed_is_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.zeros((1000, 1000), np.float32), compression="gzip")
        file.create_dataset("label", data=np.zeros(1000, ">i4"))
    data = read_hdf5(tmp_path / "a.h5")
    assert (data.X.shape, data.y.dtype) == ((1000, 1000), np.int64)


def test_hostile_files(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:  # declared, and never written
        file.create_dataset("data", shape=(1 << 40,), dtype="f4", chunks=(1 << 20,), compression="gzip")
        file.create_dataset("label", data=y)
    with pytest.raises(FileFormatError, match=r"a\.h5: data claims 4398046511104 bytes of data for its 0"):
        read_hdf5(path)
    write(tmp_path / "b.h5", data=X, label=y)
    with h5py.File(path, "w") as file:
        file["data"] = h5py.ExternalLink("b.h5", "data")
        file["label"] = h5py.SoftLink("/elsewhere")
    with pytest.raises(FileFormatError, match="found none"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", shape=(4,), dtype="u1", external=[(str(tmp_path / "b.h5"), 0, 4)])
        file["label"] = y[:4]
    with pytest.raises(FileFormatError, match="data lies in another file"):
        read_hdf5(path)
    with h5py.File(path, "w") as file:
        file["data"] = ["a", "b"]
        file["label"] = y[:2]
    with pytest.raises(FileFormatError, match="data holds object, expected real numbers"):
        read_hdf5(path)
    path.write_bytes(b"x" * 1000)
    with pytest.raises(FileFormatError, match=r"a\.h5: damaged, or not of its format"):
        read_hdf5(path)


def test_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'handbrew\[hdf5\]'"):
        read_hdf5(write_nothing(tmp_path / "a.h5"))


def write_nothing(path):
    path.touch()
    return path
