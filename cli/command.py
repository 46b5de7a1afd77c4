"""``main``: reads the command line, runs the verb, and turns what the user can mend into one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import check, predict, summary, test, train

VERBS = (train, test, predict, summary, check)
# What a wrong file, setting or layer of the user's raises; anything else is handbrew's own mistake.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError, MemoryError)

EXAMPLES = """examples:
  handbrew train                                  the digits that come with handbrew, into run/
  handbrew train --data flowers.csv --target species --out flowers
  handbrew train --data mnist/ --net 784-256-10   a folder with MNIST's four files
  handbrew train --data mnist/ --net lenet        the same with a ready-made net for images
  handbrew test run/                              loss, accuracy and a table of the classes
  handbrew predict run/ new.csv                   a class and its probability for every row
  handbrew summary --net 784-256-10               shapes, parameters and operations of a net
  handbrew check mylayers:Swish --input 4,3       your own layer's gradients, element by element

handbrew VERB --help tells more about each.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    parser = make_parser()
    args, left = parser.parse_known_args(argv)
    if len(left) == 1 and not left[0].startswith("-") and getattr(args, "file", "") is None:
        args.file = left.pop()  # argparse lets no optional operand come after an option
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    if args.version:
        from importlib.metadata import version  # 20 ms

        print(f"handbrew {version('handbrew')}")
        return 0
    if args.verb is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        code: int = args.run(args) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nhandbrew: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `handbrew predict … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as error:
        if args.debug:
            raise
        print(f"handbrew: {describe(error)}", file=sys.stderr)
        return 1
    return code


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
            verb.__name__.rpartition(".")[2],
            help=summary,
            description=f"{summary.capitalize()}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
        sub.set_defaults(run=verb.run)
    return parser


def describe(error: BaseException) -> str:
    """An error in the words that a user can act on."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return "; ".join([text, *getattr(error, "__notes__", [])])
