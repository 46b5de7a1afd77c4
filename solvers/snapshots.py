"""``Snapshots``: the state of a training in files, of which the newest whole one is found again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError, decoding
from handbrew.nets.files import lock_at_once, remove_abandoned
from handbrew.nets.safetensors import OWN, SNAPSHOT, read_safetensors

from .tree_file import parse_tree, write_tree

NAME = re.compile(r"step-(\d+)\.safetensors")


class Snapshots:
    """Where, how often and how many snapshots ``Solver.fit`` writes; and reading them.

    A snapshot is a state tree (nested dicts with strings as keys, and lists, of ``None``, bools, ints, floats,
    strings and arrays) in one safetensors file, ``step-000001200.safetensors``, with a checksum. It appears
    under its name only once it is whole and on the disk. Only then are older ones removed.

    Parameters
    ----------
    folder : path
        Made when the first one is written. One training, one folder.
    every : int, optional
        Steps between two; by default one is written at the end of each epoch.
    keep : int
        How many of the last ones stay. The best, ``best.safetensors``, stays besides.
    required : bool
        What ``fit`` does when one cannot be written, as on a full disk: stop with the ``OSError``, or warn and
        go on. Either way those written before stay.
    """

    def __init__(
        self, folder: str | PathLike[str], every: int | None = None, keep: int = 3, required: bool = True
    ) -> None:
        for name, value in (("every", every), ("keep", keep)):
            if value is not None and value < 1:
                raise ValueError(f"Snapshots: {name} must be at least 1, got {value}")
        self.folder, self.every, self.keep, self.required = Path(folder), every, keep, required

    def __repr__(self) -> str:
        return f"Snapshots({str(self.folder)!r}, every={self.every}, keep={self.keep}, required={self.required})"

    @property
    def best(self) -> Path:
        """Where ``write_best`` writes."""
        return self.folder / "best.safetensors"

    def paths(self) -> list[Path]:
        """The snapshots that there are, by step, the oldest first; without the best."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if NAME.fullmatch(path.name)), key=_step)

    def any(self) -> bool:
        """Whether there is one to go on from, the best included."""
        return bool(self.paths()) or self.best.exists()

    def write(self, tree: dict[str, Any], step: int) -> Path:
        """Write the tree as it is after ``step`` steps, then remove what is older than the last ``keep``.

        Raises
        ------
        OSError
            If it cannot be written, as on a full disk; the others stay as they were.
        TypeError
            If something in the tree is nothing that a state tree can hold; it says where.
        """
        path = self.folder / f"step-{step:09d}.safetensors"
        self._write(path, tree)
        for old in [other for other in self.paths() if _step(other) <= step][: -self.keep]:
            old.unlink(missing_ok=True)
        return path

    def write_best(self, tree: dict[str, Any]) -> Path:
        """Write the tree in the place of the one that was the best so far. Raises as ``write`` does."""
        self._write(self.best, tree)
        return self.best

    def newest(self) -> tuple[dict[str, Any], Path, list[str]] | None:
        """Return the newest whole snapshot's tree, its path, and what is wrong with newer ones; or ``None``.

        Where none of the last is whole, it is the best. ``None`` means that there is no snapshot at all.

        Raises
        ------
        FileFormatError
            If there are some and none is whole; it says what is wrong with each.
        """
        complaints: list[str] = []
        paths = self.paths()[::-1]
        if self.best.exists():
            paths.append(self.best)
            if len(paths) == 1:
                complaints.append(f"{self.folder}: the best snapshot is the only one there")
        for path in paths:
            try:
                return read_snapshot(path), path, complaints
            except (FileFormatError, OSError) as error:
                complaints.append(str(error))
        if complaints:
            raise FileFormatError("\n".join((f"{self.folder}: no snapshot that can be read", *complaints)))
        return None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder, and keep other processes from claiming it, where the system has locks.

        Raises
        ------
        BlockingIOError
            If another process has.
        OSError
            If the folder cannot be made, or written into.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("wb") as file:
            ours = True
            with suppress(OSError):  # where there are no locks, nobody can tell
                ours = lock_at_once(file)
            if not ours:
                raise BlockingIOError(
                    f"{self.folder}: another training is at work here, and two would remove each other's snapshots; "
                    f"end it (and what it has forked), or choose another folder"
                )
            yield

    def _write(self, path: Path, tree: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for names in ("step-*.safetensors", self.best.name):
                remove_abandoned(self.folder, names)  # room for this one
            write_tree(path, SNAPSHOT, tree)
        except OSError as error:
            if error.errno is None:
                raise
            said = f"no snapshot was written, those before it are as they were: {error.strerror}"
            raise OSError(error.errno, said, str(path)) from error


def read_snapshot(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the state tree of a snapshot, equal to the bit to what was written.

    Nothing is run or imported on the file's word, and the memory it takes is bounded by the file's size.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, or no snapshot.
    """
    path = Path(path)
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    arrays, metadata = ({}, {OWN: ""}) if zipped else read_safetensors(path)
    if SNAPSHOT not in metadata:
        what = "a net's weights; load them with net.load(path)" if OWN in metadata else "another program's file"
        raise FileFormatError(f"{path}: expected a snapshot of a training, got {what}")
    with decoding(path):
        return parse_tree(metadata[SNAPSHOT], arrays)


def _step(path: Path) -> int:
    found = NAME.fullmatch(path.name)
    return int(found[1]) if found else -1
