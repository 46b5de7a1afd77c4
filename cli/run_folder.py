"""The folder that training leaves behind, and how it is opened again."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Self

from handbrew.data import Dataset, FileFormatError
from handbrew.nets import Net, load_net
from handbrew.nets.files import remove_abandoned
from handbrew.solvers import Snapshots

from .plan import CONFIG, Plan
from .settings import Settings
from .task import Task

NET, HISTORY, VALIDATIONS = "net.safetensors", "history.csv", "validations.csv"
SNAPSHOTS, EVENTS, DUMP = "snapshots", "events", "non-finite.safetensors"
LOSS, CONFUSION, PREDICTED = "loss.png", "confusion.png", "predicted.png"
LEFTOVER = re.compile(r"\.lock|\..*\.part")  # files that a process that was killed, or ran out of disk, leaves


@dataclass(frozen=True)
class Run:
    """A trained net with its plan, and the figures that it reached."""

    plan: Plan
    results: dict[str, float]
    net: Net

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
    for name in (NET, HISTORY, VALIDATIONS, LOSS, CONFUSION, PREDICTED, DUMP):  # of another run they would lie
        (folder / name).unlink(missing_ok=True)
    for name in (SNAPSHOTS, EVENTS):
        rmtree(folder / name, ignore_errors=True)
    remove_abandoned(folder, "*")
    plan.save(folder)


def refuse_to_replace(folder: Path, restart: bool) -> None:
    """See that no new run replaces anything that should stay.

    Raises
    ------
    FileExistsError
        If there is something that handbrew did not write, or, without ``restart``, a run that could go on.
    BlockingIOError
        If a run is under way there.
    """
    if folder.exists() and not (folder.is_dir() and (_is_run(folder) or is_nothing(folder))):
        raise FileExistsError(
            f"{folder}: is there already and is no run of handbrew train, so nothing is written into it; "
            f"choose another --out"
        )
    refuse_at_work(folder)
    if not restart and has_snapshots(folder) and Plan.open(folder)[1] is None:
        raise FileExistsError(
            f"{folder}: holds a run that has not come to its end; {how_to_go_on(folder)}, another --out leaves it "
            f"alone, and --restart throws it away"
        )


def refuse_at_work(folder: Path) -> None:
    """Raise a ``BlockingIOError`` if a process is training in that folder."""
    if (folder / SNAPSHOTS).is_dir():
        try:
            with Snapshots(folder / SNAPSHOTS).claimed():
                pass
        except BlockingIOError:
            raise
        except OSError:  # nothing can be written there, which will be told in its time
            pass


def abandon(folder: Path) -> None:
    """Remove the plan of a run that came to nothing, and the folder if nothing else is in it."""
    if has_snapshots(folder) or any((folder / name).exists() for name in (DUMP, HISTORY, NET)):
        return
    for name in (CONFIG, VALIDATIONS):
        (folder / name).unlink(missing_ok=True)
    rmtree(folder / EVENTS, ignore_errors=True)
    if folder.is_dir() and is_nothing(folder):
        rmtree(folder, ignore_errors=True)


def has_snapshots(folder: Path) -> bool:
    """Whether a run has anything to go on from."""
    return Snapshots(folder / SNAPSHOTS).any()


def is_nothing(folder: Path) -> bool:
    """Whether a folder holds no more than a run that came to nothing before its first snapshot has left."""
    return all(
        is_nothing(path) if path.is_dir() and path.name in (SNAPSHOTS, EVENTS) else LEFTOVER.fullmatch(path.name)
        for path in folder.iterdir()
    )


def how_to_go_on(folder: Path) -> str:
    """What to type, with or without a snapshot to go on from."""
    if has_snapshots(folder):
        return f"handbrew resume {shlex.quote(str(folder))} goes on with it"
    return "it left no snapshot to go on from, so handbrew train has to begin anew"


def _is_run(folder: Path) -> bool:
    try:
        return "handbrew" in json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
