"""What Caffe's data layers give a net: batches of samples in their order, over and over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError, Transform
from handbrew.data.shuffle import shuffled
from handbrew.nets.caffe.blobs import read_mean

from .caffe_files import find
from .caffe_samples import arrays_for, source_of

Array = np.ndarray[Any, np.dtype[Any]]
# The parameters of the layers that read files, by type.
READERS = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "HDF5Data": "hdf5_data_param",
    "MemoryData": "memory_data_param",
    "WindowData": "window_data_param",
}


class Feed:
    """The tops of a data layer, a batch at a time; after the last sample comes the first.

    Parameters
    ----------
    arrays : dict
        One for each top, samples along axis 0.
    batch_size : int
        Samples in each batch, more than there are if need be.
    transform : Transform, optional
        What is done to the first top.
    shuffle : bool
        Take them in another order each time round.
    skip : int
        Begin after so many.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        batch_size: int,
        transform: Transform | None = None,
        shuffle: bool = False,
        seed: int = 0,
        skip: int = 0,
    ) -> None:
        self.arrays, self.batch_size, self.transform = dict(arrays), batch_size, transform
        self.shuffle, self.seed, self.position = shuffle, seed, skip
        lengths = {len(array) for array in self.arrays.values()}
        if len(lengths) != 1 or not min(lengths) or batch_size < 1:
            shapes = ", ".join(f"{top} {array.shape}" for top, array in self.arrays.items())
            raise ValueError(
                f"expected arrays of as many samples and a batch of at least 1, got {shapes}; {batch_size}"
            )
        self._orders: dict[int, Array] = {}

    def __len__(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.arrays.values())))

    def next(self) -> dict[str, Array]:
        """The next batch, by top."""
        rows = self._rows(self.position)
        self.position += self.batch_size
        return self._batch(rows)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of a batch, by top."""
        state = self.transform and self.transform.state()
        batch = self._batch(np.zeros(1, np.intp))
        if self.transform and state:
            self.transform.restore(state)
        return {top: (self.batch_size, *array.shape[1:]) for top, array in batch.items()}

    def state(self) -> dict[str, Any]:
        """Where it stands."""
        return {
            "position": self.position,
            "seed": self.seed,
            "transform": self.transform.state() if self.transform else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where ``state`` was taken."""
        self.position, self.seed = state["position"], state["seed"]
        self._orders.clear()
        if self.transform and state["transform"]:
            self.transform.restore(state["transform"])

    def _rows(self, position: int) -> Array:
        rounds, rows = np.divmod(position + np.arange(self.batch_size), len(self))
        if self.shuffle:
            epochs = np.unique(rounds).tolist()
            self._orders = {e: self._orders.get(e, shuffled(len(self), self.seed, e)) for e in epochs}
            rows = np.concatenate([self._orders[e][rows[rounds == e]] for e in epochs])
        return rows

    def _batch(self, rows: Array) -> dict[str, Array]:
        batch = {top: array.take(rows, axis=0) for top, array in self.arrays.items()}
        if self.transform is not None:
            first = next(iter(batch))
            batch[first] = self.transform(batch[first])
        return batch


def make_feeds(net: Any, samples: Any, folder: Path, *, training: bool, seed: int) -> list[Feed]:
    """The feeds of all data layers of a selected ``NetParameter``.

    The first one gets ``samples``, if there are any; each other one, and without samples each, what its own
    ``source`` names. ``Input`` layers are fed as one data layer, their batch as large as the first of them says.

    Raises
    ------
    FileNotFoundError
        If there is nothing to feed a layer with.
    FileFormatError
        If what there is does not fit.
    """
    feeds: list[Feed] = []
    inputs = [layer for layer in net.layer if layer.type == "Input"]
    if inputs and samples is not None:
        shapes = [shape.dim for layer in inputs for shape in layer.input_param.shape]
        if not shapes:
            raise FileFormatError(
                f"{inputs[0].name} (Input): declares no shape, so it is not known how large a batch is"
            )
        feeds.append(Feed(arrays_for(samples, [top for layer in inputs for top in layer.top]), shapes[0][0]))
        samples = None
    for layer in net.layer:
        if layer.type not in READERS:
            continue
        param, tops = getattr(layer, READERS[layer.type]), list(layer.top)
        try:
            arrays = arrays_for(source_of(layer, param, folder) if samples is None else samples, tops)
            transform = make_transform(layer.transform_param, folder, training, seed)
            skip = int(np.random.default_rng(seed).integers(getattr(param, "rand_skip", 0) or 1))
            feeds.append(Feed(arrays, param.batch_size, transform, getattr(param, "shuffle", False), seed, skip))
            feeds[-1].shapes()  # does the transformation fit?
        except ValueError as error:
            raise FileFormatError(f"{layer.name} ({layer.type}): {error}") from error
        samples = None
    return feeds


def make_transform(param: Any, folder: Path, training: bool, seed: int) -> Transform | None:
    """What a ``transform_param`` asks for; ``None`` if that is nothing."""
    if param.mean_file and param.mean_value:
        raise ValueError("transform_param: expected mean_file or mean_value, got both")
    mean = read_mean(find(param.mean_file, folder)) if param.mean_file else list(param.mean_value) or None
    if param.scale == 1 and mean is None and not param.crop_size and not param.mirror:
        return None
    return Transform(param.scale, mean, param.crop_size, param.mirror, training=training, seed=seed)
