"""What a file is that is not what it was taken for: told by how it begins, for errors that say what to do."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path

from handbrew.data import FileFormatError
from handbrew.data.wire import fields

_BEGINNINGS = (
    (b"version https://git-lfs", "is a pointer of git LFS, not the file itself; run `git lfs pull`"),
    (b"\x1f\x8b", "is compressed by gzip; unpack it first"),
    (b"PK\x03\x04", "is a zip archive (as PyTorch's files are, too); unpack it first if Caffe's files are in it"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as weights or a solver's state may be"),
    (b"\x80\x02", "is a pickle, as of PyTorch; handbrew unpickles nothing"),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
STATE = ".solverstate.safetensors"  # how the name of a snapshot of a Caffe training ends
_LOOKED_AT = 1024  # bytes, or fields
# Other messages that begin with an integer, by fields that they have: an ONNX model's graph and operators' versions,
# the values of an array, and the name of the weights that belong to a solver's state.
_OTHERS = (
    ({7, 8}, "is an ONNX model, not a caffemodel; read it with load_onnx"),
    ({5}, "is a single array, as a mean image is, not a caffemodel; read it with read_mean"),
    ({2}, "is a solver's state, not a caffemodel; the weights lie beside it, in a file that ends in .caffemodel"),
)


def told(data: bytes) -> str | None:
    """What a file is that begins so, in words that follow its name; ``None`` if that is not known."""
    for beginning, said in _BEGINNINGS:
        if data.startswith(beginning):
            return said
    if data[:_LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "is a web page, not the file itself; download it again, by its raw address"
    return None


def told_of_safetensors(path: Path, begin: bytes) -> str | None:
    """As ``told``, of such a file: a snapshot of a training, say; ``None`` if it is none."""
    if begin[4:8] != bytes(4) or begin[8:10] != b'{"':  # the header's length, in eight bytes, and the header
        return None
    if not path.name.endswith(STATE):
        return "is a safetensors file, not a caffemodel; net.load(path) reads it into a net"
    model = path.name.removesuffix(STATE) + ".caffemodel"
    return f"is a snapshot of a training; --snapshot goes on from it, and its weights are in {model}"


def told_of_weights(data: bytes, error: FileFormatError) -> str | None:
    """As ``told``, of a file that was read as a caffemodel, with this error."""
    begin = data[:_LOOKED_AT]
    if (said := told(data)) is not None:
        return said
    controls = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in begin)
    if begin and not controls and begin.lstrip()[:1].isascii():
        return "is text, not a caffemodel; is it the prototxt, and have the two changed places?"
    if data.startswith(b"\x08"):  # field 1 as an integer, where a net has its name
        with suppress(FileFormatError):
            kinds = {number for number, _ in islice(fields(memoryview(data)), _LOOKED_AT)}
            return next((said for those, said in _OTHERS if those <= kinds), None)
    if any(part in str(error) for part in ("promises", "no end", "cut short")):
        return "is cut off, or damaged; download it again"
    return None
