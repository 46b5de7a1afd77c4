"""What keeps a hostile file from doing harm: bounded reading, and one error for all that can go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .errors import FileFormatError

MAX_RATIO = 1032  # deflate's best: 258 bytes from 2 bits
_PIECE = 1 << 20


class Stream(Protocol):
    """Anything with `read`."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Inside, whatever a decoder makes of bad bytes is raised as a FileFormatError that names the file."""
    try:
        yield
    except FileFormatError:
        raise
    except MemoryError as error:
        raise FileFormatError(f"{path}: what it holds, unpacked, does not fit into memory") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except Exception as error:  # zipfile and zlib raise a dozen kinds, and document half of them
        raise FileFormatError(f"{path}: damaged, or not of its format ({type(error).__name__}: {error})") from error


def read_exactly(stream: Stream, size: int, name: str) -> bytearray:
    """The `size` bytes that are all that is left of `stream`.

    Memory grows with what is there, not with what was promised. Raises FileFormatError, about `name`, for
    less or more.
    """
    data = bytearray()
    while len(data) < size and (piece := stream.read(min(size - len(data), _PIECE))):
        data += piece
    if len(data) < size:
        raise FileFormatError(f"{name} is cut short: its header promises {size} bytes of data, {len(data)} are there")
    if stream.read(1):
        raise FileFormatError(f"{name} goes on after the {size} bytes of data that its header promises")
    return data
