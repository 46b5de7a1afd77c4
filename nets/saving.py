"""Saving nets and loading them: parameters, buffers and the architecture in one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from handbrew.data import FileFormatError
from handbrew.data.guard import decoding
from handbrew.data.npz import Npz
from handbrew.layers import Configurable, StateError, build_from

from .architecture import Decoder, encode
from .files import write_atomically
from .safetensors import read_safetensors, write_safetensors

if TYPE_CHECKING:
    from .net import Net
    from .sequential import Sequential

Array = np.ndarray[Any, np.dtype[Any]]
KEY = "handbrew"  # where the architecture lies among the file's texts or arrays
MULTIPLIERS = {"lr_mult": 1.0, "decay_mult": 1.0, "trainable": True}


def save(net: Net, path: str | PathLike[str]) -> None:
    """See ``Net.save``."""
    path = Path(path)
    arrays = net.state()
    text = json.dumps(_describe(net))
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(
            f"{path}: a net is saved as .safetensors or .npz, not as {path.suffix or 'a name without ending'}"
        )
    with write_atomically(path) as file:
        if path.suffix == ".safetensors":
            write_safetensors(file, arrays, {KEY: text})
        else:
            np.savez(file, allow_pickle=False, **{**arrays, KEY: np.array(text)})


def read_weights(path: str | PathLike[str]) -> tuple[dict[str, Array], str | None]:
    """Return the arrays by name, and the architecture as JSON where the file has one.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, or neither safetensors nor npz, whatever its name says.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[:4] == b"PK\x03\x04":
        npz = Npz(path)
        arrays = {name: npz[name] for name in npz.members}
        text = arrays.pop(KEY, None)
        return arrays, None if text is None else str(text)
    if start[8:] != b"{":
        raise FileFormatError(
            f"{path}: expected a safetensors or npz file, got one that starts with {start[:8]!r}"
        )
    arrays, metadata = read_safetensors(path)
    return arrays, metadata.get(KEY)


def load_net(path: str | PathLike[str], custom: Iterable[type[Configurable]] = ()) -> Sequential:
    """Make the net that ``Net.save`` wrote, ready to predict or to train on.

    Classes are looked up by name among handbrew's own and those in ``custom``; nothing is imported or
    run on the file's word.

    Raises
    ------
    FileFormatError
        If the file is damaged, has no architecture, or names a class that is in neither.
    StateError
        If its arrays do not fit its architecture.
    """
    from .sequential import Sequential

    path = Path(path)
    arrays, text = read_weights(path)
    if text is None:
        raise FileFormatError(
            f"{path}: holds arrays but no architecture; make the net and call net.load(path)"
        )
    with decoding(path):
        described = json.loads(text)
        net = Decoder(custom).decode(described["net"])
        if not isinstance(net, Sequential):
            raise FileFormatError(f"{path}: describes a {type(net).__name__}, expected a Sequential")
        net.astype(described["dtype"])
        if described["in_shape"] is not None:
            build_from(net, described["in_shape"], arrays)
    _load_state(net, arrays, path)
    with decoding(path):
        for name, multipliers in described["params"].items():
            for key in MULTIPLIERS.keys() & multipliers.keys():
                setattr(net.params[name], key, multipliers[key])
    return net


def load_into(net: Net, path: str | PathLike[str]) -> None:
    """See ``Net.load``."""
    path = Path(path)
    arrays, text = read_weights(path)
    if text is not None and net.in_shape is None:
        with decoding(path):
            net.build(json.loads(text)["in_shape"])
    _load_state(net, arrays, path)


def _load_state(net: Net, arrays: dict[str, Array], path: Path) -> None:
    try:
        net.load_state(arrays)
    except StateError as error:
        raise StateError(f"{path}: {error}") from None


def _describe(net: Net) -> dict[str, Any]:
    changed = {
        name: {key: getattr(p, key) for key, default in MULTIPLIERS.items() if getattr(p, key) != default}
        for name, p in net.params.items()
    }
    return {
        "format": 1,
        "net": encode(net, {}),
        "in_shape": net.in_shape,
        "dtype": net.dtype.name,
        "params": {name: entry for name, entry in changed.items() if entry},
    }
