"""The safetensors file format: a length, a JSON header, the arrays' bytes.

https://huggingface.co/docs/safetensors (format, as of version 0.5): 8 bytes with the header's length N,
little-endian; N bytes of JSON, ``{name: {"dtype", "shape", "data_offsets": [begin, end]}}`` with texts
under ``__metadata__``; then the data, which the offsets cover without gap or overlap.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from handbrew.data import FileFormatError, decoding

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = {"BOOL": "?", "BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
DTYPES |= {f"{kind}{8 * n}": f"<{kind.lower()}{n}" for kind in "IU" for n in (1, 2, 4, 8)}
NAMES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}
LONGEST_HEADER = 100_000_000  # bytes, as in the format's own library


def write_safetensors(file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays and texts to an open file."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name, array in arrays.items():
        end = begin + array.nbytes
        dtype = NAMES.get(array.dtype.newbyteorder("<"))
        if dtype is None:
            raise TypeError(f"{name}: safetensors has no data type for {array.dtype}")
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data start on a multiple of 8 bytes
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays (bfloat16 as float32) and the texts of a file.

    Nothing is allocated on the file's word alone.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, or of another format.
    """
    size = path.stat().st_size
    with path.open("rb") as file, decoding(path):
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, LONGEST_HEADER):
            raise FileFormatError(f"{path}: not a safetensors file, or cut short: {size} bytes, a header of {length}")
        header = json.loads(file.read(length).decode(), object_pairs_hook=_distinct)
        metadata = header.pop("__metadata__", {})
        data = memoryview(file.read())
    with decoding(path):
        arrays, ends = {}, 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = entry["data_offsets"]
            arrays[name] = _array(data, entry, begin, end, ends, f"{path}: {name}")
            ends = end
        if ends != len(data):
            raise FileFormatError(
                f"{path}: expected {ends} bytes of data, got {len(data)}; the file is cut short or damaged"
            )
        if not all(isinstance(text, str) for item in metadata.items() for text in item):
            raise FileFormatError(f"{path}: __metadata__ holds something else than texts")
    return {name: arrays[name] for name in header}, metadata


def _array(data: memoryview, entry: dict[str, Any], begin: int, end: int, expected: int, name: str) -> Array:
    shape, kind = tuple(entry["shape"]), entry["dtype"]
    if kind not in DTYPES:
        raise FileFormatError(f"{name}: unknown data type {kind!r}; known are {', '.join(DTYPES)}")
    dtype = np.dtype(DTYPES[kind])
    if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
        raise FileFormatError(f"{name}: shape {shape} or offsets {begin}, {end} are not counts")
    if begin != expected or end - begin != math.prod(shape) * dtype.itemsize:
        raise FileFormatError(f"{name}: shape {shape} of {kind} does not fit bytes {begin} to {end} of the data")
    if end > len(data):
        raise FileFormatError(
            f"{name}: ends at byte {end} of the data, but there are {len(data)}; the file is cut short"
        )
    array = np.frombuffer(data[begin:end], dtype)
    if kind == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(shape).astype(array.dtype.newbyteorder("="))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found
