"""What tells a training from another one: its data, its net, its loop."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.data import Dataset
from handbrew.nets import Net
from handbrew.nets.saving import MULTIPLIERS, describe

if TYPE_CHECKING:
    from .training import Training

FINGERPRINT = 64  # samples


def loop_settings(run: Training) -> dict[str, Any]:
    """What was asked of the loop, as far as results depend on it."""
    return {
        "iter_size": run.iter_size,
        "test_interval": run.test_interval,
        "average_decay": run.average and run.average.decay,
        "processes": run.ranks.size if run.ranks else 1,
        "validation set": None if run.validation is None else str(fingerprint(run.validation)),
    }


def fingerprint(data: Dataset) -> dict[str, Any]:
    """Return what tells one data set from another: shapes, kinds, and a checksum of some samples."""
    some = np.linspace(0, len(data) - 1, FINGERPRINT).astype(np.int64)
    checksum = 0
    for array in (data.X, data.y) if data.weight is None else (data.X, data.y, data.weight):
        checksum = zlib.crc32(np.ascontiguousarray(array[some]).data, checksum)
    return {
        "X": f"{data.X.dtype} {data.X.shape}",
        "y": f"{data.y.dtype} {data.y.shape}",
        "weights": data.weight is not None,
        "checksum": checksum,
    }


def described(net: Net) -> dict[str, Any] | None:
    """Return layers, their arguments and the parameters' multipliers as data; ``None`` where an argument is none."""
    try:
        return json.loads(describe(net))
    except TypeError:
        return None


def restore_description(net: Net, before: dict[str, Any] | None) -> list[str]:
    """Give the parameters the multipliers that they had, as they may have changed on the way; say what differs."""
    here = described(net)
    if before is None or here is None:
        return []
    for path, p in net.params.items():
        for name, usual in MULTIPLIERS.items():
            setattr(p, name, before["params"].get(path, {}).get(name, usual))
    differ = before["params"].keys() | here["params"].keys()
    complaints = [
        f"{path} is {'trainable' if p.trainable else 'frozen'}, with lr_mult {p.lr_mult:g} and decay_mult "
        f"{p.decay_mult:g}, as it was"
        for path, p in net.params.items()
        if path in differ and before["params"].get(path) != here["params"].get(path)
    ]
    if before["net"] != here["net"]:
        place, was, now = first_difference(before["net"], here["net"], "net")
        complaints.append(f"{place} was {json.dumps(was)}; here it is {json.dumps(now)}, which counts from now on")
    return complaints


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
