"""State trees as JSON and arrays by name, and back: equal to the bit, type by type.

A state tree is made of dicts with strings as keys, lists, and leaves: ``None``, bools, ints of any size, floats,
strings, NumPy arrays of numbers. JSON has no word for some of these. In their place stand strings with an ``@``:

- ``@array NAME``: an array, by its name in the file
- ``@float 7ff0000000000000``: an infinity or NaN, as the eight bytes of its IEEE 754 double
- ``@int ffffffffffffffff``: an integer of 64 bits or more, such as the state of a generator, in hexadecimal
- ``@text @home``: a string that itself begins with an ``@``
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np

from handbrew.nets.safetensors import NAMES

Array = np.ndarray[Any, np.dtype[Any]]
DEEPEST = 100  # levels of dicts and lists


def flatten(tree: dict[str, Any]) -> tuple[Any, dict[str, Array]]:
    """Return what JSON can hold, and the arrays; these are the tree's own, not copies.

    Raises
    ------
    TypeError
        For a value that is none of those above, such as a tuple or a NumPy scalar: what would come back as
        another type than it was could change what is computed with it.
    ValueError
        For a tree of more than 100 levels, or one that holds itself.
    """
    arrays: dict[str, Array] = {}
    return _encode(tree, (), arrays), arrays


def unflatten(data: Any, arrays: dict[str, Array]) -> dict[str, Any]:
    """Undo ``flatten``.

    Raises
    ------
    ValueError
        If the two are not what ``flatten`` returned.
    """
    left = dict(arrays)
    tree = _decode(data, 0, left)
    if not isinstance(tree, dict):
        raise ValueError(f"its tree is a {type(tree).__name__}, expected a dict")
    if left:
        raise ValueError(f"no place for the array {next(iter(left))!r} in its tree")
    return tree


def _encode(value: Any, path: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    kind = type(value)  # exactly: a subclass, such as np.float64, computes with other types
    if len(path) > DEEPEST:
        raise ValueError(f"{_where(path)}: deeper than {DEEPEST} levels; does it hold itself?")
    if value is None or kind is bool or (kind is float and math.isfinite(value)):
        return value
    if kind is str:
        return f"@text {value}" if value.startswith("@") else value
    if kind is int:
        return value if value.bit_length() < 64 else f"@int {value:x}"
    if kind is float:
        return f"@float {struct.pack('>d', value).hex()}"
    if kind is list:
        return [_encode(item, (*path, i), arrays) for i, item in enumerate(value)]
    if kind is dict and all(type(key) is str for key in value):
        return {key: _encode(item, (*path, key), arrays) for key, item in value.items()}
    if kind is np.ndarray and value.dtype.newbyteorder("<") in NAMES:
        name = _where(path)
        while name in arrays or name == "__metadata__":  # {"a/b": …} beside {"a": {"b": …}}
            name += "'"
        arrays[name] = value
        return f"@array {name}"
    what = f"an array of {value.dtype}" if kind is np.ndarray else f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(
        f"{_where(path)}: expected None, bool, int, float, str, a list, a dict with strings as keys, or an array of "
        f"numbers, got {what}; convert it, for example with float(x) or list(x)"
    )


def _where(path: tuple[Any, ...]) -> str:
    return "/".join(map(str, path)).encode("utf-8", "backslashreplace").decode()


def _decode(value: Any, depth: int, arrays: dict[str, Array]) -> Any:
    if depth > DEEPEST:
        raise ValueError(f"its tree is deeper than {DEEPEST} levels")
    if isinstance(value, list):
        return [_decode(item, depth + 1, arrays) for item in value]
    if isinstance(value, dict):
        return {key: _decode(item, depth + 1, arrays) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("@"):
        return _decode_marked(value, arrays)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a float that is not finite and not marked as such")
    return value


def _decode_marked(marked: str, arrays: dict[str, Array]) -> Any:
    mark, _, rest = marked.partition(" ")
    if mark == "@array" and rest in arrays:
        return arrays.pop(rest)  # each has one place
    if mark == "@text" and rest.startswith("@"):
        return rest
    if mark == "@float" and re.fullmatch("[0-9a-f]{16}", rest):
        return struct.unpack(">d", bytes.fromhex(rest))[0]
    if mark == "@int" and re.fullmatch("-?[0-9a-f]+", rest):
        return int(rest, 16)
    raise ValueError(f"its tree holds {marked[:80]!r}, which stands for nothing")
