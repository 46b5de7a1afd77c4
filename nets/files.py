"""Writing files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO


@contextmanager
def write_atomically(path: str | PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes ``path``'s place only once it is complete and on the disk.

    Whatever interrupts it (an exception, a kill, a full disk), the old file stays as it was. Of two
    writers at once, the last to finish wins. A symbolic link stays one: the file it leads to is replaced.

    Raises
    ------
    OSError
        If the file cannot be written, or ``path`` is no file but a folder or a device.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"{path}: expected a file or nothing there, found a folder or a device")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent} to write into")
    with _part_of(target) as (file, part):
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno and error.filename is None:
                error.filename = str(path)  # a full disk does not say which file it had no room for
            raise
    _sync_folder(target.parent)


def remove_abandoned(folder: Path, names: str) -> list[Path]:
    """Remove what killed writers have left in ``folder`` of the files that match ``names``; return what that was.

    A writer keeps its unfinished file locked, and the system lets go of the lock when the process ends, however
    it ends. So the file of a living writer, or one on a disk without locks, is never touched.
    """
    return [part for part in sorted(folder.glob(f".{names}.*.part")) if _remove_if_unlocked(part)]


@contextmanager
def _part_of(target: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new file beside ``target`` and its path, locked until the end of the block, where there are locks."""
    while True:
        part = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
        file = part.open("xb")
        lock = _lock(file.fileno())
        if lock is None or part.exists():
            break
        file.close()  # in the moment before it was locked, somebody took it for an abandoned one
        os.close(lock)
    try:
        yield file, part
    finally:
        if lock is not None:
            os.close(lock)


def _lock(handle: int) -> int | None:
    """Lock an open file; return the handle whose closing unlocks it."""
    try:
        from fcntl import LOCK_EX, flock
    except ImportError:  # on Windows nobody can remove a file that is open
        return None
    lock = os.dup(handle)  # the file is closed and moved before it is unlocked
    with suppress(OSError):
        flock(lock, LOCK_EX)
    return lock


def lock_at_once(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; return whether it is ours now, as it is where there are no locks.

    Raises
    ------
    OSError
        If the disk knows of no locks.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return True
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_if_unlocked(part: Path) -> bool:
    try:
        with part.open("r+b") as file:
            if not lock_at_once(file):
                return False
            part.unlink()
    except OSError:  # it is gone, or nobody can tell whether it is in use
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Ask for the new name, too, to be on the disk, where the system lets folders be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
