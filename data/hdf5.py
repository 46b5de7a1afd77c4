"""HDF5 files, and Caffe's lists of them: a text file with the path of one on each line."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .errors import FileFormatError
from .guard import MAX_RATIO, decoding
from .npz import TRAIN, Names, pair

SUFFIXES = (".h5", ".hdf5")
HDF5: Names = (("data", "label"), *TRAIN)
_LONGEST = 1 << 20  # bytes of a list


def read_hdf5(path: str | PathLike[str], X: str = "data", y: str = "label") -> Dataset:
    """The arrays called `X` and `y` in an HDF5 file, or in all those that a list names, one after the other.

    If there are none by the default names, those that `read_npz` knows: X and y, ... Needs the extra `hdf5`.

    Raises ImportError without the extra, saying how to get it; FileFormatError if a file is damaged or does not hold
    such arrays.
    """
    path = Path(path)
    parts = [pair(Hdf5(file), HDF5 if (X, y) == ("data", "label") else ((X, y),)) for file in hdf5_files(path)]
    data, targets = (_joined(arrays, path) for arrays in zip(*parts, strict=True))
    return Dataset(data, targets, parts[0].classes, path.stem)


def read_arrays(path: str | PathLike[str], names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays of these names in an HDF5 file, or in all those that a list names. Raises as `read_hdf5` does."""
    path = Path(path)
    files = [Hdf5(file) for file in hdf5_files(path)]
    return {name: _joined([file[name] for file in files], path) for name in names}


def hdf5_files(path: Path) -> list[Path]:
    """The files that a list names, found from where we are or from the list's own folder; an HDF5 file itself."""
    if path.suffix.lower() in SUFFIXES:
        return [path]
    with path.open("rb") as file, decoding(path):
        text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST or b"\0" in text:
            raise FileFormatError(f"{path}: expected an HDF5 file (.h5) or a list of them, one path a line")
        names = text.decode("utf-8").split()
        if not names:
            raise FileFormatError(f"{path}: an empty list; expected the paths of HDF5 files, one a line")
    return [Path(name) if Path(name).is_file() else path.parent / name for name in names]


class Hdf5:
    """The arrays of an HDF5 file by name, each read when asked for; as `Npz` is of an npz file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            self.members = [name for name in file if _is_array(file, name)]

    @property
    def found(self) -> str:
        """The first of the names, for an error."""
        return ", ".join(self.members[:10]) or "none"

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.members:
            raise FileFormatError(f"{self.path}: expected an array called {name}, found {self.found}")
        with _opened(self.path) as file:
            return _read(file[name], f"{self.path}: {name}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The HDF5 file; whatever is wrong inside `with` is a FileFormatError that names it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("HDF5 files need h5py: pip install 'handbrew[hdf5]'") from error
    with path.open("rb"), decoding(path), h5py.File(path, "r") as file:
        yield file


def _is_array(file: Any, name: str) -> bool:
    """Whether a name stands for an array in this very file, not for a link into another."""
    import h5py

    return isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)


def _read(array: Any, name: str) -> NDArray[Any]:
    """One array, once its size is known to be no lie; `name` is what errors call it."""
    if array.dtype.kind not in "biuf":
        raise FileFormatError(f"{name} holds {array.dtype}, expected real numbers")
    if array.external or array.is_virtual:
        raise FileFormatError(f"{name} lies in another file, which is not read on this one's word")
    size, stored = math.prod(array.shape) * array.dtype.itemsize, array.id.get_storage_size()
    packed = MAX_RATIO if array.compression or array.chunks else 1
    if size > stored * packed:
        raise FileFormatError(f"{name} claims {size} bytes of data for its {stored}, which cannot be")
    values = np.asarray(array[()])
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _joined(arrays: Iterable[NDArray[Any]], path: Path) -> NDArray[Any]:
    arrays = list(arrays)
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        raise FileFormatError(f"{path}: its files hold samples of unequal shapes: {sorted(shapes)}")
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
