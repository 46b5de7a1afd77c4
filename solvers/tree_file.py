"""A state tree in a file: safetensors, with a checksum, and the tree's JSON among its texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.nets import write_atomically
from handbrew.nets.safetensors import distinct, write_safetensors

from .state_tree import flatten, unflatten

FORMAT = 1


def write_tree(path: Path, key: str, tree: dict[str, Any]) -> None:
    """Write a tree, atomically; ``key`` says what kind of file it is."""
    data, arrays = flatten(tree)
    text = json.dumps({"format": FORMAT, "tree": data}, separators=(",", ":"))
    with write_atomically(path) as file:
        write_safetensors(file, arrays, {key: text})


def parse_tree(text: str, arrays: dict[str, np.ndarray[Any, np.dtype[Any]]]) -> dict[str, Any]:
    """Return the tree of a file's text and arrays.

    Raises
    ------
    ValueError
        If they are of another format, or no tree.
    """
    described = json.loads(text, object_pairs_hook=distinct)
    if described["format"] != FORMAT:
        raise ValueError(f"its format is {described['format']!r}; this handbrew knows format {FORMAT}")
    return unflatten(described["tree"], arrays)
