"""The verb ``replay``: run the batch again that met a number that is not finite."""

from __future__ import annotations

import argparse
from pathlib import Path

from handbrew.data import FileFormatError
from handbrew.layers import Configurable
from handbrew.solvers import replay

from .importing import import_named

EPILOG = """A net of handbrew's own layers needs no more than the file; of classes of your own it has only the names:
  handbrew replay my.dump --custom mylayers:Swish mylayers:Gate
In Python, handbrew.solvers.replay(DUMP) stops where a debugger can look at it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("dump", type=Path, metavar="DUMP", help="file that the error named")
    parser.add_argument(
        "--custom",
        nargs="+",
        default=[],
        metavar="MODULE:CLASS",
        help="classes of your own in that net; looked for in the current folder first",
    )


def run(args: argparse.Namespace) -> None:
    """End in the same error, or say that there is none this time."""
    try:
        replay(args.dump, custom=[find_class(name) for name in args.custom])
    except FileFormatError as error:
        if "custom" in str(error):  # as load_net's argument
            error.add_note("on the command line that is --custom MODULE:CLASS")
        raise
    print("all is finite this time: it depends on something else than the batch, the net's arrays and its generators")


def find_class(name: str) -> type[Configurable]:
    """The class that ``module:Class`` names.

    Raises
    ------
    ImportError, ValueError
        If there is none.
    """
    found = import_named(name)
    if not (isinstance(found, type) and issubclass(found, Configurable)):
        raise ValueError(f"{name}: expected a class of layers, losses or initialisers, got {found!r}")
    return found
