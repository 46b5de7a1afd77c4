"""Options from a TOML file: every key is an option's name and means what the option means."""

from __future__ import annotations

import argparse
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from handbrew.data import FileFormatError

from .values import Real, Whole

NOT_IN_A_FILE = ("help", "config", "debug", "resume", "restart")  # they are about one call, not about a run


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """The option ``--config``; ``with_config`` then needs the parser."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="TOML",
        help="file of options (all but --resume, --restart, --debug); those of the command line win",
    )
    parser.set_defaults(parser=parser)


def with_config(args: argparse.Namespace) -> argparse.Namespace:
    """``args``, with what the file of ``--config`` says where the command line says nothing.

    Raises
    ------
    FileFormatError
        If the file is no TOML, a key is no option's name, or its value none that the option takes.
    """
    if args.config is None:
        return args
    given = {name: value for name, value in vars(args).items() if value is not None}
    return argparse.Namespace(**{**vars(args), **read_options(args.config, args.parser), **given})


def read_options(path: Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The options in a file, by the names that they have once parsed."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not TOML: {error}") from error
    actions = {
        option[2:]: action
        for action in parser._actions  # argparse has no public list of them
        for option in action.option_strings
        if option.startswith("--") and option[2:] not in NOT_IN_A_FILE
    }
    options: dict[str, Any] = {}
    for key, value in entries.items():
        name = key.replace("_", "-")
        if isinstance(value, dict):
            raise FileFormatError(
                f"{path}: {key}: expected an option, got a table; all options stand at the top, without [headings]"
            )
        if name not in actions:
            raise FileFormatError(f"{path}: {key}: {_unknown(name, list(actions))}")
        action = actions[name]
        if action.dest in options:
            raise FileFormatError(f"{path}: {key}: is there twice, in two spellings")
        try:
            options[action.dest] = _value(action, name, value)
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise FileFormatError(f"{path}: {key}: {error}") from None
    return options


def _unknown(name: str, names: list[str]) -> str:
    if name in NOT_IN_A_FILE:
        return "belongs on the command line"
    near = get_close_matches(name, names, n=3)
    return f"no such option; did you mean {' or '.join(near)}?" if near else "no such option; --help lists them all"


def _value(action: argparse.Action, name: str, value: Any) -> Any:
    if isinstance(action, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return value != name.startswith("no-")
    if action.nargs == "+":
        if not isinstance(value, list) or not value:
            raise ValueError(f"expected a list such as ['a', 'b'], got {value!r}")
        return [_one(action, one) for one in value]
    return _one(action, value)


def _one(action: argparse.Action, value: Any) -> Any:
    """A single value as the command line would have it; what that spells with commas may be a list."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(action.type, (Whole, Real)):
        if not number or (isinstance(action.type, Whole) and not isinstance(value, int)):
            raise ValueError(f"expected a {'whole ' * isinstance(action.type, Whole)}number, got {value!r}")
        return action.type(repr(value))
    if isinstance(value, list) and action.type not in (None, Path):
        value = ",".join(map(str, value))
    elif number and action.type not in (None, Path):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"expected a text in quotes, got {value!r}")
    made = action.type(value) if callable(action.type) else value
    if action.choices is not None and made not in action.choices:
        near = get_close_matches(value, list(action.choices), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"expected one of {', '.join(action.choices)}; got {value!r}{hint}")
    return made
