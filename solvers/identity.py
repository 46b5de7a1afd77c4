"""What tells a training from another one: its data, its net, its loop."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.data import Dataset
from handbrew.nets import Net
from handbrew.nets.architecture import Encoder
from handbrew.nets.saving import MULTIPLIERS

if TYPE_CHECKING:
    from .training import Training

FINGERPRINT = 500_000_000  # bytes


def loop_settings(run: Training) -> dict[str, Any]:
    """What was asked of the loop, as far as results depend on it."""
    return {
        "iter_size": run.iter_size,
        "test_interval": run.test_interval,
        "average_decay": run.average and run.average.decay,
        "processes": run.ranks.size if run.ranks else 1,
        "validation set": run.validation_mark,
    }


def fingerprint(data: Dataset) -> dict[str, Any]:
    """Return what tells one data set from another: shapes, kinds, and a checksum."""
    every = max(1, data.X.nbytes // FINGERPRINT)  # of more data only some samples are looked at
    checksum = zlib.crc32(np.ascontiguousarray(data.X[::every]).data)
    for array in (data.y,) if data.weight is None else (data.y, data.weight):
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return {
        "X": f"{data.X.dtype} {data.X.shape}",
        "y": f"{data.y.dtype} {data.y.shape}",
        "weights": data.weight is not None,
        "checksum": checksum,
    }


def layers_of(net: Net) -> Any:
    """Return the layers and their arguments as data; ``None`` where an argument is none."""
    try:
        return json.loads(json.dumps(Encoder().encode(net)))
    except TypeError:
        return None


def setup(net: Net) -> dict[str, Any]:
    """Return what may be set on a net that is there: multipliers, modes and dtypes, by path."""
    return {
        "multipliers": {path: [getattr(p, name) for name in MULTIPLIERS] for path, p in net.params.items()},
        "layers in evaluation mode": [path for path, layer in net.walk() if not layer.training],
        "dtypes": {path: layer.dtype.name for path, layer in net.walk()},
    }


def restore_setup(net: Net, given: dict[str, Any], last: dict[str, Any]) -> list[str]:
    """Set on a net what was ``last`` set, where it is now as was ``given`` at first; say where it is not.

    What is given otherwise now counts.
    """
    here, layers = setup(net), dict(net.walk())
    if here["dtypes"] == given["dtypes"]:
        for path, name in last["dtypes"].items():
            if layers[path].dtype.name != name:
                layers[path].astype(name)
    if here["multipliers"] == given["multipliers"]:
        for path, values in last["multipliers"].items():
            for name, value in zip(MULTIPLIERS, values, strict=True):
                setattr(net.params[path], name, value)
    if here["layers in evaluation mode"] == given["layers in evaluation mode"]:
        for path, layer in layers.items():
            vars(layer)["training"] = path not in last["layers in evaluation mode"]
    return [
        f"{place} was {was}; here it is {now}, which counts from now on"
        for key in here
        if here[key] != given[key]
        for place, was, now in [first_difference(given[key], here[key], key)]
    ]


def compare_layers(before: Any, net: Net) -> list[str]:
    """Say where a net's layers, or their arguments, are not those of ``layers_of`` before; what is here counts."""
    here = layers_of(net)
    if before is None or here is None or before == here:
        return []
    place, was, now = first_difference(before, here, "net")
    return [f"{place} was {json.dumps(was)}; here it is {json.dumps(now)}, which counts from now on"]


def changes(before: Mapping[str, Any], here: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what is not as it was, by name: the name, what it was, what it is; ``None`` for what is not there."""
    names = sorted(before.keys() | here.keys())
    return [(name, before.get(name), here.get(name)) for name in names if before.get(name) != here.get(name)]


def first_difference(before: Any, here: Any, place: str) -> tuple[str, Any, Any]:
    """Return where two nests of dicts and lists differ first, and what stands there in each."""
    if isinstance(before, dict) and isinstance(here, dict) and before.keys() == here.keys():
        pairs = [(key, before[key], here[key]) for key in before]
    elif isinstance(before, list) and isinstance(here, list) and len(before) == len(here):
        pairs = list(zip(range(len(before)), before, here, strict=True))
    else:
        return place, before, here
    return next(
        (first_difference(was, now, f"{place}.{key}") for key, was, now in pairs if was != now), (place, before, here)
    )
