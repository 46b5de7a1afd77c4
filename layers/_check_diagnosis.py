"""From a wrong gradient to its likely cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ._check_bench import Bench
from .param import Array

CLOSE = 1e-5  # relative to the largest element


@dataclass(frozen=True)
class Evidence:
    """What is known of one array's gradient: ``analytic`` in full, the rest of the elements at ``where``."""

    analytic: Array
    where: Array
    numeric: Array
    by_sample: Array  # the contribution of each sample to ``numeric``, a column each
    ignoring_dy: Array  # the numeric gradient if the upstream gradient were 1 everywhere
    bench: Bench


def likely_cause(evidence: Evidence) -> str:
    """Name the first pattern that explains the gradient; empty if none does."""
    return next((f"\n{pattern}" for pattern in _patterns(evidence)), "")


def _patterns(e: Evidence) -> Iterator[str]:
    """Everything that fits, the most telling first."""
    claimed, numeric = e.analytic.ravel()[e.where], e.numeric
    if not np.isfinite(claimed).all():
        yield "backward gives values that are not finite"
    if _close(claimed, numeric):
        yield "it is nearly right: a constant of few digits, an approximation, or numbers of lower precision?"
    if not claimed.any():
        yield "all of it is zero: backward never computes it, or never adds it to Param.grad"
    if _close(claimed, -numeric):
        yield "it is the negative everywhere: a sign has slipped"
    if _close(claimed, e.ignoring_dy):
        yield "it would be right for an upstream gradient of 1: backward does not multiply by dy (or dloss)"
    yield from _factors(e, claimed)
    transposed = e.analytic.T
    if transposed.shape == e.analytic.shape and _close(transposed.ravel()[e.where], numeric):
        yield "it is the transpose of the right one: swap the factors of a product"
    for name, column in (("first", 0), ("last", -1)):
        if e.by_sample.shape[1] > 1 and _close(claimed, e.by_sample[:, column]):
            yield f"it is the {name} sample's alone: sum over the batch"
    if len(claimed) == e.analytic.size and _close(np.sort(claimed), np.sort(numeric)):
        yield "the right values stand in the wrong places: a transposed, reshaped or reordered product"
    wrong = np.abs(claimed - numeric) > CLOSE * np.abs(numeric).max()
    if wrong.any() and not claimed[wrong].any():
        yield f"it is zero at {_count(wrong)} where it should not be: a term or an assignment is missing"
    elif 0 < wrong.sum() < 0.5 * len(wrong):
        yield f"it is wrong at {_count(wrong)} only, right at all others"
    elif _close(claimed - numeric, np.full_like(numeric, (claimed - numeric).mean())):
        yield "it is off by the same amount everywhere: a constant term is missing or surplus"


def _factors(e: Evidence, claimed: Array) -> Iterator[str]:
    at = np.abs(e.numeric).argmax()
    k = float(claimed[at] / e.numeric[at]) if e.numeric[at] else 0.0
    if not k or not _close(claimed, k * e.numeric):
        return
    batch = len(e.bench.inputs[0])
    sizes = {batch: f"N = {batch}, the number of samples"}
    for array in (*e.bench.output, *e.bench.inputs):
        sizes |= {n: f"{n}, the length of an axis" for n in array.shape if n not in sizes}
    for array in (*e.bench.output, *e.bench.inputs):
        sizes.setdefault(array.size, f"{array.size}, the number of elements")
    if abs(2 * k - 1) < CLOSE:
        yield "it is half the right one: a factor 2 is missing (the derivative of a square?), or a division is surplus"
    sizes[2] = sizes.get(2, "2")
    for n, name in sizes.items():
        if n > 1 and abs(k / n - 1) < CLOSE:
            yield f"it is too large by the factor {name}: a division (a mean?) is missing"
        if n > 1 and abs(k * n - 1) < CLOSE:
            yield f"it is too small by the factor {name}: a division (a mean?) is surplus"
    yield f"it is {k:.6g} times the right one everywhere: a factor is missing or surplus"


def _count(wrong: Array) -> str:
    return f"{int(wrong.sum())} of {len(wrong)} elements"


def _close(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= CLOSE * np.abs(b).max(initial=0.0))
