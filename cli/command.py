"""``run``: reads the command line, runs the verb, and turns what the user can mend into a few lines."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from . import check, draw, export, find_lr, predict, replay, resume, summary, test, time, train
from .errors import EXPECTED, ToldError, describe, in_options
from .together import refuse_several
from .values import similar

TOGETHER = ("train", "resume")  # the verbs that several processes share
VERBS = (train, resume, test, predict, summary, draw, time, export, find_lr, check, replay)
EXAMPLES = """examples:
  handbrew train                                  the digits that come with handbrew, into run/
  handbrew train --data flowers.csv --target species --out flowers
  handbrew train --data mnist/ --net 784-256-10   a folder with MNIST's four files
  handbrew train --data mnist/ --net lenet        the same with a ready-made net for images
  handbrew resume run/                            what was killed goes on, to the same bits
  handbrew test run/                              loss, accuracy and a table of the classes
  handbrew predict run/ new.csv                   a class and its probability for every row
  handbrew summary --net 784-256-10               shapes, parameters and operations of a net
  handbrew draw --net lenet -o lenet.svg          a picture of a net, by Graphviz
  handbrew time --net lenet                       milliseconds of each layer, forward and backward
  handbrew export run/ -o net.py                  the net as one file that needs NumPy only
  handbrew find-lr --data mnist/ --net lenet      a learning rate to begin with
  handbrew check mylayers:Swish --input 4,3       your own layer's gradients, element by element
  handbrew replay run/non-finite.safetensors      the batch that met a NaN, once more

handbrew VERB --help tells more about each.
"""


def run(argv: Sequence[str] | None = None) -> int:
    """See ``handbrew.cli.main``."""
    parser = make_parser()
    args = parse(parser, argv)
    if args.version:
        from importlib.metadata import version  # 20 ms

        print(f"handbrew {version('handbrew')}")
        return 0
    if args.verb is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell
            if args.verb not in TOGETHER:
                refuse_several(args.verb)
            code: int = args.run(args) or 0
        sys.stdout.flush()
    except ToldError as told:
        return told.code
    except KeyboardInterrupt as error:
        print(f"\nhandbrew: {'; '.join(['interrupted', *getattr(error, '__notes__', [])])}", file=sys.stderr)
        return 130
    except SystemExit as error:  # SIGTERM, once the step was done
        print(f"handbrew: {'; '.join(['terminated', *getattr(error, '__notes__', [])])}", file=sys.stderr)
        return int(error.code or 0)
    except BrokenPipeError:  # as in `handbrew predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as error:
        if args.debug:
            raise
        print(f"handbrew: {describe(error)}", file=sys.stderr)
        return 1
    return code


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for; an option that there is none of ends the program, as argparse does it."""
    args, left = parser.parse_known_args(argv)
    if len(left) == 1 and not left[0].startswith("-") and getattr(args, "file", "") is None:
        args.file = left.pop()  # argparse lets no optional operand come after an option
    if left:
        mistyped = next((text.partition("=")[0] for text in left if text.startswith("-")), "")
        parser.error(f"unrecognized arguments: {' '.join(left)}{similar(mistyped, getattr(args, 'options', ()))}")
    return args


def name_of(verb: ModuleType) -> str:
    """A verb's name on the command line: ``find-lr``."""
    return verb.__name__.rpartition(".")[2].replace("_", "-")


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; each verb's module adds its own part."""
    parser = argparse.ArgumentParser(
        prog="handbrew",
        description="Neural nets in NumPy, every gradient written by hand: train, test, use and check them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print handbrew's version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for verb in VERBS:
        summary = (verb.__doc__ or "").partition("\n")[0].partition(": ")[2].rstrip(".")
        sub = verbs.add_parser(
            name_of(verb),
            help=summary,
            description=f"{summary.capitalize()}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
        options = [option for action in sub._actions for option in action.option_strings]
        sub.set_defaults(run=verb.run, options=options)
    return parser


def _tell(message: Warning | str, *where: object, **more: object) -> None:
    """Print a warning as a line of text."""
    print(f"handbrew: {in_options(str(message))}", file=sys.stderr, flush=True)
