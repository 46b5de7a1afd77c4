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
    ImportError
        Without the onnx package, saying how to get it.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('load_onnx needs onnx: pip install "handbrew[onnx]"') from error
    path = Path(path)
    data = path.read_bytes()
    with decoding(path):
        try:
            model = onnx.ModelProto.FromString(data)
            return _graph(model, path.parent)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from error.__cause__


def _graph(model: Any, folder: Path) -> Graph:
    from .importing import Importer, ShapeMisfitError  # which import all layers

    if not model.HasField("graph"):
        raise FileFormatError("no ONNX model: it has no graph")
    version = max(_versions(model), default=0)
    if not 1 <= version <= NEWEST:
        raise FileFormatError(f"expected a version of the operator set from 1 to {NEWEST}, got {version}")
    try:
        return Importer(model.graph, version, folder, batch=2).graph()
    except ShapeMisfitError:  # the batch may have to be 1
        return Importer(model.graph, version, folder, batch=1).graph()


def _versions(model: Any) -> Iterator[int]:
    return (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
