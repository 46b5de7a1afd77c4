"""A data set from whatever lies in a folder."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from .cifar import cifar_parts
from .dataset import Dataset
from .errors import FileFormatError
from .idx import read_idx
from .npz import TEST, TRAIN, Npz, pair
from .table import read_table

Parts = tuple[Dataset, Dataset | None]

_EXPECTED = """expected one of
  train-images-idx3-ubyte and train-labels-idx1-ubyte, with t10k-... or test-... for the test part, .gz or not
  train.npz or train.csv, with test.npz or test.csv for the test part
  data_batch_1.bin to data_batch_5.bin, with test_batch.bin: CIFAR-10, the binary version
  train.bin, with test.bin: CIFAR-100, the binary version
  a single .npz or .csv"""


def load(path: str | PathLike[str]) -> Parts:
    """`(train, test)` from a folder or an .npz or .csv file; `test` is None if there is no test part.

    A folder holds MNIST's four IDX files; or train.npz or train.csv, with or without test.npz or test.csv; or
    the binary files of CIFAR-10 or CIFAR-100; or a single .npz or .csv file. The first of these that is there
    is read. An .npz file may hold the test part too, as x_test and y_test, and weights of the samples: `weight`,
    and `weight_test` for a test part in the same file. The test part's labels and columns follow those of the
    training part.

    uint8 values are taken for pixels: X becomes float32 from 0 to 1. Such images of shape (N, H, W) become
    (N, 1, H, W), as convolutions expect; a net of `Affine` layers begins with a `Flatten`. All else stays as
    it was read.

    Raises FileNotFoundError if there is nothing to read, FileFormatError if it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        train, test = _folder(path)
    elif not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; expected a folder, an .npz or a .csv file")
    elif path.suffix.lower() in _READERS:
        train, test = _READERS[path.suffix.lower()](path, None)
    else:
        raise FileFormatError(f"{path}: expected a folder, an .npz or a .csv file")
    if test is not None and test.X.shape[1:] != train.X.shape[1:]:
        raise FileFormatError(
            f"{path}: samples of the training part have shape {train.X.shape[1:]}, "
            f"those of the test part {test.X.shape[1:]}"
        )
    name = path.resolve().stem
    return _ready(train, name), None if test is None else _ready(test, name)


def _folder(folder: Path) -> Parts:
    if _find(folder, "train-images"):
        test = next((part for part in ("t10k", "test") if _find(folder, f"{part}-images")), None)
        return _idx(folder, "train"), _idx(folder, test) if test else None
    for suffix, read in _READERS.items():
        train_file, test_file = folder / f"train{suffix}", folder / f"test{suffix}"
        if train_file.is_file():
            return read(train_file, test_file if test_file.is_file() else None)
    if parts := cifar_parts(folder):
        return parts
    for suffix, read in _READERS.items():
        files = list(folder.glob(f"*{suffix}"))
        if len(files) == 1:
            return read(files[0], None)
    raise FileNotFoundError(f"{folder}: {_EXPECTED}\n{_listing(folder)}")


def _find(folder: Path, stem: str) -> Path | None:
    """The IDX file called `stem`, with either of the usual spellings of the ending."""
    endings = [f"{mark}idx?-ubyte{zipped}" for zipped in ("", ".gz") for mark in "-."]
    return next((file for ending in endings for file in folder.glob(stem + ending)), None)


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


def _npz(path: Path, test_path: Path | None) -> Parts:
    npz = Npz(path)
    train = pair(npz, TRAIN)
    if test_path:
        return train, pair(Npz(test_path), TRAIN + TEST, train.classes)
    if any(name in npz.members for names in TEST for name in names):
        return train, pair(npz, TEST, train.classes, "weight_test")
    return train, None


def _csv(path: Path, test_path: Path | None) -> Parts:
    table = read_table(path)
    train = table.dataset(None)
    if not test_path:
        return train, None
    return train, read_table(test_path, table.target, table.features).dataset(train.classes or ())


_READERS: dict[str, Callable[[Path, Path | None], Parts]] = {".npz": _npz, ".csv": _csv}


def _ready(data: Dataset, name: str) -> Dataset:
    """`data` under its name, pixels scaled."""
    X = data.X
    if X.dtype == np.uint8:
        X = X / np.float32(255)
        if X.ndim == 3:
            X = X[:, None]
    return replace(data, X=X, name=name)


def _listing(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir())
    return f"found {', '.join(names[:10]) or 'nothing'}" + (", ..." if len(names) > 10 else "")
