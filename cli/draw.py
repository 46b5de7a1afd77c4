"""The verb ``draw``: draw a net as a graph of layers, with the shapes of what passes between them."""

from __future__ import annotations

import argparse
from pathlib import Path

from .chosen import add_chosen_arguments, choose

EPILOG = """examples:
  handbrew draw --net lenet -o lenet.svg      a picture, made by Graphviz, which has to be installed
  handbrew draw run/ -o net.dot               the drawing as text, in Graphviz's language
  handbrew draw deploy.prototxt | less        the same, printed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    add_chosen_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="ends in .dot, .svg, .png or .pdf (default: DOT, printed)"
    )


def run(args: argparse.Namespace) -> None:
    """Write the drawing, or print it."""
    from handbrew.nets import draw

    net, in_shape, _ = choose(args, "draw")
    drawing = draw(net, args.output, in_shape if net.in_shape is None else None)
    print(f"drawn: {args.output}" if args.output else drawing)
