"""The samples that Caffe's data layers are fed with: those that are given, or those of the layers' own sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import Dataset, FileFormatError, load, read_hdf5
from handbrew.data.hdf5 import SUFFIXES, Hdf5, hdf5_files, read_arrays

from .arguments import as_dataset
from .caffe_files import find

Array = np.ndarray[Any, np.dtype[Any]]
Samples = Dataset | tuple[Any, Any] | Mapping[str, Any] | str | PathLike[str]


def read_samples(data: Samples | None, test_data: Samples | None = None) -> tuple[Any, Any]:
    """The samples for training and those for tests, ``None`` where there are none: read, or still a file to read.

    ``test_data`` gives its test part, or all of it if it has none. Bytes stay bytes: a ``transform_param`` scales them.
    """
    train, test = (None, None) if data is None else _read(data)
    if test_data is not None:
        train_part, test_part = _read(test_data)
        test = train_part if test_part is None else test_part
    return train, test


def arrays_for(samples: Any, tops: Sequence[str]) -> dict[str, Array]:
    """The arrays for a data layer's tops: those of the tops' names, or X for the first and y for the second."""
    if isinstance(samples, Path):
        if set(tops) <= set(Hdf5(hdf5_files(samples)[0]).members):
            return read_arrays(samples, tops)
        samples = read_hdf5(samples)
    if isinstance(samples, Mapping):
        if missing := [top for top in tops if top not in samples]:
            raise ValueError(f"expected an array for {missing[0]!r}, got {', '.join(samples)}")
        return {top: np.asarray(samples[top]) for top in tops}
    if len(tops) > 2:
        raise ValueError(f"the tops {', '.join(tops)} need an HDF5 file with arrays of these names")
    return dict(zip(tops, as_dataset(samples, "the samples"), strict=False))


def source_of(layer: Any, param: Any, folder: Path) -> Any:
    """The samples that a layer names itself."""
    source = getattr(param, "source", "")
    how = "pass --data, or --test-data for a test net"
    if not source or layer.type in ("ImageData", "WindowData"):
        what = "names no source" if not source else "reads image files, which handbrew does not"
        raise FileNotFoundError(f"{layer.name} ({layer.type}) {what}; {how}: IDX, npz, HDF5, LMDB")
    try:
        path = find(source, folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{layer.name} ({layer.type}): {error}; {how}") from None
    if layer.type == "HDF5Data":
        return path
    if (path / "CURRENT").is_file():
        raise FileFormatError(f"{path} is a LevelDB database, which handbrew does not read; make it LMDB, or {how}")
    return load(path, raw=True)[0]


def _read(data: Samples) -> tuple[Any, Any]:
    if isinstance(data, (Dataset, tuple, Mapping)):
        return data, None
    path = Path(data)
    if path.suffix.lower() in (*SUFFIXES, ".txt"):
        return path, None  # which arrays are wanted, the tops will tell
    return load(path, raw=True)
