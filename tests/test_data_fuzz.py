"""Damaged files either read or are refused with a FileFormatError; nothing else, whatever the damage."""

import gzip
import io
import struct
import zipfile
from functools import partial

import numpy as np
import pytest

from handbrew.data import FileFormatError, read_cifar, read_csv, read_idx, read_npz

IDX = b"\0\0\x0b\2" + struct.pack(">2I12h", 3, 4, *range(12))
CIFAR = b"".join(bytes([label]) + bytes(3072) for label in range(8))
CSV = b'a,b,"c",label\n1,2.5,-3e2,cat\n4,"5",6,dog\n7,8,9,"a ""b"""\n'


def archive(save):
    buffer = io.BytesIO()
    save(buffer, X=np.arange(12.0).reshape(3, 4), y=["a", "b", "a"])
    return buffer.getvalue()


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3.0))
    return buffer.getvalue()


def zipped(content):
    """An npz whose two arrays are both `content`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("X.npy", content)
        file.writestr("y.npy", content)
    return buffer.getvalue()


def damaged(content, rng):
    """Some bytes changed, a piece cut out, doubled or put elsewhere."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, end = np.sort(rng.integers(0, len(content) + 1, 2))
        match rng.integers(5):
            case 0:
                del content[at : min(end, at + 9)]
            case 1:
                content[at:at] = content[at:end]
            case 2:
                content[end:end] = rng.bytes(3)
            case _:
                for place in rng.integers(0, max(len(content), 1), 2) if content else ():
                    content[place] = rng.choice([0, 1, 0x7F, 0xFF, content[place] ^ 1 << rng.integers(8)])
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "pack", "read"),
    [
        pytest.param(IDX, bytes, read_idx, id="idx"),
        pytest.param(IDX, gzip.compress, read_idx, id="idx, then gzipped"),
        pytest.param(gzip.compress(IDX), bytes, read_idx, id="gzipped idx"),
        pytest.param(archive(np.savez), bytes, read_npz, id="npz"),
        pytest.param(archive(np.savez_compressed), bytes, read_npz, id="packed npz"),
        pytest.param(npy(), zipped, read_npz, id="npy, then zipped"),
        pytest.param(archive(partial(np.savez, weight=[1.0, 0.0, 2.0])), bytes, read_npz, id="npz with weights"),
        pytest.param(CIFAR, bytes, read_cifar, id="cifar"),
        pytest.param(CSV, bytes, read_csv, id="csv"),
        pytest.param(CSV, bytes, partial(read_csv, weight="b"), id="csv with weights"),
    ],
)
def test_damage(tmp_path, content, pack, read):
    path, rng, messages = tmp_path / "damaged", np.random.default_rng(0), []
    path.write_bytes(pack(content))
    read(path)
    for _ in range(300):
        path.write_bytes(pack(damaged(content, rng)))
        try:
            read(path)
        except FileFormatError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("read", [read_cifar, read_idx, read_npz, read_csv])
def test_noise(tmp_path, read):
    path, rng = tmp_path / "noise", np.random.default_rng(1)
    for size in range(60):
        path.write_bytes(rng.bytes(size))
        with pytest.raises(FileFormatError):
            read(path)
