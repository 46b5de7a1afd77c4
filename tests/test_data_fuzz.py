"""Damaged files either read or are refused with a FileFormatError; nothing else, whatever the damage."""

import gzip
import struct

import numpy as np
import pytest

from handbrew.data import FileFormatError, read_csv, read_idx, read_npz

IDX = b"\0\0\x0b\2" + struct.pack(">2I12h", 3, 4, *range(12))
CSV = b'a,b,"c",label\n1,2.5,-3e2,cat\n4,"5",6,dog\n7,8,9,"a ""b"""\n'


def npz(tmp_path, save):
    save(tmp_path / "good.npz", X=np.arange(12.0).reshape(3, 4), y=["a", "b", "a"])
    return (tmp_path / "good.npz").read_bytes()


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


@pytest.mark.parametrize("kind", ["idx", "idx.gz", "npz", "packed npz", "csv"])
def test_damage(tmp_path, kind):
    content, read = {
        "idx": lambda: (IDX, read_idx),
        "idx.gz": lambda: (gzip.compress(IDX), read_idx),
        "npz": lambda: (npz(tmp_path, np.savez), read_npz),
        "packed npz": lambda: (npz(tmp_path, np.savez_compressed), read_npz),
        "csv": lambda: (CSV, read_csv),
    }[kind]()
    path, rng, refused = tmp_path / "damaged", np.random.default_rng(0), 0
    path.write_bytes(content)
    read(path)
    for _ in range(400):
        path.write_bytes(damaged(content, rng))
        try:
            read(path)
        except FileFormatError as error:
            refused += 1
            assert str(path) in str(error)
    assert 100 < refused < 400


@pytest.mark.parametrize("read", [read_idx, read_npz, read_csv])
def test_noise(tmp_path, read):
    path, rng = tmp_path / "noise", np.random.default_rng(1)
    for size in range(60):
        path.write_bytes(rng.bytes(size))
        with pytest.raises(FileFormatError):
            read(path)
