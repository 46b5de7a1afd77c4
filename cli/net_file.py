"""A net that lies in a file: handbrew's own, Caffe's or an ONNX model."""

from __future__ import annotations

from pathlib import Path

from handbrew.data import FileFormatError
from handbrew.nets import Net, load_net

KINDS = ".safetensors and .npz (handbrew's), .prototxt (Caffe's) or .onnx"


def open_net(path: Path) -> Net:
    """Read a net, told by the ending of its name; a .prototxt with the .caffemodel of the same name, if there is one.

    Raises
    ------
    FileFormatError
        If it ends otherwise, or is damaged.
    """
    ending = path.suffix.lower()
    if ending in (".safetensors", ".npz"):
        return load_net(path)
    if ending == ".prototxt":
        from handbrew.nets import load_caffe

        weights = path.with_suffix(".caffemodel")
        return load_caffe(path, weights if weights.is_file() else None)
    if ending == ".onnx":
        from handbrew.nets import load_onnx

        return load_onnx(path)
    raise FileFormatError(f"{path}: expected a net, a file that ends in {KINDS}")
