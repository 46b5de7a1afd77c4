"""From the text of a target column to what a net learns."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = "missing value; fill it in or drop the row"
_LARGEST = float(np.finfo(np.float32).max)

Classes = tuple[str, ...] | None
Complain = Callable[[int, str], None]


def encode(cells: Sequence[str], classes: Classes, complain: Complain) -> tuple[NDArray[Any], Classes]:
    """`(y, classes)` for the target column `cells`.

    - `classes` given: y int64 (N,), the place of each cell in them.
    - `classes=()`: y float32 (N, 1), the cells as numbers.
    - `classes=None`: the column decides. Integers (3.0 is one) and words are labels: y int64 (N,) with the
      distinct ones, sorted, as `classes`. One number with a fraction makes all of them numbers, as for `()`.

    What is wrong with cell i goes to `complain(i, what)`; the result means nothing then.
    """
    cells = [cell.strip() for cell in cells]
    missing = [i for i, cell in enumerate(cells) if is_missing(cell)]
    for i in missing:
        complain(i, MISSING)
    if missing:
        return np.zeros(len(cells)), None
    if not classes:
        numbers = [as_number(cell) for cell in cells]
        if classes is not None or any(isinstance(number, float) for number in numbers):
            return _floats(cells, complain), None
        whole = [number for number in numbers if isinstance(number, int)]
        distinct = sorted(set(whole)) if len(whole) == len(cells) else sorted(set(cells))
        classes = tuple(map(str, distinct))
    return _places(cells, classes, complain), classes


def _places(cells: list[str], classes: tuple[str, ...], complain: Complain) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(classes)}
    y = np.zeros(len(cells), np.int64)
    for i, cell in enumerate(cells):
        number = None if cell in place else as_number(cell)
        name = cell if number is None else str(number)  # "3" for 3.0 or 03
        if name in place:
            y[i] = place[name]
        else:
            shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
            complain(i, f"unknown label {cell[:40]!r}; the classes are {shown}")
    return y


def _floats(cells: list[str], complain: Complain) -> NDArray[np.float32]:
    y = np.zeros((len(cells), 1), np.float32)
    for i, cell in enumerate(cells):
        number = as_number(cell)
        if number is None or abs(number) > _LARGEST:
            complain(i, f"{cell[:40]!r} is not a number that fits float32")
        else:
            y[i] = number
    return y


def is_missing(cell: str) -> bool:
    """Whether `cell` is empty or one of the usual words for nothing."""
    return cell.strip().lower() in ("", "?", "na", "n/a", "nan", "null")


def is_plain(text: str) -> bool:
    """Whether Python reads numbers in `text` as others do: it also takes 1_0 for ten, and digits of any script."""
    return "_" not in text and text.isascii()


def as_number(cell: str) -> int | float | None:
    """`cell` as an int if it is whole, as a float if not, None if it is no finite number."""
    if not is_plain(cell.strip()):
        return None
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return None
    if not isfinite(number):
        return None
    return int(number) if number.is_integer() else number
