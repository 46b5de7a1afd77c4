"""A data set from whatever lies in a folder."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np

from .cifar import cifar_parts
from .dataset import Dataset
from .errors import FileFormatError
from .hdf5 import HDF5, SUFFIXES, Hdf5, read_hdf5
from .idx import read_idx
from .lmdb import NAME, read_lmdb
from .npz import TEST, TRAIN, Arrays, Names, Npz, pair
from .table import read_table

Parts = tuple[Dataset, Dataset | None]

_EXPECTED = """expected one of
  train-images-idx3-ubyte and train-labels-idx1-ubyte, with t10k-... or test-... for the test part, .gz or not
  train.npz, train.csv or train.h5, with test.npz, test.csv or test.h5 for the test part
  data_batch_1.bin to data_batch_5.bin, with test_batch.bin: CIFAR-10, the binary version
  train.bin, with test.bin: CIFAR-100, the binary version
  an LMDB database, or two in folders whose names end in train_lmdb and test_lmdb or val_lmdb
  a single .npz, .csv or .h5"""


def load(path: str | PathLike[str], raw: bool = False) -> Parts:
    """`(train, test)` from a folder or an .npz, .csv or .h5 file; `test` is None if there is no test part.

    A folder holds MNIST's four IDX files; or train.npz, train.csv or train.h5, with or without test.npz, test.csv or
    test.h5; or the binary files of CIFAR-10 or CIFAR-100; or Caffe's LMDB databases, `..._train_lmdb` with or without
    `..._test_lmdb`; or a single .npz, .csv or .h5 file; or it is an LMDB database itself. The first of these that is
    there is read. An .npz or .h5 file may hold the test part too, as x_test and y_test, and weights of the samples:
    `weight`, and `weight_test` for a test part in the same file. A .txt file lists .h5 files, one a line. The test
    part's labels and columns follow those of the training part.

    uint8 values are taken for pixels: X becomes float32 from 0 to 1, unless they are asked for `raw`. Such images of
    shape (N, H, W) become (N, 1, H, W), as convolutions expect; a net of `Affine` layers begins with a `Flatten`. All
    else stays as it was read.

    Raises FileNotFoundError if there is nothing to read, FileFormatError if it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        train, test = _folder(path)
    elif not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; expected a folder, an .npz, .csv or .h5 file")
    elif path.suffix.lower() == ".txt":
        train, test = read_hdf5(path), None
    elif path.suffix.lower() in _READERS:
        train, test = _READERS[path.suffix.lower()](path, None)
    else:
        raise FileFormatError(f"{path}: expected a folder, an .npz, .csv or .h5 file")
    if test is not None and test.X.shape[1:] != train.X.shape[1:]:
        raise FileFormatError(
            f"{path}: samples of the training part have shape {train.X.shape[1:]}, "
            f"those of the test part {test.X.shape[1:]}"
        )
    name = path.resolve().stem
    return _ready(train, name, raw), None if test is None else _ready(test, name, raw)


def _folder(folder: Path) -> Parts:
    if (folder / NAME).is_file():
        return read_lmdb(folder), None
    if _find(folder, "train-images"):
        test = next((part for part in ("t10k", "test") if _find(folder, f"{part}-images")), None)
        return _idx(folder, "train"), _idx(folder, test) if test else None
    for suffix, read in _READERS.items():
        train_file, test_file = folder / f"train{suffix}", folder / f"test{suffix}"
        if train_file.is_file():
            return read(train_file, test_file if test_file.is_file() else None)
    if parts := cifar_parts(folder):
        return parts
    if train_part := _database(folder, "train"):
        test_part = _database(folder, "test") or _database(folder, "val")
        return read_lmdb(train_part), read_lmdb(test_part) if test_part else None
    for suffix, read in _READERS.items():
        files = list(folder.glob(f"*{suffix}"))
        if len(files) == 1:
            return read(files[0], None)
    raise FileNotFoundError(f"{folder}: {_EXPECTED}\n{_listing(folder)}")


def _find(folder: Path, stem: str) -> Path | None:
    """The IDX file called `stem`, with either of the usual spellings of the ending."""
    endings = [f"{mark}idx?-ubyte{zipped}" for zipped in ("", ".gz") for mark in "-."]
    return next((file for ending in endings for file in folder.glob(stem + ending)), None)


def _database(folder: Path, part: str) -> Path | None:
    """The one LMDB database in the folder whose name ends in, say, train_lmdb."""
    found = list(folder.glob(f"*{part}_lmdb/{NAME}"))
    return found[0].parent if len(found) == 1 else None


def _idx(folder: Path, part: str) -> Dataset:
    images, labels = _find(folder, f"{part}-images"), _find(folder, f"{part}-labels")
    if not images or not labels:
        raise FileNotFoundError(f"{folder}: no {part}-labels-idx1-ubyte for {part}-images; {_listing(folder)}")
    X, y = read_idx(images), read_idx(labels)
    if y.ndim != 1 or y.dtype.kind == "f" or X.ndim < 2 or len(X) != len(y):
        raise FileFormatError(
            f"{images} has shape {X.shape}, {labels} {y.shape} of {y.dtype}: expected N images, N integers"
        )
    return Dataset(X, y)


def _arrays(open_: Callable[[Path], Arrays], names: Names, path: Path, test_path: Path | None) -> Parts:
    arrays = open_(path)
    train = pair(arrays, names)
    if test_path:
        return train, pair(open_(test_path), names + TEST, train.classes)
    if any(name in arrays.members for pair_of_names in TEST for name in pair_of_names):
        return train, pair(arrays, TEST, train.classes, "weight_test")
    return train, None


def _csv(path: Path, test_path: Path | None) -> Parts:
    table = read_table(path)
    train = table.dataset(None)
    if not test_path:
        return train, None
    return train, read_table(test_path, table.target, table.features).dataset(train.classes or ())


_READERS: dict[str, Callable[[Path, Path | None], Parts]] = {
    ".npz": partial(_arrays, Npz, TRAIN),
    ".csv": _csv,
    **dict.fromkeys(SUFFIXES, partial(_arrays, Hdf5, HDF5)),
}


def _ready(data: Dataset, name: str, raw: bool) -> Dataset:
    """`data` under its name, pixels scaled unless they are wanted as they are."""
    X = data.X
    if X.dtype == np.uint8:
        if X.ndim == 3:
            X = X[:, None]
        X = X if raw else X / np.float32(255)
    return replace(data, X=X, name=name)


def _listing(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir())
    return f"found {', '.join(names[:10]) or 'nothing'}" + (", ..." if len(names) > 10 else "")
