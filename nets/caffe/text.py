"""Caffe's text files: nets (prototxt) and solvers, read into protobuf's messages and written from them."""

from __future__ import annotations

import difflib
import re
from os import PathLike
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError

from ..files import write_atomically
from .reading import reading
from .schema import messages
from .upgrade import upgrade_net, upgrade_solver

LONGEST = 1 << 21  # bytes; the prototxts of the largest published nets have half a million
MOST_MESSAGES = 1 << 16  # each takes hundreds of bytes of memory, and two of text
_UNKNOWN = re.compile(r'(?P<what>Message|Enum) type "(?P<owner>[\w.]+)" has no (?:field|value) named "?(?P<name>\w*)')
_LONGEST_REASON = 2000  # characters
_STRING_OR_COMMENT = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|#[^\n]*'
_PYTHONS_NUMBER = re.compile(_STRING_OR_COMMENT + r"|(?<![\w.+-])(\+\S+|-?(?:0[bBoO]\w+|[\d.][\w.]*_[\w.]*))")


def read_net(source: str | PathLike[str]) -> Any:
    """Return the ``NetParameter`` of a prototxt, in today's form: V0 and V1 layers and ``input:`` headers upgraded.

    ``source`` is a path, or the text itself (a ``str`` with a ``{`` or a line break in it).

    Raises
    ------
    FileFormatError
        If it is not such a text; an unknown field is named with its line and what is known there.
    ImportError
        Without protobuf, saying how to get it.
    """
    path, net = _parse(source, messages().NetParameter())
    with reading(path):
        upgrade_net(net)
    return net


def read_solver(source: str | PathLike[str]) -> Any:
    """Return the ``SolverParameter`` of a solver's prototxt: the old ``solver_type`` is its ``type`` now.

    Nets that stand in it are upgraded as ``read_net`` does. Paths in it are left as they are.

    Raises
    ------
    FileFormatError, ImportError
        As ``read_net``.
    """
    path, solver = _parse(source, messages().SolverParameter())
    with reading(path):
        upgrade_solver(solver)
    return solver


def write_net(path: str | PathLike[str], net: Any) -> None:
    """Write a message (a ``NetParameter``, say) as text, atomically; ``read_net`` gives an equal one."""
    from google.protobuf import text_format

    with write_atomically(path) as file:
        file.write(text_format.MessageToString(net, as_utf8=True).encode())


def _parse(source: str | PathLike[str], message: Any) -> tuple[Path, Any]:
    """Fill ``message``; return it after the path that errors are to name."""
    from google.protobuf import text_format

    path, data = _load(source)
    if len(data) > LONGEST:
        raise FileFormatError(f"{path}: {len(data)} bytes of text; no prototxt of more than {LONGEST} is read")
    if b"\0" in data:
        raise FileFormatError(f"{path}: expected text (prototxt), got a binary file; is this the caffemodel?")
    # What encoding a comment is in does not matter; a string has to be UTF-8 or protobuf refuses it.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    with reading(path):
        _check(text)
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as error:
            raise FileFormatError(_explain(error, text)) from error
    return path, message


def _check(text: str) -> None:
    """Refuse what protobuf would take at any cost: messages without end, and numbers that only Python has."""
    messages = text.count("{") + text.count("<")
    if messages > MOST_MESSAGES:
        raise FileFormatError(f"has {messages} messages; no prototxt of more than {MOST_MESSAGES} is read")
    for match in _PYTHONS_NUMBER.finditer(text):
        if match[1]:
            raise FileFormatError(f"line {text.count(chr(10), 0, match.start()) + 1}: {match[1]:.40} is not a number")


def _load(source: str | PathLike[str]) -> tuple[Path, bytes]:
    if isinstance(source, str) and ("{" in source or "\n" in source):
        return Path("prototxt"), source.encode(errors="surrogateescape")
    path = Path(source)
    with path.open("rb") as file:
        return path, file.read(LONGEST + 1)


def _explain(error: Any, text: str) -> str:
    """What protobuf says, with the line in words, and for an unknown name the names that there are."""
    line = error.GetLine()
    reason = str(error).removeprefix(f"{line}:{error.GetColumn()} : ")
    if line:  # some reasons repeat the line, however long it is
        reason = reason.removeprefix(f"'{text.split(chr(10))[line - 1]}': ")
    unknown = _UNKNOWN.match(reason)
    if unknown:
        reason = _describe_unknown(**unknown.groupdict())
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}…"
    return f"line {line}: {reason}" if line else reason


def _describe_unknown(what: str, owner: str, name: str) -> str:
    pool = messages().NetParameter.DESCRIPTOR.file.pool
    if what == "Enum":
        known = list(pool.FindEnumTypeByName(owner).values_by_name)
        what = "value"
    else:
        known = [field.name for field in pool.FindMessageTypeByName(owner).fields]
        what = "field"
    near = difflib.get_close_matches(name[:100], known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}"
    return f"Caffe 1.0 has no {what} {name[:100]!r} in {owner.removeprefix('caffe.')}; {hint}"
