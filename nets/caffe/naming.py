"""Names of Caffe's layers and blobs as handbrew can have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def clean(name: str) -> str:
    """A name without dots, white space and what cannot be printed, each replaced by ``_``."""
    return re.sub(r"\s|\.", "_", "".join(c if c.isprintable() else "_" for c in name)) or "_"


def unique(name: str, taken: Iterable[str]) -> str:
    """The name itself, or with the first of ``_2``, ``_3``, … that makes it another than those taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def layer_names(net: Any) -> list[str]:
    """The names that the layers of a ``NetParameter`` bear in its ``Graph``: clean, and no two equal."""
    names: dict[str, None] = {}
    for layer in net.layer:
        names[unique(clean(layer.name or layer.type), names)] = None
    return list(names)
