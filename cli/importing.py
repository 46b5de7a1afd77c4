"""What a user has written, by a name such as ``mylayers:Swish``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def import_named(name: str) -> Any:
    """Import what ``module:Name`` names; the current folder is looked in first.

    Raises
    ------
    ImportError
        If there is no such module or name, or the module itself fails.
    ValueError
        If it is not such a name.
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute.isidentifier()):
        raise ValueError(f"expected a module and a name, such as mylayers:Swish, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ImportError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise ImportError(f"{module_name} ({getattr(module, '__file__', 'built in')}) has no {attribute}")
    return getattr(module, attribute)
