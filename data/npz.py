"""NumPy's npz archives, read without NumPy's own loader.

An npz file is a zip of npy files. Each starts with a magic string, a version, the length of a header and that
header, the text of a dict: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. The data follow.
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
"""

import math
import os
import re
import struct
from collections.abc import Container
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .errors import FileFormatError
from .guard import MAX_RATIO, decoding, read_exactly
from .labels import Classes, encode

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

Names = tuple[tuple[str, str], ...]

TRAIN: Names = (
    ("X", "y"),
    ("x", "y"),
    ("X_train", "y_train"),
    ("x_train", "y_train"),
    ("images", "labels"),
    ("data", "target"),
)
TEST: Names = (("X_test", "y_test"), ("x_test", "y_test"))
# The header is matched, not evaluated: there is no way to spell an array of Python objects or of records.
_HEADER = re.compile(
    rb"\{ *(?:"
    rb"(?:'descr' *: *'(?P<descr>[<>=|]?[biufU][0-9]+)'"
    rb"|'fortran_order' *: *(?P<order>True|False)"
    rb"|'shape' *: *\((?P<shape> *|(?:[0-9]+ *, *)+(?:[0-9]+ *)?)\))"
    rb" *(?:, *|(?=\}))"
    rb"){3}\}[ \n]*"
)


def read_npz(path: str | PathLike[str], X: str = "X", y: str = "y", weight: str = "weight") -> Dataset:
    """The arrays called `X` and `y` in an npz file, which `numpy.savez(path, X=..., y=...)` writes.

    If there are none by the default names: x and y, X_train and y_train, x_train and y_train, images and
    labels, data and target. Labels that are strings become integers, as in `read_csv`; an array `classes`
    names integer ones. An array called `weight`, if there is one, holds the samples' weights, shape (N,). Other
    values stay as they are, other arrays are not looked at, nothing is unpickled.

    Raises FileFormatError if the file is damaged or does not hold such arrays.
    """
    npz = Npz(Path(path))
    if weight != "weight" and weight not in npz.members:
        raise FileFormatError(f"{path}: expected an array {weight}, found {npz.found}")
    return pair(npz, TRAIN if (X, y) == ("X", "y") else ((X, y),), weight=weight)


class Arrays(Protocol):
    """Arrays by name, in a file."""

    path: Path

    @property
    def members(self) -> Container[str]:
        """The names."""

    @property
    def found(self) -> str:
        """The first of the names, for an error."""

    def __getitem__(self, name: str) -> NDArray[Any]: ...


class Npz:
    """The arrays of an npz file by name, each read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file, decoding(path), _zip(file) as archive:
            infos = archive.infolist()
            self.members = {info.filename.removesuffix(".npy"): info for info in infos}
            if len(self.members) < len(infos):
                raise FileFormatError(f"{path}: two arrays have the same name")
            if not _is_whole(file, archive):
                raise FileFormatError(f"{path}: damaged: its list of arrays is not the one that its end tells of")

    @property
    def found(self) -> str:
        """The names of the first arrays, for an error."""
        return ", ".join(list(self.members)[:10]) or "none"

    def __getitem__(self, name: str) -> NDArray[Any]:
        with self.path.open("rb") as file, decoding(self.path), _zip(file) as archive:
            return _read(archive, self.members[name], f"{self.path}: {name}")


def pair(npz: Arrays, names: Names, classes: Classes = None, weight: str = "weight") -> Dataset:
    """The first pair of `names` that is there, as a data set, with the array `weight` if that is there too.

    Its labels follow `classes`, if given.
    """
    found = next(((X, y) for X, y in names if X in npz.members and y in npz.members), None)
    if not found:
        expected = " or ".join(f"{X} and {y}" for X, y in names)
        raise FileFormatError(f"{npz.path}: expected the arrays {expected}, found {npz.found}")
    X, y = npz[found[0]], npz[found[1]]

    def complain(item: int, what: str) -> None:
        raise FileFormatError(f"{npz.path}: {found[1]}[{item}]: {what}")

    with decoding(npz.path):
        if X.dtype.kind == "U":
            raise FileFormatError(f"{npz.path}: {found[0]} holds strings, expected numbers")
        if y.dtype.kind == "U":
            y, classes = encode(y.ravel().tolist(), classes, complain)
        elif y.dtype.kind == "f":
            classes = None
        elif "classes" in npz.members:
            stored = tuple(map(str, npz["classes"].ravel().tolist()))
            if classes not in (None, stored):
                raise FileFormatError(f"{npz.path}: its classes differ from those of the training part")
            classes = stored
        weights = npz[weight] if weight in npz.members else None
        return Dataset(X, y, classes, npz.path.stem, weight=weights)


def _zip(file: IO[bytes]) -> "ZipFile":
    from zipfile import ZipFile  # 7 ms, and most data sets are no npz

    return ZipFile(file)


def _is_whole(file: IO[bytes], archive: "ZipFile") -> bool:
    """Whether a zip's list of members has the length and the place that its end tells of: zipfile does not look."""
    end = file.seek(-22 - len(archive.comment), os.SEEK_END)
    count, size, start = struct.unpack("<10xHII2x", file.read(22))
    far = start == 0xFFFFFFFF  # beyond 4 GB the place is told elsewhere
    return count == len(archive.infolist()) and (start + size == end or far)


def _read(archive: "ZipFile", info: "ZipInfo", name: str) -> NDArray[Any]:
    """One array; `name` is what errors call it."""
    if info.compress_type not in (0, 8):
        raise FileFormatError(f"{name} is packed by method {info.compress_type}, expected deflate")
    if info.file_size > info.compress_size * MAX_RATIO:
        raise FileFormatError(
            f"{name} claims to unpack {info.compress_size} bytes to {info.file_size}, which cannot be"
        )
    with archive.open(info) as stream:
        start, header = _header(stream)
        said = _HEADER.fullmatch(header if b"'" in header else header.replace(b'"', b"'"))
        if said is None or None in said.groups():
            raise FileFormatError(
                f"{name} is no array of real numbers or strings, and other objects are never loaded; "
                f"its header is {header[:100]!r}"
            )
        dtype, lengths = np.dtype(said["descr"].decode()), tuple(map(int, re.findall(rb"\d+", said["shape"])))
        size = math.prod(lengths) * dtype.itemsize
        if start + size != info.file_size:
            raise FileFormatError(
                f"{name} should have {size} bytes of data for the shape {lengths} of {dtype}, "
                f"but has {info.file_size - start}"
            )
        flat = np.frombuffer(read_exactly(stream, size, name), dtype)
    array = flat.reshape(lengths, order="F" if said["order"] == b"True" else "C")
    return array.astype(dtype.newbyteorder("="), order="C", copy=False)


def _header(stream: IO[bytes]) -> tuple[int, bytes]:
    """Where the data of an npy file begin, and its header."""
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError(f"it starts with {start!r}, which no array does")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > 10_000:  # a plain header has about a hundred
        raise ValueError(f"its header claims {length} bytes")
    return 8 + width + length, stream.read(length)
