"""The binary format of CIFAR-10 and CIFAR-100.

A file is a row of records: one byte for the label (in CIFAR-100 two, the coarse one of 20 and the fine one of
100), then the 32x32 pixels in red, in green and in blue, a byte each, row by row.
(https://www.cs.toronto.edu/~kriz/cifar.html)
"""

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .dataset import Dataset
from .errors import FileFormatError
from .guard import decoding

IMAGE = (3, 32, 32)
_LONGEST = 10_000  # bytes in a file of names; CIFAR-100's has about 900


class _Variant(NamedTuple):
    """What sets one of the two data sets apart."""

    labels: tuple[int, ...]  # each label byte of a record is below this; the last one counts
    train: tuple[str, ...]
    test: str
    names: str


_VARIANTS = {
    10: _Variant((10,), tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin", "batches.meta.txt"),
    100: _Variant((20, 100), ("train.bin",), "test.bin", "fine_label_names.txt"),
}


def read_cifar(path: str | PathLike[str], classes: int = 10) -> Dataset:
    """The images in one file of CIFAR-10 or, with `classes=100`, of CIFAR-100 (its fine labels).

    X is uint8 (N, 3, 32, 32), y the label. The names of the classes come from batches.meta.txt or
    fine_label_names.txt beside the file; without it they are the numbers.

    Raises FileFormatError if the file is no whole number of records or a label is out of range.
    """
    if classes not in _VARIANTS:
        raise ValueError(f"classes: expected 10 or 100, for CIFAR-10 or CIFAR-100, got {classes!r}")
    path, variant = Path(path), _VARIANTS[classes]
    before = len(variant.labels)
    record = before + int(np.prod(IMAGE))
    with path.open("rb") as file, decoding(path):
        size = path.stat().st_size
        if not size or size % record:
            raise FileFormatError(
                f"{path}: expected records of {record} bytes, as CIFAR-{classes} has them, got {size} bytes, which "
                f"are {size // record} records and {size % record} bytes; unpack it again, or is it another format?"
            )
        records = np.fromfile(file, np.uint8, size).reshape(-1, record)
    for at, below in enumerate(variant.labels):
        wrong = np.flatnonzero(records[:, at] >= below)
        if wrong.size:
            which = "label" if before == 1 else ("coarse label", "fine label")[at]
            raise FileFormatError(
                f"{path}: record {wrong[0]}, counted from 0: expected a {which} from 0 to {below - 1}, "
                f"got {records[wrong[0], at]}; is it not CIFAR-{classes}?"
            )
    X = records[:, before:].reshape(-1, *IMAGE)
    return Dataset(X, records[:, before - 1], _names(path.with_name(variant.names), classes), path.stem)


def cifar_parts(folder: Path) -> tuple[Dataset, Dataset | None] | None:
    """The training part in `folder`, all its files in one, and the test part; None if neither CIFAR is there.

    Raises FileNotFoundError if only some of the training files are: that would be another data set.
    """
    for classes, variant in _VARIANTS.items():
        missing = [name for name in variant.train if not (folder / name).is_file()]
        if len(missing) == len(variant.train):
            continue
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise FileNotFoundError(f"{folder}: CIFAR-{classes} is not whole: {', '.join(missing)} {are} missing")
        parts = [read_cifar(folder / name, classes) for name in variant.train]
        X, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        test = folder / variant.test
        train = replace(parts[0], X=X, y=y, name=f"CIFAR-{classes}")
        return train, replace(read_cifar(test, classes), name=train.name) if test.is_file() else None
    return None


def _names(path: Path, classes: int) -> tuple[str, ...]:
    """One name a line, as many as there are classes."""
    if not path.is_file():
        return tuple(map(str, range(classes)))
    with path.open("rb") as file, decoding(path):
        lines = file.read(_LONGEST).decode("utf-8").split("\n")
        names = tuple(line.strip() for line in lines if line.strip())
        if len(set(names)) != classes or len(names) != classes:
            raise FileFormatError(
                f"{path}: expected {classes} different names, one a line, got {len(names)}, {len(set(names))} different"
            )
        return names
