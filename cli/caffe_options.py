"""The options of Caffe's own command line, and what goes with them."""

from __future__ import annotations

import argparse
from pathlib import Path

from .rules import Rule

ENDING = ".prototxt"
SHARED = ("data", "weights", "debug", "level", "stage", "verb", "run", "options", "version", "parser", "config")


class RulesOrFile(dict[str, Rule]):
    """The rules, for argparse, which a Caffe solver's file is one of."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and is_file(name))


def is_file(solver: str | None) -> bool:
    """Whether ``--solver`` names a file, not a rule."""
    return solver is not None and solver.endswith(ENDING)


def add_solver_file_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``caffe train`` takes besides the solver."""
    group = parser.add_argument_group(
        "Caffe",
        f"With --solver FILE{ENDING}, all else stands in that file; --weights takes caffemodels, several with commas.",
    )
    group.add_argument("--test-data", metavar="PATH", help="for the test nets (default: the test part of --data)")
    group.add_argument("--snapshot", type=Path, metavar="FILE", help="go on from a snapshot's .solverstate.safetensors")
    add_state_arguments(group)


def add_model_arguments(parser: argparse.ArgumentParser, verb: str) -> argparse._ArgumentGroup:
    """A Caffe net to look at."""
    group = parser.add_argument_group("Caffe", f"With --model, {verb} a Caffe net and print what caffe {verb} prints.")
    group.add_argument("--model", type=Path, metavar="FILE", help="the net's prototxt")
    add_state_arguments(group)
    return group


def add_state_arguments(group: argparse._ArgumentGroup) -> None:
    """Which layers are in, besides those of the phase."""
    group.add_argument("--level", type=int, metavar="N", help="of the net's state (default: 0)")
    group.add_argument("--stage", metavar="A,B", help="of the net's state")


def stages(args: argparse.Namespace) -> tuple[str, ...]:
    """The stages that are named."""
    return tuple(args.stage.split(",")) if args.stage else ()


def refuse_others(args: argparse.Namespace, reason: str, *names: str) -> None:
    """Raise a ``ValueError`` for an option besides these that was given."""
    for name, value in vars(args).items():
        if name not in (*SHARED, *names) and value is not None and value is not False:
            option = name if name == "folder" else f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} {value}: {reason}")


def refuse_caffe(args: argparse.Namespace, needs: str, *names: str) -> None:
    """Raise a ``ValueError`` for an option of Caffe's without that which it needs."""
    for name in (*names, "level", "stage"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} goes with {needs}")
