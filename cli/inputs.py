"""The files that the verbs read, as data sets and as bare samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import (
    Dataset,
    FileFormatError,
    digits,
    load,
    read_cifar,
    read_csv,
    read_features,
    read_idx,
    read_npz,
)
from handbrew.data.npz import TEST, TRAIN, Npz

from .task import Task

Array = np.ndarray[Any, np.dtype[Any]]
HELD_OUT = 0.2  # of data without a test part; always the same samples, whatever --seed


def read_parts(
    data: str | None, target: str | None, regression: bool, weight: str | None = None
) -> tuple[Dataset, Dataset]:
    """``(train, held_out)`` from a path, or of the embedded digits; a fifth is held out if need be.

    ``weight`` names the samples' weights: a column, or an array of an npz file. Those held out have theirs, too.
    """
    if data is None:
        for option, name in (("--target", target), ("--sample-weight", weight)):
            if name is not None:
                raise ValueError(f"{option} {name} names a column, so it needs the --data that has it")
        train, test = digits(), None
    elif target is None and weight is None:
        train, test = load(data)
    else:
        train, test = _read_named(Path(data), target, weight)
    if regression:
        train, test = as_numbers(train), test and as_numbers(test)
    train, test = (train, test) if test is not None else train.split(HELD_OUT, seed=0)
    for part, which in ((train, "to learn from"), (test, "held out")):
        if part.weight is not None and not part.weight.any():
            raise ValueError(f"{data}: the weights of all samples {which} are 0, so that none of them would count")
    return train, test


def _read_named(path: Path, target: str | None, weight: str | None) -> tuple[Dataset, Dataset | None]:
    """Tables with columns of one's own choice; or an npz file with an array of weights."""
    if path.suffix.lower() == ".npz" and target is None and weight is not None:
        train, test = load(path)
        npz, held_out = Npz(path), f"{weight}_test"
        weights = npz[held_out] if held_out in npz.members else None
        return replace(train, weight=read_npz(path, weight=weight).weight), test and replace(test, weight=weights)
    train_file, test_file = (path / "train.csv", path / "test.csv") if path.is_dir() else (path, None)
    if train_file.suffix.lower() != ".csv":
        named = "--sample-weight" if target is None else "--target"
        raise ValueError(f"{named} names a column of a CSV file, but the data are {path}")
    train = read_csv(train_file, target, weight=weight)
    if test_file is None or not test_file.is_file():
        return train, None
    return train, read_csv(test_file, target, train.classes or (), train.features, weight)


def as_numbers(data: Dataset) -> Dataset:
    """Labels taken as the numbers that they are the names of."""
    if data.y.dtype.kind == "f":
        return data
    try:
        values = None if data.classes is None else np.array(list(map(float, data.classes)))
    except ValueError as error:
        raise ValueError(f"--regression, but the target holds words: {error}") from None
    y = data.y if values is None else values[data.y]
    return replace(data, y=y.astype(np.float32)[:, None], classes=None)


def read_labelled(path: str, target: str | None, task: Task) -> Dataset:
    """Samples to test a net on: a CSV file, or the test part of anything else (all of it, if it has none)."""
    if Path(path).is_file() and path.lower().endswith(".csv"):
        return read_csv(path, target, task.classes or (), task.features)
    train, test = load(path)
    data = train if test is None else test
    if task.features and data.features != task.features:
        raise ValueError(f"{path}: the columns are not {', '.join(task.features)}")
    return as_numbers(data) if task.classes is None else _relabelled(data, task.classes, path)


def _relabelled(data: Dataset, classes: tuple[str, ...], path: str) -> Dataset:
    """The same labels, counted as the net counts them."""
    if data.y.dtype.kind != "i":
        raise ValueError(f"{path}: holds quantities, but the net knows classes: {', '.join(classes[:10])}")
    if data.classes is None or data.classes == classes:
        return replace(data, classes=classes)
    unknown = [name for name in data.classes if name not in classes]
    if unknown:
        raise ValueError(f"{path}: classes that the net does not know: {', '.join(unknown[:10])}")
    place = np.array([classes.index(name) for name in data.classes])
    return replace(data, y=place[data.y], classes=classes)


def read_samples(path: str, task: Task) -> Array:
    """Samples without labels, from a CSV, npz, IDX or CIFAR file (.bin), or a folder; pixels from 0 to 1.

    Raises
    ------
    FileFormatError
        If the file is damaged or holds no samples.
    """
    file = Path(path)
    if file.is_dir():
        train, test = load(file)
        return (train if test is None else test).X
    suffix = file.suffix.lower()
    if suffix == ".csv":
        return read_features(file, task.features)
    if suffix == ".bin":
        X = read_cifar(file, classes=100 if task.outputs == 100 else 10).X
    else:
        X = _first_array(file) if suffix == ".npz" else read_idx(file)
    return X / np.float32(255) if X.dtype == np.uint8 else X


def _first_array(path: Path) -> Array:
    npz = Npz(path)
    names = list(dict.fromkeys(X for X, _ in TRAIN[:2] + TEST + TRAIN[2:]))
    for name in names:
        if name in npz.members:
            return npz[name]
    found = ", ".join(list(npz.members)[:10]) or "none"
    raise FileFormatError(f"{path}: expected an array called {' or '.join(names)}, found {found}")
