"""What options take: numbers, lengths and lists, as text spells them."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Whole:
    """A whole number of at least ``low``, from text."""

    low: int

    def __call__(self, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = self.low - 1
        if value < self.low:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {self.low}, got {text!r}")
        return value


@dataclass(frozen=True)
class Real:
    """A finite number of at least 0 and less than ``below``, from text."""

    below: float = math.inf

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < self.below:
            limit = "" if self.below == math.inf else f" and less than {self.below:g}"
            raise argparse.ArgumentTypeError(f"expected a number of at least 0{limit}, got {text!r}")
        return value


def shape(text: str) -> tuple[int, ...]:
    """The shape of a sample: ``1,28,28``."""
    try:
        sizes = tuple(map(int, text.split(",")))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected a shape such as 1,28,28, got {text!r}")
    return sizes


def listed(one: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """Several numbers with commas between them."""
    return lambda text: tuple(one(part) for part in text.split(","))


def class_weight(text: str) -> str | tuple[float, ...]:
    """``balanced``, or a number for each class."""
    if text == "balanced":
        return text
    try:
        weights = listed(Real())(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"expected 'balanced', or a number of at least 0 for each class, such as 1,2.5,1; got {text!r}"
        ) from None
    if not any(weights):
        raise argparse.ArgumentTypeError(f"all weights are 0, so that nothing would be learned; got {text!r}")
    return weights


@dataclass(frozen=True)
class Length:
    """So many epochs or steps; a step is one update."""

    number: float
    unit: str

    def __str__(self) -> str:
        return f"{self.number:g}{self.unit}"

    def steps(self, per_epoch: int) -> int:
        """As a number of steps."""
        return round(self.number * per_epoch) if self.unit == "epochs" else int(self.number)


def length(text: str) -> Length:
    """``10epochs`` or ``500steps``."""
    match = re.fullmatch(r"([0-9.]+)\s*(epoch|step)s?", text.strip())
    count = number(match[1]) if match else 0.0
    if match is None or count <= 0 or (match[2] == "step" and count != int(count)):
        raise ValueError(f"expected a length such as 10epochs or 500steps, got {text!r}")
    return Length(count, f"{match[2]}s")


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"expected a number, got {text!r}")
    return value


def whole(text: str) -> int:
    """A whole number."""
    value = number(text)
    if value != int(value):
        raise ValueError(f"expected a whole number, got {text!r}")
    return int(value)


def length_text(text: str) -> str:
    """For argparse: a length, as text."""
    return checked(text, length)


def checked(text: str, read: Callable[[str], Any]) -> str:
    """For argparse: the text as it is, if it can be read."""
    try:
        read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def similar(name: str, names: Any) -> str:
    """``; did you mean …?`` where something is alike."""
    near = get_close_matches(name, list(names), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
