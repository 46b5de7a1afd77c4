"""Saving nets and loading them: parameters, buffers and the architecture in one file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np

from handbrew.data import FileFormatError, Npz, decoding
from handbrew.layers import Configurable, Layer, Loss, ShapeError, StateError, build_from

from .architecture import Decoder, Encoder
from .files import write_atomically
from .safetensors import OWN, SNAPSHOT, read_safetensors, write_safetensors
from .strangers import pickled, stranger

if TYPE_CHECKING:
    from .net import Net

Array = np.ndarray[Any, np.dtype[Any]]
KEY = OWN  # where the architecture lies among the file's texts or arrays
FORMAT = 1
MULTIPLIERS = {"lr_mult": 1.0, "decay_mult": 1.0, "trainable": True}


def save(net: Net, path: str | PathLike[str]) -> None:
    """See ``Net.save``."""
    path = Path(path)
    arrays = net.state()
    text = describe(net)
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(
            f"{path}: a net is saved as .safetensors or .npz, not as {path.suffix or 'a name without ending'}"
        )
    with write_atomically(path) as file:
        if path.suffix == ".safetensors":
            write_safetensors(file, arrays, {KEY: text})
        else:
            write_npz(file, {**arrays, KEY: np.array(text)})


def read_weights(path: str | PathLike[str]) -> tuple[dict[str, Array], str | None]:
    """Return the arrays by name, and the architecture as JSON where the file has one.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, a snapshot of a training, or neither safetensors nor npz, whatever its
        name says.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[:4] == b"PK\x03\x04":
        return _read_npz(path)
    if start[8:] != b"{":
        raise stranger(path, start)
    arrays, metadata = read_safetensors(path)
    if SNAPSHOT in metadata:
        raise FileFormatError(
            f"{path}: expected a net's weights, got a snapshot of a training. To go on training: solver.fit(…, "
            f"snapshots=Snapshots({str(path.parent)!r}), resume=True). To take the weights out of it: "
            f"net.load_state(read_snapshot({str(path)!r})['net']['arrays']), with read_snapshot of handbrew.solvers"
        )
    return arrays, metadata.get(KEY)


def load_net(
    path: str | PathLike[str], custom: Iterable[type[Configurable]] | Mapping[str, type[Configurable]] = ()
) -> Net:
    """Make the net that ``Net.save`` wrote, ready to predict or to train on.

    Classes are looked up by name among handbrew's own and those in ``custom`` (whose constructors get the
    arguments that the file gives); nothing else is imported or run on the file's word, and no more memory
    is taken than what it holds, unpacked, asks for.

    Raises
    ------
    FileFormatError
        If the file is damaged, has no architecture, or names a class that is in neither.
    StateError
        If its arrays do not fit its architecture.
    """
    path, decoder = Path(path), Decoder(custom.values() if isinstance(custom, Mapping) else custom)
    arrays, text = read_weights(path)
    if text is None:
        raise FileFormatError(f"{path}: holds arrays but no architecture; make the net and call net.load(path)")
    with fitting(path):
        return make_net(text, arrays, decoder)


def make_net(text: str, arrays: dict[str, Array], decoder: Decoder) -> Net:
    """Make a net from what ``describe`` said of it, and its arrays; inside ``fitting``."""
    from .net import Net

    described = _parse(text)
    net = decoder.decode(described["net"])
    if not isinstance(net, Net):
        raise FileFormatError(f"describes a {type(net).__name__}, expected a Sequential or a Graph")
    parts = dict(net.walk())
    for where, dtype in described["dtype"].items():
        parts[where].astype(dtype)
    _build(net, described, arrays)
    net.open_shape = described.get("open_shape")
    params = net.params
    for name, multipliers in described["params"].items():
        for key in MULTIPLIERS.keys() & multipliers.keys():
            setattr(params[name], key, multipliers[key])
    return net


def load_into(
    net: Net,
    path: str | PathLike[str],
    names: Mapping[str, str] | None = None,
    torch_names: bool | Mapping[str, str] | None = None,
) -> None:
    """See ``Net.load``."""
    path = Path(path)
    arrays, text = read_weights(path)
    if names is not None or torch_names not in (None, False):
        from .torch_names import check_maps, load_renamed

        check_maps(names, torch_names)
        net.params  # noqa: B018  raises NotBuiltError, which says what to do
        with fitting(path):
            load_renamed(net, arrays, names, torch_names)
    elif net.in_shape is None and text is not None:
        with fitting(path):
            described = _parse(text)
            _build(copy.deepcopy(net), described, arrays)  # so that one that does not fit leaves no trace
            _build(net, described, arrays)
    else:
        net.params  # noqa: B018  raises NotBuiltError, which says what to do
        with fitting(path):
            net.load_state(arrays)


def _build(net: Net, described: dict[str, Any], arrays: dict[str, Array]) -> None:
    build_from(net, described["in_shape"], arrays, described["shapes"])
    net.load_state(arrays)  # into what was built already; and it says if there are arrays left over


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Inside, arrays that do not fit are a StateError, and all else that goes wrong is the file's fault."""
    misfit = None
    with decoding(path):
        try:
            yield
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from error.__cause__
        except (ShapeError, StateError) as error:
            misfit = error
    if misfit is not None:
        raise StateError(f"{path}: {misfit}") from misfit


def _parse(text: str) -> dict[str, Any]:
    described = json.loads(text)
    if described["format"] != FORMAT:
        raise FileFormatError(f"is of format {described['format']!r}; this handbrew knows format {FORMAT}")
    return described


def describe(net: Layer) -> str:
    """Return the architecture, dtypes and multipliers as JSON."""
    changed = {
        name: {key: getattr(p, key) for key, default in MULTIPLIERS.items() if getattr(p, key) != default}
        for name, p in net.params.items()
    }
    dtypes = {where: part.dtype.name for where, part in net.walk()}
    described = {
        "format": FORMAT,
        "net": Encoder().encode(net),
        **shapes_of(net),
        "dtype": dtypes if len(set(dtypes.values())) > 1 else {"": net.dtype.name},
        "params": {name: entry for name, entry in changed.items() if entry},
    }
    open_shape = getattr(net, "open_shape", None)
    if open_shape is not None:
        described["open_shape"] = open_shape
    return json.dumps(described)


def shapes_of(net: Layer) -> dict[str, Any]:
    """Return what ``build_from`` needs: the input's shape, and shapes that ``net.build`` would not find out, by path.

    These are those of layers that leave ``build`` as it is but change the shape or hold layers, of all that is
    below such a one, and of losses.
    """
    found: dict[str, Any] = {}
    for where, part in net.walk():
        silent = part.builds_nothing and (part.children or part.out_shape != part.in_shape)
        below = any(where.startswith(f"{other}.") for other in found)
        if part.in_shape is not None and (silent or below or (isinstance(part, Loss) and part.params)):
            found[where] = (part.in_shape, part.out_shape)
    return {"in_shape": net.in_shape, "shapes": found}


def write_npz(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write arrays to an open file, as ``numpy.load`` reads them."""
    # numpy.savez would take some names for its own arguments, and put the time into the file.
    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read_npz(path: Path) -> tuple[dict[str, Array], str | None]:
    npz = Npz(path)
    if any(name.rpartition("/")[2] == "data.pkl" for name in npz.members):
        raise pickled(path)
    arrays = {name: npz[name] for name in npz.members}
    text = arrays.pop(KEY, None)
    for name, array in arrays.items():
        if array.dtype.kind == "U":
            raise FileFormatError(f"{path}: {name} holds strings, expected numbers")
    return arrays, None if text is None else str(text)
