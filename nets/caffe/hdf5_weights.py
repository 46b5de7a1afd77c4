"""Caffe's weights as HDF5: dataset ``i`` in group ``/data/<layer>`` is blob ``i`` of that layer."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.data.guard import MAX_RATIO

from ..files import write_atomically
from .blobs import MOST_AXES, Array
from .reading import reading
from .weights import MOST_BLOBS, LayerWeights

LONGEST_NAME = 1000  # characters


def read_hdf5(path: Path) -> list[LayerWeights]:
    """See ``read_caffemodel``; the layers are in order of their names, as HDF5 has no other."""
    h5py = _h5py()
    with reading(path), h5py.File(path, "r") as file:
        data = _follow(file, "data") if "data" in file else None
        if not isinstance(data, h5py.Group):
            told = "; is this a solver's state?" if "history" in file else ""
            raise FileFormatError(f"expected Caffe's weights, /data/<layer>/<i>; there is no group /data{told}")
        found: dict[str, dict[int, Any]] = {}
        for name, index, dataset in _datasets(data):
            found.setdefault(name, {})[index] = dataset
        allowance = [path.stat().st_size]
        return [
            LayerWeights(name, "", [_read(blobs[i], f"{name}/{i}", allowance) for i in sorted(blobs)])
            for name, blobs in found.items()
        ]


def write_hdf5(path: str | PathLike[str], weights: Iterable[LayerWeights]) -> None:
    """Write weights as Caffe does with ``snapshot_format: HDF5``, atomically.

    Raises
    ------
    ValueError
        If two layers have one name.
    ImportError
        Without h5py, saying how to get it.
    """
    h5py = _h5py()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        data = file.create_group("data")
        for layer in weights:
            if any(f"{layer.name}/{i}" in data for i in range(len(layer.blobs))):
                raise ValueError(f"two layers are called {layer.name}, which an HDF5 file has no room for")
            for i, blob in enumerate(layer.blobs):
                dtype = np.float64 if blob.dtype == np.float64 else np.float32
                data.create_dataset(f"{layer.name}/{i}", data=np.asarray(blob, dtype))
    with write_atomically(path) as target:
        target.write(buffer.getbuffer())


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError('weights in HDF5 need h5py: pip install "handbrew[hdf5]"') from error
    return h5py


def _datasets(data: Any) -> Iterator[tuple[str, int, Any]]:
    """Yield layer, index and dataset for all in a group and the groups in it; layers' names may have slashes."""
    import h5py

    groups, seen = [("", data)], 0
    for path, group in groups:  # more of them turn up on the way
        for name in group:
            seen += 1
            if seen > MOST_BLOBS or len(path) > LONGEST_NAME:
                raise FileFormatError(f"/data/{path[:100]} has more in it than a net has; is a group in itself?")
            item = _follow(group, name)
            if isinstance(item, h5py.Group):
                groups.append((f"{path}/{name}" if path else name, item))
            elif isinstance(item, h5py.Dataset) and name.isdecimal() and path:
                yield path, int(name), item
            else:
                raise FileFormatError(f"expected /data/<layer>/<i>, got /data/{path}/{name}")


def _follow(group: Any, name: str) -> Any:
    """What is called so in the file itself; not what a link leads to, in this file or another."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FileFormatError(f"{group.name}/{name} is a link to somewhere else, which is not followed")
    return group[name]


def _read(dataset: Any, where: str, allowance: list[int]) -> Array:
    """The array of a dataset that takes its bytes of what is left of ``allowance``, the file's size."""
    creation = dataset.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    known = {1, 2, 3}  # deflate, and two that leave the size as it is
    if dataset.external or dataset.is_virtual or filters - known:
        raise FileFormatError(f"{where}: its data are in another file, or packed in a way that is not read")
    if dataset.dtype.kind not in "fiu" or len(dataset.shape or ()) > MOST_AXES:
        raise FileFormatError(f"{where}: expected numbers, got {dataset.dtype} of shape {dataset.shape}")
    stored = dataset.id.get_storage_size()
    allowance[0] -= stored
    if not dataset.nbytes or allowance[0] < 0 or dataset.nbytes > stored * (MAX_RATIO if 1 in filters else 1):
        raise FileFormatError(
            f"{where}: the shape {dataset.shape} needs {dataset.nbytes} bytes of data, and {stored} are there"
        )
    array = np.asarray(dataset[()])
    return np.asarray(array, np.float64 if array.dtype == np.float64 else np.float32)
