"""The verb ``check``: check the gradients of a layer of your own, and that it keeps the contract."""

from __future__ import annotations

import argparse
import ast
from typing import Any

import numpy as np

from handbrew.layers import Layer, LayerCheckError, check_layer

from .importing import import_named

SAMPLES = 5  # as many as check_layer makes of a shape
EPILOG = """examples:
  handbrew check mylayers:Swish --input 4,3                  class, made without arguments
  handbrew check mylayers:Scaled --args 0.5 bias=False --input 4,3
  handbrew check mylayers:block --input 8                    a layer, or a function that returns one
  handbrew check mylayers:MyLoss --input 10 --input :10      scores and integer labels below 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("layer", metavar="MODULE:NAME", help="looked for in the current folder first")
    parser.add_argument(
        "--input",
        action="append",
        type=samples,
        required=True,
        metavar="SHAPE[:N]",
        help="shape of a sample, such as 4,3; with :N integers from 0 to N - 1; once for each input",
    )
    parser.add_argument(
        "--args",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="of the class or function, such as 3 or rate=0.5",
    )
    parser.add_argument("--no-large-inputs", action="store_true", help="inputs of ±100 may overflow, as for Exp")
    parser.add_argument(
        "--allow-constant", nargs="+", default=(), metavar="NAME", help="the output need not depend on these"
    )


def run(args: argparse.Namespace) -> int:
    """Print the report, or all that is wrong; return 0 or 1."""
    layer = find(args.layer, args.args)
    try:
        report = check_layer(
            layer, *args.input, large_inputs=not args.no_large_inputs, allow_constant=args.allow_constant
        )
    except LayerCheckError as error:
        if args.debug:
            raise
        print(error)
        return 1
    print(report)
    return 0


def samples(text: str) -> Any:
    """``4,3`` is a shape; ``4,3:10`` are samples of that shape, integers below 10; ``:10`` are labels."""
    sizes, colon, below = text.partition(":")
    try:
        shape = tuple(int(size) for size in sizes.split(",") if size)
        if min((1, *shape)) < 1 or not (shape or colon):
            raise ValueError
        return np.random.default_rng(0).integers(int(below), size=(SAMPLES, *shape)) if colon else shape
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a shape such as 4,3 or 4,3:10, got {text!r}") from None


def find(name: str, arguments: list[str]) -> Layer:
    """Import ``module:Name``; call it if it is a class or a function.

    Raises
    ------
    ImportError
        If there is no such module or name, or the module itself fails.
    ValueError
        If what is found is no layer, nor makes one.
    """
    found = import_named(name)
    if not isinstance(found, Layer):
        if not callable(found):
            raise ValueError(f"{name}: expected a layer, a class or a function, got {found!r}")
        found = _call(found, name, arguments)
    elif arguments:
        raise ValueError(f"{name}: is a layer already, so --args has no use")
    if not isinstance(found, Layer):
        raise ValueError(f"{name}: expected it to make a layer, got {found!r}")
    return found


def _call(make: Any, name: str, arguments: list[str]) -> Any:
    values: list[Any] = []
    named: dict[str, Any] = {}
    for text in arguments:
        key, equals, value = text.partition("=")
        if equals and key.isidentifier():
            named[key] = _literal(value)
        else:
            values.append(_literal(text))
    try:
        return make(*values, **named)
    except Exception as error:
        hint = "; its arguments go into --args" if isinstance(error, TypeError) else ""
        raise ValueError(f"{name} cannot be made: {type(error).__name__}: {error}{hint}") from error


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)  # numbers, tuples, True, …: never code
    except (ValueError, SyntaxError):
        return text
