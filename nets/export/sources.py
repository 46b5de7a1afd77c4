"""The source of plain functions, with all that they call."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

from . import (
    plain_activations,
    plain_caffe,
    plain_convolution,
    plain_entry,
    plain_errors,
    plain_linear,
    plain_losses,
    plain_normalization,
    plain_pooling,
    plain_shape,
)

MODULES = (
    plain_entry,
    plain_linear,
    plain_convolution,
    plain_pooling,
    plain_normalization,
    plain_activations,
    plain_shape,
    plain_losses,
    plain_errors,
    plain_caffe,
)


def _functions(module: ModuleType) -> list[Any]:
    own = [f for f in vars(module).values() if isinstance(f, FunctionType) and f.__module__ == module.__name__]
    return sorted(own, key=lambda f: f.__code__.co_firstlineno)


EVERY = [function for module in MODULES for function in _functions(module)]
NAMES = [function.__name__ for function in EVERY]


def back_of(function: Any) -> Any:
    """The function that makes a function's gradients."""
    return getattr(sys.modules[function.__module__], f"{function.__name__}_back")


def source_of(functions: Iterable[Any]) -> str:
    """These functions and those they call, each once, in the order of their modules."""
    wanted, left = set[Any](), list(functions)
    while left:
        function = left.pop()
        if function not in wanted:
            wanted.add(function)
            left += _called(function)
    return "\n\n".join(inspect.getsource(function) for function in EVERY if function in wanted)


def _called(function: Any) -> list[Any]:
    """The plain functions that a function's source names."""
    around = vars(sys.modules[function.__module__])
    names = {node.id for node in ast.walk(ast.parse(inspect.getsource(function))) if isinstance(node, ast.Name)}
    return [around[name] for name in sorted(names) if around.get(name) in EVERY]
