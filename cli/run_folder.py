"""The folder that training leaves behind, and how it is opened again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from handbrew.data import Dataset, FileFormatError
from handbrew.data.guard import decoding
from handbrew.nets import Sequential, load_net, write_atomically

from .inputs import read_parts
from .settings import Settings
from .task import Task

NET, CONFIG, HISTORY = "net.safetensors", "config.json", "history.csv"
LOSS, CONFUSION, PREDICTED = "loss.png", "confusion.png", "predicted.png"


@dataclass(frozen=True)
class Run:
    """A trained net with its settings, its task, and the figures that it reached."""

    settings: Settings
    task: Task
    samples: tuple[int, int]  # trained on, held out
    results: dict[str, float]
    net: Sequential

    def save(self, folder: Path) -> None:
        """Write net and configuration; pictures of an earlier run, which would lie now, are removed."""
        for picture in (LOSS, CONFUSION, PREDICTED):
            (folder / picture).unlink(missing_ok=True)
        from importlib.metadata import version

        entries = {
            "handbrew": version("handbrew"),
            "settings": asdict(self.settings),
            "task": asdict(self.task),
            "samples": self.samples,
            "results": self.results,
        }
        self.net.save(folder / NET)
        with write_atomically(folder / CONFIG) as file:
            file.write(json.dumps(entries, indent=2, ensure_ascii=False).encode() + b"\n")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder is not there, or no run.
        FileFormatError
            If one of its files is damaged, or they do not belong together.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder; handbrew train --out {folder} makes one")
        path = folder / CONFIG
        if not path.is_file():
            raise FileNotFoundError(f"{folder}: not a run of handbrew train: it has no {CONFIG}")
        with decoding(path):
            entries: dict[str, Any] = json.loads(path.read_text("utf-8"))
            settings, task = Settings(**entries["settings"]), Task.from_json(entries["task"])
            trained, held_out = map(int, entries["samples"])
            results = dict(entries["results"])
        net = load_net(folder / NET)
        if (net.in_shape, net.out_shape) != (task.in_shape, (task.outputs,)):
            raise FileFormatError(
                f"{folder}: {NET} goes from shape {net.in_shape} to {net.out_shape}, {CONFIG} says "
                f"{task.in_shape} to {(task.outputs,)}: the files are of two runs"
            )
        return cls(settings, task, (trained, held_out), results, net)

    def held_out(self) -> Dataset:
        """The samples that this run has never trained on, read again from its data.

        Raises
        ------
        ValueError
            If the data have changed since, so that nobody knows which ones they were.
        """
        s = self.settings
        train, held_out = read_parts(s.data, s.target, s.regression)
        if (len(train), len(held_out)) != tuple(self.samples):
            raise ValueError(
                f"{s.data}: had {sum(self.samples)} samples when the net was trained, now "
                f"{len(train) + len(held_out)}, so that nobody knows which were held out; name a file to use"
            )
        return held_out


def claim(folder: Path) -> None:
    """Make the folder for a new run, which may replace an earlier run but nothing else.

    Raises
    ------
    FileExistsError
        If there is something that handbrew did not write.
    """
    if folder.exists() and not (folder.is_dir() and (_is_run(folder) or not any(folder.iterdir()))):
        raise FileExistsError(
            f"{folder}: is there already and is no run of handbrew train, so nothing is written into it; "
            f"choose another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)


def abandon(folder: Path) -> None:
    """Remove the folder of a run that came to nothing, if nothing is in it."""
    if not any(folder.iterdir()):
        folder.rmdir()


def _is_run(folder: Path) -> bool:
    try:
        return "handbrew" in json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
