"""The command ``handbrew``: thin verbs over the public API, one file each."""

if __name__ == "cli":
    raise ImportError("import it as handbrew.cli: under its bare name every class would exist twice")

from .command import main

__all__ = ["main"]
