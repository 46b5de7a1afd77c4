"""``load_onnx``: an ONNX model as a ``Graph``."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError, decoding

from ..graph import Graph

NEWEST = 28  # the operator set that the rules are written for


def load_onnx(path: str | PathLike[str]) -> Graph:
    """Read an ONNX model, ready to predict or to train on.

    Operators become handbrew's layers where these do the same, with the initialisers as their parameters: Conv is
    ``Conv2D``, Gemm ``Affine``, BatchNormalization ``BatchNorm``. The others become layers of ``handbrew.nets.onnx``,
    which do what the operator says in all its cases. What such a one reads, if it is an initialiser of several
    floating-point numbers, is a parameter of the net, too; a Constant stays one. All compute in float32, or in float64
    if the model has any numbers of that kind; float16 and bfloat16 are read as float32.

    In the names of blobs and layers, dots and blanks become underscores.

    Parameters
    ----------
    path : path
        Data that the model keeps in other files are read if they lie beside it, or in a folder below.

    Raises
    ------
    FileFormatError
        If the file is damaged or no ONNX model, or has operators that handbrew has no layer for: it lists them all.
    TypeError
        If it is given something else than a path.
    ImportError
        Without the onnx package, saying how to get it.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('load_onnx needs onnx: pip install "handbrew[onnx]"') from error
    if not isinstance(path, (str, PathLike)):
        raise TypeError(
            f"load_onnx: expected a path, got a {type(path).__name__}; a model that is not in a file is written first: "
            f"onnx.save(model, path)"
        )
    path = Path(path)
    data = path.read_bytes()
    if data[8:9] == b"{" or data[:4] == b"PK\x03\x04":
        raise FileFormatError(f"{path}: no ONNX model, but arrays; what net.save wrote is read by load_net")
    with decoding(path):
        try:
            model = onnx.ModelProto.FromString(data)
            return _graph(model, path.parent)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from error.__cause__


def _graph(model: Any, folder: Path) -> Graph:
    from .building import ShapeMisfitError  # which import all layers
    from .importing import Importer

    if not model.HasField("graph"):
        raise FileFormatError("no ONNX model: it has no graph")
    version = max(_versions(model), default=0)
    if not 1 <= version <= NEWEST:
        raise FileFormatError(f"expected a version of the operator set from 1 to {NEWEST}, got {version}")
    own = model.producer_name == "handbrew"
    try:
        return Importer(model.graph, version, folder, batch=2, own=own).graph()
    except ShapeMisfitError:  # the batch may have to be 1
        return Importer(model.graph, version, folder, batch=1, own=own).graph()


def _versions(model: Any) -> Iterator[int]:
    return (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
