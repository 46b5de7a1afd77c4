"""The safetensors file format: a length, a JSON header, the arrays' bytes; and a checksum of handbrew's own.

https://huggingface.co/docs/safetensors (format, as of version 0.5): 8 bytes with the header's length N,
little-endian; N bytes of JSON, ``{name: {"dtype", "shape", "data_offsets": [begin, end]}}`` with texts
under ``__metadata__``; then the data, which the offsets cover without gap or overlap.

The format has no checksum. handbrew puts one among the texts: the SHA-256 of the whole file, with zeros in
the place of its own 64 digits.
"""

from __future__ import annotations

import json
import math
import os
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

OWN = "handbrew"  # so begin the names of the texts that handbrew writes, and where one is, there is a checksum
SNAPSHOT = "handbrew.snapshot"  # the text of handbrew.solvers.Snapshots; that of Net.save is OWN itself
CHECKSUM = "handbrew.sha256"
UNCHECKED = "none"  # the checksum of a file that another program changed on purpose
ZEROS = b"0" * 64


def write_safetensors(file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays, texts and a checksum to an open file."""
    from hashlib import sha256  # 3 ms, and most programs save nothing

    # The checksum comes first, so that the first 64 zeros are its own.
    header: dict[str, Any] = {"__metadata__": {CHECKSUM: ZEROS.decode(), **metadata}}
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
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"names and texts of {len(text)} bytes; safetensors has room for {LONGEST_HEADER}")
    start = len(text).to_bytes(8, "little") + text
    digest = sha256(start)
    for array in arrays.values():
        digest.update(_bytes_of(array))
    file.write(start.replace(ZEROS, digest.hexdigest().encode(), 1))
    for array in arrays.values():
        file.write(_bytes_of(array))


def read_safetensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays (bfloat16 as float32) and the texts of a file, its checksum compared and left out.

    Nothing is allocated on the file's word alone. A file without a checksum is taken as it is, unless texts in
    it are handbrew's.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, or of another format.
    """
    from hashlib import sha256

    with path.open("rb") as file, decoding(path):
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if size < 8 or length > min(size - 8, LONGEST_HEADER):
            raise FileFormatError(f"{path}: not a safetensors file, or cut short: {size} bytes, a header of {length}")
        text = file.read(length)
        header = json.loads(text.decode(), object_pairs_hook=distinct)
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(text, str) for item in metadata.items() for text in item):
            raise FileFormatError(f"{path}: __metadata__ holds something else than texts")
        expected = _take_checksum(metadata, path)
        digest = None if expected is None else sha256(start + text.replace(expected.encode(), ZEROS, 1))
        arrays = {}
        for name, kind, shape in _entries(header, size - 8 - length, path):
            array = np.empty(shape, DTYPES[kind])
            data = _bytes_of(array)
            if file.readinto(data) < len(data):
                raise FileFormatError(f"{path}: {name} is cut short")
            if digest:
                digest.update(data)
            arrays[name] = _native(array, kind)
        if digest and digest.hexdigest() != expected:
            raise FileFormatError(
                f"{path}: damaged: its SHA-256 is {digest.hexdigest()}, expected {expected}. "
                f"A program that changes such a file has to set the text {CHECKSUM} to {UNCHECKED!r}"
            )
    return {name: arrays[name] for name in header}, metadata


def _take_checksum(metadata: dict[str, str], path: Path) -> str | None:
    """Take the checksum out of the texts; None if there is none to compare."""
    own = any(name.startswith(OWN) for name in metadata)
    expected = metadata.pop(CHECKSUM, None)
    if own and expected is None:
        raise FileFormatError(
            f"{path}: has texts of handbrew, but not its checksum: damaged, or changed by another program. "
            f"That program has to set the text {CHECKSUM} to {UNCHECKED!r}"
        )
    return None if expected == UNCHECKED else expected


def _entries(header: dict[str, Any], there: int, path: Path) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape of each array, in the order of their data, of which there are so many bytes."""
    entries = []
    expected = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        shape, kind = tuple(entry["shape"]), entry["dtype"]
        what = f"{path}: {name}"
        if kind not in DTYPES:
            raise FileFormatError(f"{what}: unknown data type {kind!r}; known are {', '.join(DTYPES)}")
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
            raise FileFormatError(f"{what}: shape {shape} or offsets {begin}, {end} are not counts")
        if begin != expected or end - begin != math.prod(shape) * np.dtype(DTYPES[kind]).itemsize:
            raise FileFormatError(f"{what}: shape {shape} of {kind} does not fit bytes {begin} to {end} of the data")
        if end > there:
            raise FileFormatError(
                f"{what}: ends at byte {end} of the data, but there are {there}; the file is cut short"
            )
        entries.append((name, kind, shape))
        expected = end
    if expected != there:
        raise FileFormatError(
            f"{path}: expected {expected} bytes of data, got {there}; the file is cut short or damaged"
        )
    return entries


def _bytes_of(array: Array) -> memoryview:
    """The array's bytes as they stand in a file; a view of it where it lies in memory like that."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def _native(array: Array, kind: str) -> Array:
    if kind == "BF16":
        halves = np.zeros((*array.shape, 2), "<u2")
        halves[..., 1] = array  # a bfloat16 is the upper half of a float32
        array = halves.view("<f4").reshape(array.shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json.loads``: a dict, unless a name stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found
