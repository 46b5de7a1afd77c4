"""The command ``handbrew``: thin verbs over the public API, one file each."""

import sys

if __name__ == "cli":
    raise ImportError("import it as handbrew.cli: under its bare name every class would exist twice")

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code.

    0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C (SIGINT), 143 for SIGTERM.
    """
    try:
        from .command import run  # takes a moment, in which there may be a Ctrl-C, too

        return run(argv)
    except KeyboardInterrupt:
        print("\nhandbrew: interrupted", file=sys.stderr)
        return 130
