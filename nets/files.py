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
    part = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
    file = part.open("xb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Ask for the new name, too, to be on the disk, where the system lets folders be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
