"""The files that Caffe's prototxts name, wherever one runs from."""

from __future__ import annotations

from pathlib import Path


def find(name: str, folder: Path) -> Path:
    """The file, or folder, of that name: seen from here, as Caffe does; from ``folder``; or right in it.

    Raises
    ------
    FileNotFoundError
        If it is in none of these places.
    """
    path = Path(name)
    for place in (path, folder / path, folder / path.name):
        if name and place.exists():
            return place
    raise FileNotFoundError(f"{name}: no such file or folder, neither from here nor from {folder}")
