"""CSV files: a line with the names of the columns, then one sample per row."""

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .errors import FileFormatError
from .guard import decoding
from .header import choose, column_names
from .labels import MISSING, Classes, encode, is_missing, is_plain
from .problems import Problems


def read_csv(
    path: str | PathLike[str],
    target: str | None = None,
    classes: Classes = None,
    features: Sequence[str] | None = None,
    weight: str | None = None,
) -> Dataset:
    """A CSV file (comma, semicolon or tab; UTF-8; names of the columns in the first line) as a data set.

    - `target`: the column to learn; by default the one called label, target, class or y, else the last.
    - `features`: the columns of `X`, float64 (N, F), in this order; by default all others.
    - `classes`: by default the target column decides. Integers and words are labels, `y` int64 (N,), with the
      distinct ones, sorted, as the data set's `classes`; one number with a fraction makes `y` float32 (N, 1).
      `classes=()` asks for numbers; names, such as those of a training set, fix the labels.
    - `weight`: the column of the samples' weights, none by default; then it is no feature.

    Raises FileFormatError with the line and column of the first few problems: missing values, cells that are
    no numbers, rows of another length, unknown labels, negative weights.
    """
    return read_table(Path(path), target, features, weight=weight).dataset(classes)


def read_features(path: str | PathLike[str], features: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Only `X`, float64 (N, F), of a CSV file with or without a column to learn. Raises as `read_csv` does.

    - `features`: the columns, in this order; by default all but one called label, target, class or y.
    """
    return read_table(Path(path), None, features, labelled=False).X


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file, its features read as numbers and its target column as text."""

    path: Path
    features: tuple[str, ...]
    X: NDArray[np.float64]
    target: str | None
    cells: list[str]
    lines: list[int]  # where in the file each row begins
    weight: NDArray[np.float64] | None

    def dataset(self, classes: Classes) -> Dataset:
        """The table with its target column made labels or numbers."""
        problems = Problems(self.path)
        y, classes = encode(self.cells, classes, lambda i, what: problems.add(self.lines[i], what, self.target))
        problems.check()
        return Dataset(self.X, y, classes, self.path.stem, self.features, self.weight)


def read_table(
    path: Path,
    target: str | None = None,
    features: Sequence[str] | None = None,
    labelled: bool = True,
    weight: str | None = None,
) -> Table:
    """Read a CSV file, without a target column if not `labelled`."""
    problems = Problems(path)
    values, cells, lines = array("d"), list[str](), list[int]()
    with path.open(encoding="utf-8-sig", newline="") as file, decoding(path):
        rows = _rows(file, path)
        names = column_names(next(rows, (1, []))[1], path)
        target, features = choose(names, target, features, labelled, path, weight)
        place = {name: i for i, name in enumerate(names)}
        numeric = features if weight is None else (*features, weight)
        at = [place[name] for name in numeric]
        for line, row in rows:
            if len(row) != len(names):
                problems.add(line, f"{len(row)} cells, but the first line names {len(names)} columns")
                continue
            try:
                values.extend(_numbers([row[i] for i in at]))
            except ValueError:
                _blame([(names[i], row[i]) for i in at], line, problems)
            if target:
                cells.append(row[place[target]])
            lines.append(line)
    problems.check()
    if not lines:
        raise FileFormatError(f"{path}: no rows after the line with the names of the columns")
    X = np.frombuffer(values, np.float64).reshape(len(lines), len(at))
    for i, j in np.argwhere(~np.isfinite(X)):
        what = MISSING if np.isnan(X[i, j]) else "infinite"
        problems.add(lines[i], what, numeric[j])
    problems.check()
    if weight is None:
        return Table(path, features, X, target, cells, lines, None)
    X, weights = X[:, :-1].copy(), X[:, -1].copy()
    for i in np.flatnonzero(weights < 0):
        problems.add(lines[i], f"negative weight {weights[i]:g}", weight)
    problems.check()
    return Table(path, features, X, target, cells, lines, weights)


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line where each row begins, and its cells; blank lines are passed over."""
    first = file.readline()
    unquoted = re.sub('"[^"]*"', "", first)
    reader = csv.reader(chain((first,), file), delimiter=max(",;\t", key=unquoted.count), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFormatError(f"{path}, line {line}: {error}") from error


def _numbers(cells: list[str]) -> list[float]:
    """The cells as numbers; ValueError if one is none."""
    if not is_plain("".join(cells)) and not all(is_plain(cell.strip()) for cell in cells):
        raise ValueError("a number is spelt as only Python spells it")
    return list(map(float, cells))


def _blame(row: Sequence[tuple[str, str]], line: int, problems: Problems) -> None:
    """Find the cells of `row`, pairs of name and text, that are no numbers."""
    for name, cell in row:
        if is_missing(cell):
            problems.add(line, MISSING, name)
            continue
        try:
            _numbers([cell])
        except ValueError:
            problems.add(line, f"{cell[:40]!r} is not a number", name)
