"""Messages that Caffe 1.0 does not have, such as ``permute_param { order: 0 }``, in layers of the user's own.

protobuf reads no field that is not in its schema. So these are set apart before it reads a text, each in a field
``own`` of its layer, as it was written; and read into a dict once the layer is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from typing import Any

from handbrew.data import FileFormatError

from .legacy_fields import V1_TYPES

FIELD = "own"  # of LayerParameter, in our schema only
DEEPEST = 100  # messages in messages, as protobuf allows
_NEWER = """BatchNorm BatchReindex Bias Clip Crop ELU Embed Filter Input LSTM LSTMUnit Log PReLU Parameter Python RNN
    Reduction Reshape SPP Scale Swish Tile"""
TYPES = frozenset(name for _, name in V1_TYPES.values() if name) | frozenset(_NEWER.split())  # those of Caffe 1.0

_NAME = re.compile(r"\b[A-Za-z]\w*_param\b")
_TOKEN = re.compile(
    r"""(?:[\s,;]|\#[^\n]*)+ | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
    | (?P<word>[^\s{}<>\[\]:,;\#"']+) | (?P<mark>["'].*|.|\Z)""",
    re.VERBOSE,
)
_WRITTEN = re.compile(rf'^ *{FIELD}: "((?:[^"\\]|\\.)*)"$', re.MULTILINE)
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,19})")
_FLOAT = re.compile(r"-?(?:(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,4})?[fF]?|inf|infinity|nan)")
_ENDS = {"{": "}", "<": ">"}
Token = re.Match[str]
Tokens = Iterator[Token]


def set_apart(text: str, known: Container[str]) -> str:
    """Return the text with each ``…_param`` message of a ``layer`` that is not ``known`` in that layer's own field.

    No line moves to another place.

    Raises
    ------
    FileFormatError
        If such a message is none, with its line.
    """
    if all(name in known for name in _NAME.findall(text)):
        return text
    pieces, done = list[str](), 0
    stack, word = [""], ""
    tokens = _tokens(text)
    for token in tokens:
        if token["word"]:
            word, at = token["word"], token.start()
        elif token[0] in _ENDS:
            if stack[-1] == "layer" and stack[-2] != "layers" and _NAME.fullmatch(word) and word not in known:
                end = _message(tokens, _ENDS[token[0]], text)[1].end()
                said = json.dumps([text.count("\n", 0, at) + 1, text[at:end]])
                pieces += [text[done:at], f"{FIELD}: {json.dumps(said)}", "\n" * text.count("\n", at, end)]
                done = end
            else:
                stack.append(word)
            word = ""
        elif token[0] in ("}", ">") and len(stack) > 1:
            stack.pop()
    return "".join([*pieces, text[done:]])


def refuse(net: Any, custom: Container[str]) -> tuple[int, str] | None:
    """Line and name of the first message that a layer has of its own whose type is one of Caffe's, and not custom."""
    for layer in net.layer:
        if layer.own and layer.type not in custom and (layer.type in TYPES or not layer.type):
            line, text = json.loads(layer.own[0])
            return line, _NAME.match(text)[0]  # type: ignore[index]
    return None


def messages_of(layer: Any) -> dict[str, dict[str, Any]]:
    """The messages of a ``LayerParameter`` that Caffe 1.0 does not have, by name.

    A field that occurs once is its value; one that occurs several times, or in brackets, a list. A value is a number,
    a bool, a string (names of enumerations, too) or a message, a dict again.

    Raises
    ------
    FileFormatError
        If a message occurs twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for said in layer.own:
        _, text = json.loads(said)
        for name, value in _message(_tokens(text), "", text)[0].items():
            if name in found:
                raise FileFormatError(f"has more than one {name}")
            found[name] = value
    return found


def put_back(text: str) -> str:
    """The reverse of ``set_apart``, for a text that protobuf wrote."""
    from google.protobuf import text_encoding

    return _WRITTEN.sub(lambda match: json.loads(text_encoding.CUnescape(match[1]))[1], text)


def _tokens(text: str) -> Tokens:
    """Yield words, strings and marks; the last one is empty."""
    return (match for match in _TOKEN.finditer(text) if match.lastgroup)


def _message(tokens: Tokens, end: str, text: str, depth: int = 1) -> tuple[dict[str, Any], Token]:
    """Read fields up to the mark ``end``, and return it after them."""
    found: dict[str, Any] = {}
    several: set[str] = set()
    token = next(tokens)
    while token[0] != end:
        name = token["word"]
        if not name or not name.isidentifier():
            raise _error(token, text, "the name of a field" + (f", or {end}" if end else ""))
        token = next(tokens)
        colon = token[0] == ":"
        values, token = _values(next(tokens) if colon else token, tokens, text, depth, colon)
        if isinstance(values, list):
            several.add(name)
        else:
            values = [values]
        if name in found:
            several.add(name)
        found.setdefault(name, []).extend(values)
    return {name: values if name in several else values[0] for name, values in found.items()}, token


def _values(token: Token, tokens: Tokens, text: str, depth: int, colon: bool) -> tuple[Any, Token]:
    """One value, or a list of those in brackets, and the token after it."""
    if token[0] != "[" or not colon:
        return _value(token, tokens, text, depth, colon)
    values, token = list[Any](), next(tokens)
    while token[0] != "]":
        value, token = _value(token, tokens, text, depth, colon)
        values.append(value)
    return values, next(tokens)


def _value(token: Token, tokens: Tokens, text: str, depth: int, colon: bool) -> tuple[Any, Token]:
    if token[0] in _ENDS:
        if depth == DEEPEST:
            raise _error(token, text, f"at most {DEEPEST} messages in one another")
        return _message(tokens, _ENDS[token[0]], text, depth + 1)[0], next(tokens)
    if not colon:
        raise _error(token, text, 'a ":"')
    if token["string"]:
        content = ""
        while token["string"]:  # strings stand together
            content += _unescaped(token, text)
            token = next(tokens)
        return content, token
    word = token["word"] or ""
    if word in ("true", "false"):
        return word == "true", next(tokens)
    if _INTEGER.fullmatch(word):
        octal = word.lstrip("-")[:1] == "0" and set(word) <= set("-01234567")
        return int(word, 8 if octal else 0 if "x" in word.lower() else 10), next(tokens)
    if _FLOAT.fullmatch(word):
        return float(word if "n" in word else word.rstrip("fF")), next(tokens)
    if word.isidentifier():
        return word, next(tokens)
    raise _error(token, text, "a value")


def _unescaped(token: Token, text: str) -> str:
    from google.protobuf import text_encoding

    try:
        return str(text_encoding.CUnescape(token[0][1:-1]).decode())
    except ValueError as error:
        raise _error(token, text, "a string") from error


def _error(token: Token, text: str, wanted: str) -> FileFormatError:
    line = text.count("\n", 0, token.start()) + 1
    return FileFormatError(f"line {line}: expected {wanted}, got {token[0][:40] or 'the end'!r}")
