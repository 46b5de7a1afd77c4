"""The IDX format of MNIST.

A file is: two zero bytes, a byte for the type of the items, a byte for the number of axes, the length of each
axis as a big-endian 32-bit integer, then the items, big-endian, in C order. (https://yann.lecun.com/exdb/mnist)
"""

import math
import struct
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FileFormatError
from .guard import MAX_RATIO, Stream, decoding, read_exactly

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, in native byte order. The file may be gzipped: its first bytes tell.

    Raises FileFormatError if the file is anything else, cut short or too long.
    """
    path = Path(path)
    with path.open("rb") as file, decoding(path):
        size = path.stat().st_size
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not zipped:
            return _read(file, size, path)
        import gzip  # not needed by most

        with gzip.open(file) as unzipped:
            return _read(unzipped, size * MAX_RATIO, path)


def _read(stream: Stream, limit: int, path: Path) -> NDArray[Any]:
    """Read the array from `stream`, which cannot hold more than `limit` bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise FileFormatError(f"{path}: not an IDX file; it starts with {magic!r}, expected 00 00, type, axes")
    dtype, ndim = np.dtype(_DTYPES[magic[2]]), magic[3]
    shape = struct.unpack(f">{ndim}I", stream.read(4 * ndim))
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise FileFormatError(
            f"{path} is cut short: its header promises {shape} items, too many for a file of its size"
        )
    data = read_exactly(stream, size, str(path))
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
