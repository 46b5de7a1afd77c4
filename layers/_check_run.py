"""All that ``check_layer`` does, in order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from . import _check_arrays as arrays
from . import _check_copies as copies
from . import _check_passes as passes
from ._check_bench import Bench
from ._check_gradients import check_gradients
from ._check_inputs import samples
from ._check_specimen import NotApplicableError, mode
from .check_report import CheckReport, Findings, GradientResult
from .layer import Layer

Check = Callable[[Bench], Iterator[str]]

CHECKS: tuple[Check, ...] = (
    passes.accumulation,
    passes.stale_cache,
    passes.scratch_cache,
    passes.tied_copies,
    passes.evaluation,
    passes.frozen,
    passes.declared_uses,
    arrays.arguments,
    arrays.layouts,
    arrays.dtypes,
    arrays.empty_batch,
    arrays.single_samples,
    arrays.large_inputs,
    copies.build,
    copies.state,
    copies.config,
    copies.pickling,
)


def run(
    layer: Layer,
    inputs: tuple[Any, ...],
    seed: int,
    large_inputs: bool,
    allow_constant: bool | Collection[str],
    max_elements: int,
) -> CheckReport:
    """See ``check_layer``."""
    sampled = samples(inputs, seed)
    findings = Findings(repr(layer))
    with warnings.catch_warnings(), np.errstate(over="warn", divide="warn", invalid="warn"):
        warnings.simplefilter("error", RuntimeWarning)
        # Where one of these fails the others would say nothing, or the same again.
        with findings.of("forward"):
            bench = Bench(layer, sampled, seed)
        findings.raise_failures()
        with findings.of("repeatability") as problems:
            problems.extend(passes.repeatability(bench))
        for training in (True, False):
            with findings.of(f"backward in {mode(training)}"):
                bench.reference(training)
        findings.raise_failures()

        with findings.of("gradients") as problems, np.errstate(all="ignore"):
            results = tuple(check_gradients(bench, max_elements))
            problems.extend(_wrong(results))
            problems.extend(_vacuous(results, allow_constant))
        for check in CHECKS:
            name = check.__name__.replace("_", " ")
            with findings.of(name) as problems:
                if check is arrays.large_inputs and not large_inputs:
                    raise NotApplicableError("large_inputs=False")
                problems.extend(check(bench))
    findings.raise_failures()
    return CheckReport(findings.layer, results, tuple(findings.passed), findings.skipped)


def _wrong(results: Iterable[GradientResult]) -> Iterator[str]:
    for result in sorted(results, key=lambda result: -result.error):
        if result.problem:
            yield f"in {result.mode}, {result.problem}"


def _vacuous(results: Collection[GradientResult], allowed: bool | Collection[str]) -> Iterator[str]:
    """A check that compares zeros with zeros says nothing."""
    if allowed is True:
        return
    if not results:
        yield "there is nothing to check: no floating-point input and no trainable parameter"
    depends = {result.name for result in results if result.problem or not result.constant}
    for name in dict.fromkeys(result.name for result in results if result.name not in depends):
        if not allowed or name not in allowed:
            yield (
                f"the output does not depend on {name}, so that zeros were compared with zeros; "
                f"pass other inputs, or allow_constant=({name!r},) if that is meant"
            )
