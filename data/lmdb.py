"""LMDB databases of Caffe: a Datum under each key, in the order of the keys."""

import struct
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import Dataset
from .datum import parse_datum
from .errors import FileFormatError
from .guard import decoding

NAME = "data.mdb"
_META = struct.Struct("<16xII8xQI92xQQ")  # magic, version, map's size, page's size, last page, transaction
_MAGIC = 0xBEEFC0DE


def read_lmdb(path: str | PathLike[str]) -> Dataset:
    """All samples of the database in a folder, in the order of the keys.

    X is (N, C, H, W), uint8 or float32; y are the labels. Needs the extra `lmdb`, and memory for all samples. Only read
    databases that you trust: the file's length is checked, and every record, but the tree that leads to the records is
    LMDB's own business.

    Raises ImportError without the extra, saying how to get it; FileFormatError if the file is no such database or a
    record no sample, its shape another than that of the first, or a packed image.
    """
    try:
        import lmdb
    except ImportError as error:
        raise ImportError("LMDB databases need lmdb: pip install 'handbrew[lmdb]'") from error
    path = Path(path)
    file = path / NAME if path.is_dir() else path
    _refuse_cut_short(file)
    with (
        decoding(file),
        lmdb.open(str(file), subdir=False, readonly=True, create=False, lock=False) as database,
        database.begin(buffers=True) as transaction,
    ):
        return _read(transaction.cursor(), path)


def _read(records: Any, path: Path) -> Dataset:
    data, labels = bytearray(), list[int]()  # grow with what is there, whatever was promised
    shape, dtype = (0, 0, 0), np.dtype(np.uint8)
    for key, record in records:
        try:
            X, label = parse_datum(record)
        except ValueError as error:
            raise FileFormatError(f"{path}: record {_text(key)}: {error}") from error
        if not labels:
            shape, dtype = X.shape, X.dtype
        if X.shape != shape or X.dtype != dtype:
            raise FileFormatError(
                f"{path}: record {_text(key)}: expected {dtype} of shape {shape}, as in the first one, "
                f"got {X.dtype} of shape {X.shape}"
            )
        data += X.data.cast("B")
        labels.append(label)
    if not labels:
        raise FileFormatError(f"{path}: no record in it")
    return Dataset(np.frombuffer(data, dtype).reshape(-1, *shape), np.array(labels), name=path.stem)


def _text(key: Any) -> str:
    return repr(bytes(key[:40]))[1:]


def _refuse_cut_short(file: Path) -> None:
    """LMDB maps the file into memory: to read past its end would end the program."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        first = stream.read(_META.size)
        if len(first) < _META.size or _META.unpack(first)[0] != _MAGIC:
            raise FileFormatError(f"{file}: not an LMDB database")
        page = _META.unpack(first)[3]
        stream.seek(page)
        second = stream.read(_META.size)
    metas = [_META.unpack(meta) for meta in (first, second) if len(meta) == _META.size]
    needs = (max(metas, key=lambda meta: meta[5])[4] + 1) * page
    if needs > size:
        raise FileFormatError(f"{file} is cut short: it should have {needs} bytes, {size} are there")
