"""Files of other programs that somebody takes for a net's weights: what to do with each."""

from __future__ import annotations

from pathlib import Path

from handbrew.data import FileFormatError

_READERS = {
    ".onnx": "load_onnx({path!r})",
    ".caffemodel": "load_caffe('net.prototxt', {path!r})",
    ".prototxt": "load_caffe({path!r})",
}


def stranger(path: Path, start: bytes) -> FileFormatError:
    """The error for a file that begins so, and is neither safetensors nor npz."""
    if start[:1] == b"\x80":
        return pickled(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is not None:
        name = reader.format(path=str(path))
        return FileFormatError(f"{path}: expected a safetensors or npz file; {name} reads a {path.suffix.lower()}")
    return FileFormatError(f"{path}: expected a safetensors or npz file, got one that starts with {start[:8]!r}")


def pickled(path: Path) -> FileFormatError:
    """The error for what ``torch.save`` writes: a pickle, alone or in a zip."""
    return FileFormatError(
        f"{path}: a PyTorch pickle, which handbrew never reads; in PyTorch: from safetensors.torch import save_file; "
        f"save_file(torch.load({str(path)!r}, weights_only=True), 'model.safetensors')"
    )
