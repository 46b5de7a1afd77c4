"""An ONNX file's tensors as arrays, and arrays as tensors: no size is believed before the bytes are there."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from handbrew.data import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]
# TensorProto's data types: what they are read as, and the field that holds them if they are not raw bytes.
KINDS = {
    1: ("<f4", "float_data"),
    2: ("u1", "int32_data"),
    3: ("i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("?", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),  # bfloat16: the upper half of a float32
}
FLOATS, HALF, BFLOAT = {1, 10, 11, 16}, 10, 16
CODES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
MOST_AXES, MOST_ELEMENTS = 64, 2**59  # of a NumPy array, even if one of its axes has none


def array_of(tensor: Any, folder: Path, where: str) -> Array:
    """What a TensorProto holds; float16 and bfloat16 as float32.

    Raises
    ------
    FileFormatError
        If it holds another number of elements than its shape says, its type is none of numbers, or its data lie in
        another file that is not beside the model.
    """
    kind, shape = tensor.data_type, tuple(tensor.dims)
    if kind not in KINDS:
        raise FileFormatError(f"{where}: expected numbers, got a tensor of the data type {kind}")
    if min(shape, default=0) < 0 or len(shape) > MOST_AXES or math.prod(n or 1 for n in shape) > MOST_ELEMENTS:
        raise FileFormatError(f"{where}: {shape} is not the shape of an array")
    code, field = KINDS[kind]
    dtype, count = np.dtype(code), math.prod(shape)
    if tensor.data_location == 1:
        data = _outside(tensor, folder, count * dtype.itemsize, where)
    elif tensor.HasField("raw_data"):
        data = tensor.raw_data
    else:
        return _typed(getattr(tensor, field), kind, dtype, shape, where)
    if len(data) != count * dtype.itemsize:
        raise FileFormatError(
            f"{where}: shape {shape} needs {count * dtype.itemsize:,} bytes, the file has {len(data):,} for it"
        )
    return _finished(np.frombuffer(data, dtype), kind, shape)


def _typed(values: Any, kind: int, dtype: np.dtype[Any], shape: tuple[int, ...], where: str) -> Array:
    if len(values) != math.prod(shape):
        raise FileFormatError(
            f"{where}: shape {shape} needs {math.prod(shape):,} numbers, the file has {len(values):,} for it"
        )
    if kind in (HALF, BFLOAT):  # their bits, as integers
        return _finished(np.array(values, np.int64).astype("<u2").view(dtype), kind, shape)
    return _finished(np.array(values).astype(dtype), kind, shape)


def _finished(data: Array, kind: int, shape: tuple[int, ...]) -> Array:
    if kind == BFLOAT:
        data = (data.astype("<u4") << 16).view("<f4")
    elif kind == HALF:
        data = data.astype(np.float32)
    elif kind == 9:
        data = data.view(np.uint8) != 0
    return data.astype(data.dtype.newbyteorder("="), copy=False).reshape(shape)


def _outside(tensor: Any, folder: Path, size: int, where: str) -> bytes:
    """Data from a file beside the model, or in a folder below it; no link is followed."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name = entries.get("location", "")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name or "\0" in name:
        raise FileFormatError(f"{where}: its data are said to lie in {name!r:.80}; expected a file beside the model")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise FileFormatError(f"{where}: {path} is a link; expected its data in a file beside the model")
    offset = int(entries.get("offset", "0"))
    if not path.is_file():
        raise FileFormatError(f"{where}: its data are said to lie in {path}, where there is no file")
    if offset < 0 or offset + size > os.path.getsize(path) or int(entries.get("length", str(size))) != size:
        raise FileFormatError(f"{where}: {path} does not hold its {size:,} bytes from byte {offset:,} on")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
