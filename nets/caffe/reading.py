"""``reading``: what goes wrong inside is the file's fault, and the error names it once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handbrew.data import FileFormatError, decoding


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """As ``decoding``; and a FileFormatError that does not begin with the path gets it, too.

    A file that is missing, or may not be read, is no fault of this one: such an OSError stays what it is.
    """
    missing = None
    with decoding(path):
        try:
            yield
        except FileFormatError as error:
            if str(error).startswith(f"{path}: "):
                raise
            raise FileFormatError(f"{path}: {error}") from error
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            missing = error
    if missing is not None:
        raise missing
