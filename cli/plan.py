"""What a run is to do, as it is written down before it begins."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from handbrew.data import Dataset
from handbrew.data.guard import decoding
from handbrew.nets import write_atomically

from .inputs import read_parts
from .net_file import ENDINGS
from .settings import Settings
from .task import Task

CONFIG = "config.json"


@dataclass(frozen=True)
class Plan:
    """A run as it is written down before it begins: settings, task, and the samples trained on and held out."""

    settings: Settings
    task: Task
    samples: tuple[int, int]

    def save(self, folder: Path, results: dict[str, float] | None = None) -> None:
        """Write the configuration; a run without results is not finished."""
        from importlib.metadata import version

        entries = {
            "handbrew": version("handbrew"),
            "settings": asdict(self.settings),
            "task": asdict(self.task),
            "samples": self.samples,
            "results": results,
        }
        with write_atomically(folder / CONFIG) as file:
            file.write(json.dumps(entries, indent=2, ensure_ascii=False).encode() + b"\n")

    @classmethod
    def open(cls, folder: Path) -> tuple[Self, dict[str, float] | None]:
        """What ``save`` wrote: the plan, and the results if the run is finished.

        Raises
        ------
        FileNotFoundError
            If the folder is not there, or no run.
        FileFormatError
            If the file is damaged.
        """
        if not folder.is_dir():
            raise _no_folder(folder)
        path = folder / CONFIG
        if not path.is_file():
            raise FileNotFoundError(f"{folder}: not a run of handbrew train: it has no {CONFIG}")
        with decoding(path):
            entries: dict[str, Any] = json.loads(path.read_text("utf-8"))
            settings, task = Settings.from_json(entries["settings"]), Task.from_json(entries["task"])
            trained, held_out = map(int, entries["samples"])
            results = entries["results"] and dict(entries["results"])
        return cls(settings, task, (trained, held_out)), results

    def read(self) -> tuple[Dataset, Dataset]:
        """The samples trained on and those held out, read again.

        Raises
        ------
        ValueError
            If the data have changed since, so that nobody knows which ones they were.
        """
        s = self.settings
        train, held_out = read_parts(s.data, s.target, s.regression, s.sample_weight)
        if (len(train), len(held_out)) != tuple(self.samples):
            raise ValueError(
                f"{s.data}: had {sum(self.samples)} samples when the net was trained, now "
                f"{len(train) + len(held_out)}, so that nobody knows which were held out; name a file to use"
            )
        return train, held_out


def _no_folder(path: Path) -> OSError:
    """What to say of a run that is no folder."""
    if path.is_file():
        caffe = f"; handbrew test --model {path} --weights FILE scores a Caffe net"
        hint = caffe if path.suffix.lower() == ".prototxt" else ""
        return NotADirectoryError(f"{path}: expected the folder of a run, got a file{hint}")
    if path.suffix.lower() in ENDINGS:
        return FileNotFoundError(f"{path}: no such file")
    return FileNotFoundError(f"{path}: no such folder; handbrew train --out {path} makes one")
