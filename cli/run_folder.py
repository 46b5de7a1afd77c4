"""The folder that training leaves behind, and how it is opened again."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, Self

from handbrew.data import Dataset, FileFormatError
from handbrew.data.guard import decoding
from handbrew.nets import Sequential, load_net, write_atomically
from handbrew.solvers import Snapshots

from .inputs import read_parts
from .settings import Settings
from .task import Task

NET, CONFIG, HISTORY = "net.safetensors", "config.json", "history.csv"
SNAPSHOTS, EVENTS, DUMP = "snapshots", "events", "non-finite.safetensors"
LOSS, CONFUSION, PREDICTED = "loss.png", "confusion.png", "predicted.png"


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
            raise FileNotFoundError(f"{folder}: no such folder; handbrew train --out {folder} makes one")
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


@dataclass(frozen=True)
class Run:
    """A trained net with its plan, and the figures that it reached."""

    plan: Plan
    results: dict[str, float]
    net: Sequential

    @property
    def settings(self) -> Settings:
        """What the run was asked to do."""
        return self.plan.settings

    @property
    def task(self) -> Task:
        """What the net was made for."""
        return self.plan.task

    def save(self, folder: Path) -> None:
        """Write net and configuration."""
        self.net.save(folder / NET)
        self.plan.save(folder, self.results)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder is not there, or no run.
        FileFormatError
            If one of its files is damaged, or they do not belong together.
        UnfinishedError
            If the run has not come to its end.
        """
        plan, results = Plan.open(folder)
        if results is None:
            raise UnfinishedError(f"{folder}: this run has not come to its end; {how_to_go_on(folder)}")
        net, task = load_net(folder / NET), plan.task
        if (net.in_shape, net.out_shape) != (task.in_shape, (task.outputs,)):
            raise FileFormatError(
                f"{folder}: {NET} goes from shape {net.in_shape} to {net.out_shape}, {CONFIG} says "
                f"{task.in_shape} to {(task.outputs,)}: the files are of two runs"
            )
        return cls(plan, results, net)

    def held_out(self) -> Dataset:
        """The samples that this run has never trained on, read again from its data.

        Raises
        ------
        ValueError
            If the data have changed since, so that nobody knows which ones they were.
        """
        return self.plan.read()[1]


class UnfinishedError(ValueError):
    """A run that has been cut short, or is still under way."""


def claim(folder: Path, plan: Plan) -> None:
    """Make the folder for a new run, in the place of an earlier one, and write its plan there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (NET, HISTORY, LOSS, CONFUSION, PREDICTED, DUMP):  # of another run they would lie
        (folder / name).unlink(missing_ok=True)
    for name in (SNAPSHOTS, EVENTS):
        rmtree(folder / name, ignore_errors=True)
    plan.save(folder)


def refuse_to_replace(folder: Path, restart: bool) -> None:
    """See that no new run replaces anything that should stay.

    Raises
    ------
    FileExistsError
        If there is something that handbrew did not write, or, without ``restart``, a run that could go on.
    """
    if folder.exists() and not (folder.is_dir() and (_is_run(folder) or not any(folder.iterdir()))):
        raise FileExistsError(
            f"{folder}: is there already and is no run of handbrew train, so nothing is written into it; "
            f"choose another --out"
        )
    if not restart and Snapshots(folder / SNAPSHOTS).paths() and Plan.open(folder)[1] is None:
        raise FileExistsError(
            f"{folder}: holds a run that has not come to its end; {how_to_go_on(folder)}, another --out leaves it "
            f"alone, and --restart throws it away"
        )


def abandon(folder: Path) -> None:
    """Remove the plan of a run that came to nothing, and the folder if nothing else is in it."""
    if Snapshots(folder / SNAPSHOTS).paths() or (folder / DUMP).exists():
        return
    (folder / CONFIG).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def how_to_go_on(folder: Path) -> str:
    """What to type, with or without a snapshot to go on from."""
    if Snapshots(folder / SNAPSHOTS).paths():
        return f"handbrew resume {shlex.quote(str(folder))} goes on with it"
    return "it left no snapshot to go on from, so handbrew train has to begin anew"


def _is_run(folder: Path) -> bool:
    try:
        return "handbrew" in json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
