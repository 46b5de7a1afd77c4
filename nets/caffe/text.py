"""Caffe's text files: nets (prototxt) and solvers, read into protobuf's messages and written from them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container
from os import PathLike
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError

from ..files import write_atomically
from .hints import describe_unknown, explain
from .own import put_back, refuse, set_apart
from .reading import reading
from .schema import messages
from .sniff import told
from .upgrade import upgrade_net, upgrade_solver

LONGEST = 1 << 21  # bytes; the prototxts of the largest published nets have half a million
MOST_MESSAGES = 1 << 16  # each takes hundreds of bytes of memory, and two of text
_STRING_OR_COMMENT = r'"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?|#[^\n]*'
_PYTHONS_NUMBER = re.compile(_STRING_OR_COMMENT + r"|(?<![\w.+-])(\+\S+|-?(?:0[bBoO]\w+|[\d.][\w.]*_[\w.]*))")


def read_net(source: str | PathLike[str], custom: Container[str] = ()) -> Any:
    """Return the ``NetParameter`` of a prototxt, in today's form: V0 and V1 layers and ``input:`` headers upgraded.

    ``source`` is a path, or the text itself (a ``str`` with a ``{`` or a line break in it). Layers of types that
    Caffe 1.0 does not have, and of those in ``custom``, may have messages of their own, ``permute_param { … }`` say.

    Raises
    ------
    FileFormatError
        If it is not such a text; an unknown field is named with its line and what is known there.
    ImportError
        Without protobuf, saying how to get it.
    """
    path, net = _parse(source, messages().NetParameter())
    with reading(path):
        _refuse_own(net, custom)
        upgrade_net(net)
    return net


def read_solver(source: str | PathLike[str], custom: Container[str] = ()) -> Any:
    """Return the ``SolverParameter`` of a solver's prototxt: the old ``solver_type`` is its ``type`` now.

    Nets that stand in it are upgraded as ``read_net`` does. Paths in it are left as they are.

    Raises
    ------
    FileFormatError, ImportError
        As ``read_net``.
    """
    path, solver = _parse(source, messages().SolverParameter())
    with reading(path):
        for net in (solver.net_param, solver.train_net_param, *solver.test_net_param):
            _refuse_own(net, custom)
        upgrade_solver(solver)
    return solver


def write_net(path: str | PathLike[str], net: Any) -> None:
    """Write a message (a ``NetParameter``, say) as text, atomically; ``read_net`` gives an equal one."""
    from google.protobuf import text_format

    with write_atomically(path) as file:
        file.write(put_back(text_format.MessageToString(net, as_utf8=True)).encode())


def _parse(source: str | PathLike[str], message: Any) -> tuple[Path, Any]:
    """Fill ``message``; return it after the path that errors are to name."""
    from google.protobuf import text_format

    path, data = _load(source)
    if len(data) > LONGEST:
        raise FileFormatError(f"{path}: {len(data)} bytes of text; no prototxt of more than {LONGEST} is read")
    if (said := told(data)) is not None:
        raise FileFormatError(f"{path}: {said}; expected text (prototxt)")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    if b"\0" in data:
        raise FileFormatError(f"{path}: expected text (prototxt), got a binary file; is this the caffemodel?")
    # What encoding a comment is in does not matter; a string has to be UTF-8 or protobuf refuses it.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    with reading(path):
        _check(text)
        text = set_apart(text, messages().LayerParameter.DESCRIPTOR.fields_by_name)
        try:
            text_format.Parse(text, message)
        except text_format.ParseError as error:
            raise FileFormatError(explain(error, text)) from error
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


def _refuse_own(net: Any, custom: Container[str]) -> None:
    found = refuse(net, custom)
    if found is not None:
        line, name = found
        raise FileFormatError(f"line {line}: {describe_unknown('Message', 'caffe.LayerParameter', name)}")
