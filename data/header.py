"""The first line of a CSV file: which columns there are, and which of them to read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .errors import FileFormatError
from .labels import as_number

_TARGETS = ("label", "target", "class", "y")


def column_names(cells: Sequence[str], path: Path) -> list[str]:
    """The names in the first line. Raises FileFormatError unless each column has one of its own."""
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise FileFormatError(f"{path}: expected a line with the names of the columns first, found no name")
    numbers = [as_number(name) for name in names]
    if None not in numbers or any(isinstance(number, float) for number in numbers):
        raise FileFormatError(f"{path}, line 1: expected the names of the columns, got numbers; add a line of names")
    if "" in names:
        raise FileFormatError(
            f"{path}, line 1: column {names.index('') + 1} has no name; name it, or drop a mere row count"
        )
    twice = [repr(name) for name, times in Counter(names).items() if times > 1]
    if twice:
        raise FileFormatError(f"{path}, line 1: two columns are called {_some(twice)}; rename one")
    return names


def choose(
    names: Sequence[str],
    target: str | None,
    features: Sequence[str] | None,
    labelled: bool,
    path: Path,
    weight: str | None = None,
) -> tuple[str | None, tuple[str, ...]]:
    """The target column, None if not `labelled`, and the columns of the features; `weight` is neither.

    Raises FileFormatError if a column that was asked for is absent or none is left.
    """
    there, wanted = set(names), set(features or ())
    absent = [repr(name) for name in (target, weight, *(features or ())) if name is not None and name not in there]
    if absent:
        raise FileFormatError(f"{path}: no column {_some(absent)}; there are {_some(list(map(repr, names)))}")
    if weight is not None and (weight == target or weight in wanted):
        raise FileFormatError(f"{path}: column {weight!r} cannot be the weight and a feature or the target, too")
    names = [name for name in names if name != weight]
    if target is None:
        rest = [name for name in names if name not in wanted]
        target = next((name for usual in _TARGETS for name in rest if name.casefold() == usual), None)
        if labelled and target is None and rest:
            target = rest[-1]
    chosen = tuple(features or (name for name in names if name != target))
    if not chosen or target in chosen or (labelled and target is None):
        raise FileFormatError(f"{path}: no column is left for the {'features' if not chosen else 'target'}")
    return target if labelled else None, chosen


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")
