"""The errors that a user can mend, in words."""

from __future__ import annotations

# What a wrong file, setting or layer of the user's raises; anything else is handbrew's own mistake.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError, MemoryError)


def describe(error: BaseException) -> str:
    """An error in the words that a user can act on."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return "; ".join([text, *getattr(error, "__notes__", [])])
