"""The errors that a user can mend, in words."""

from __future__ import annotations

import re

from handbrew.solvers import NonFiniteError

from .settings import NAMES

# What a wrong file, setting or layer of the user's raises; anything else is handbrew's own mistake.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError, MemoryError)

SETTINGS = "|".join(name for name in NAMES if "_" in name)
# How the library begins what it says to a Python program, and what stands for its words on the command line.
PYTHON = re.compile(r"(^|in rank \d+: )(?:fit|step|verify|find_lr): ")
WORDS = (
    (r"lower the learning rate\b", "lower --lr"),
    (r"with a lower learning rate\b", "with a lower --lr"),
    (rf"(?<![\w/.-])(?:{SETTINGS})(?![\w/-]|\.\w)", lambda found: f"--{found[0].replace('_', '-')}"),
)


class ToldError(Exception):
    """Ends the command with an exit code; whatever there was to say has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def describe(error: BaseException) -> str:
    """An error in the words that a user can act on: one line, or several short ones if there is much to say."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = in_options(str(error)) or type(error).__name__
    notes = getattr(error, "__notes__", [])
    return "\n  ".join([*_in_lines(text), *notes]) if isinstance(error, NonFiniteError) else "; ".join([text, *notes])


def in_options(text: str) -> str:
    """What the library says, without the names that only a Python program knows."""
    if PYTHON.search(text):
        text = PYTHON.sub(r"\1", text)
        for word, option in WORDS:
            text = re.sub(word, option, text)
    return text


def _in_lines(text: str) -> list[str]:
    """A long message, a sentence a line; what only a Python program can do is left out."""
    said = re.split(r"(?:(?<=is nan)|(?<=inf)|(?<=finite\)))[:;] |\. +(?=[A-Z])", text)
    return [sentence for sentence in said if "replay(" not in sentence]
