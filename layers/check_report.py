"""What ``check_layer`` says: a report if everything holds, an error that lists everything that does not."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from ._check_specimen import NotApplicableError, ViolationError


class Failure(NamedTuple):
    """One broken rule: the check's name, and what happened, was expected, came, and the likely fix."""

    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


@dataclass(frozen=True)
class GradientResult:
    """The comparison of one array's gradient with its numeric twin."""

    name: str
    mode: str  # "training" or "evaluation"
    shape: tuple[int, ...]
    elements: int  # compared, of all that the shape has
    kinks: int  # among them: elements at which the slopes to the left and to the right differ
    error: float  # worst, relative to the largest gradient of the array
    constant: bool  # whether the output does not depend on the array
    problem: str = ""

    @property
    def line(self) -> tuple[str, ...]:
        """A row of the report's table."""
        size = math.prod(self.shape)
        compared = f"{self.elements}" if self.elements == size else f"{self.elements} of {size}"
        return self.name, str(self.shape), self.mode, compared, str(self.kinks or "-"), f"{self.error:.1e}"


@dataclass(frozen=True)
class CheckReport:
    """What was checked; ``print`` it."""

    layer: str
    gradients: tuple[GradientResult, ...]
    passed: tuple[str, ...]
    skipped: dict[str, str] = field(default_factory=dict)  # name of the check: why it says nothing here

    def __str__(self) -> str:
        head = ("gradient of", "shape", "mode", "elements", "kinks", "worst error")
        rows = [head, *(result.line for result in self.gradients)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        passed = textwrap.wrap("passed: " + ", ".join(self.passed), 100, subsequent_indent="        ")
        skipped = [f"not checked: {name} ({why})" for name, why in self.skipped.items()]
        return "\n".join([f"{self.layer}: all checks passed", *table, *passed, *skipped])

    __repr__ = __str__


class LayerCheckError(AssertionError):
    """A layer breaks the contract; ``failures`` lists every broken rule, the worst first."""

    def __init__(self, layer: str, failures: list[Failure]) -> None:
        self.layer, self.failures = layer, tuple(failures)
        checks = len({failure.check for failure in failures})
        count = "1 check" if checks == 1 else f"{checks} checks"
        body = "\n".join(f"- {failure}".replace("\n", "\n  ") for failure in failures)
        super().__init__(f"{layer} fails {count}\n{body}")

    def __reduce__(self) -> tuple[type[LayerCheckError], tuple[str, list[Failure]]]:
        return type(self), (self.layer, list(self.failures))


class Findings:
    """What the checks of one layer have found so far."""

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.failures: list[Failure] = []
        self.passed: list[str] = []
        self.skipped: dict[str, str] = {}
        self._cause: Exception | None = None

    @contextmanager
    def of(self, check: str) -> Iterator[list[str]]:
        """Collect what the body appends to the list and what it raises: a crash is a finding too."""
        problems: list[str] = []
        try:
            yield problems
        except NotApplicableError as why:
            self.skipped[check] = str(why)
        except ViolationError as violation:
            problems.append(str(violation))
        except Exception as error:
            problems.append(_crash(error))
            self._cause = error
        self.failures += [Failure(check, problem) for problem in problems]
        if not problems and check not in self.skipped:
            self.passed.append(check)

    def raise_failures(self) -> None:
        """Raise ``LayerCheckError`` if there is any."""
        if self.failures:
            raise LayerCheckError(self.layer, self.failures) from self._cause


def _crash(error: Exception) -> str:
    """The error, with the line that raised it."""
    import traceback  # not needed where all is well
    from pathlib import PurePath

    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{PurePath(frame.filename).name}, line {frame.lineno}, in {frame.name}"
    return f"{type(error).__name__}: {error} ({where})"
