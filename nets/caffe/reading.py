"""``reading``: what goes wrong inside is the file's fault, and the error names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handbrew.data import FileFormatError, decoding


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """As ``decoding``; and a FileFormatError that does not know its file gets the path, too."""
    with decoding(path):
        try:
            yield
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from error
