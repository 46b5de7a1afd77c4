"""A net that lies in a file: handbrew's own, Caffe's or an ONNX model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError
from handbrew.nets import Net, load_net

from .values import shape

KINDS = ".safetensors and .npz (handbrew's), .prototxt (Caffe's) or .onnx"
ENDINGS = (".safetensors", ".npz", ".prototxt", ".caffemodel", ".onnx")


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """What a net's file may leave open."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the caffemodel of a .prototxt (default: the one of the same name beside it)",
    )
    parser.add_argument(
        "--input",
        action="append",
        type=shape,
        metavar="SHAPE",
        help="of a sample, such as 1,28,28, for a net whose file says none; once for each input",
    )


def open_net(path: Path, weights: Path | None = None, shapes: list[Any] | None = None) -> Net:
    """Read a net, told by the ending of its name; a .prototxt with its weights, of which a line on stderr tells.

    Parameters
    ----------
    weights : Path, optional
        A caffemodel; unless given, that of the same name, if it is there.
    shapes : list, optional
        Those of the inputs' samples: of a net that is not built yet.

    Raises
    ------
    FileFormatError
        If it ends otherwise, or is damaged.
    ValueError
        If the net is built for another shape, or there are weights for a file that is no prototxt.
    """
    net = _read(path, weights)
    if shapes is not None:
        given = shapes[0] if len(shapes) == 1 else tuple(shapes)
        if net.in_shape not in (None, given):
            raise ValueError(f"{path}: is a net for samples of shape {net.in_shape}, --input says {given}")
        net.build(given)
    return net


def weights_beside(path: Path) -> Path | None:
    """The caffemodel of the same name beside a prototxt; ``None`` if there is none."""
    beside = path.with_suffix(".caffemodel")
    return beside if beside.is_file() else None


def check_shape(net: Net, path: Path) -> None:
    """Raise a ``ValueError`` if a net is not built, since its file does not say for which shape."""
    if net.in_shape is None:
        names: tuple[str, ...] = getattr(net, "data", ())
        inputs = f"input, {names[0]}" if len(names) == 1 else f"inputs, {', '.join(names)}"
        raise ValueError(f"{path}: does not say the shape of its {inputs}; --input does, as in --input 1,28,28")


def _read(path: Path, weights: Path | None) -> Net:
    ending = path.suffix.lower()
    if weights is not None and ending != ".prototxt":
        raise ValueError(f"--weights goes with a .prototxt, and {path} is none")
    if ending in (".safetensors", ".npz"):
        return load_net(path)
    if ending == ".prototxt":
        from handbrew.nets import load_caffe

        if weights is not None and not weights.is_file():
            raise FileNotFoundError(f"{weights}: no such file")
        weights = weights or weights_beside(path)
        net = load_caffe(path, weights)
        if weights is not None:
            print(f"handbrew: {path}: weights from {weights}", file=sys.stderr)
        return net
    if ending == ".onnx":
        from handbrew.nets import load_onnx

        return load_onnx(path)
    raise FileFormatError(f"{path}: expected a net, a file that ends in {KINDS}")
