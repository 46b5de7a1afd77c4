"""``check_layer``: whether a layer's gradients are right and whether it keeps the contract."""

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
from .loss import Loss

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


def check_layer(
    layer: Layer,
    *inputs: Any,
    seed: int = 0,
    large_inputs: bool = True,
    allow_constant: bool | Collection[str] = False,
    max_elements: int = 200,
) -> CheckReport:
    """Check a layer's gradients against numeric ones, and that it keeps the contract of ``Layer``.

    >>> from handbrew.layers import Affine, check_layer
    >>> print(check_layer(Affine(3), (4,)))  # doctest: +ELLIPSIS
    Affine(3): all checks passed
    gradient of  shape   mode      elements  kinks  worst error
    x            (5, 4)  training  20        -      ...
    W            (4, 3)  training  12        -      ...
    b            (3,)    training  3         -      ...
    passed: forward, repeatability, backward in training, ...

    It works in float64 on a copy whose parameters are moved a little at random; the layer itself, built
    or not, is left as it is. The upstream gradient is random. Each derivative is a central difference;
    where that disagrees, smaller and larger steps and one-sided slopes tell a wrong gradient from a
    kink (ReLU at 0), at which the gradient has to lie between the slopes. An array passes if
    max |analytic - numeric| <= 1e-6 max |numeric| + 1e-9. Evaluation mode is checked as well if it
    gives another result.

    Parameters
    ----------
    layer : Layer
        A layer, loss or net.
    *inputs : int, tuple of int, or array
        What ``forward`` takes: a shape without the batch axis, for normally distributed samples, or an
        array with it. Integer arrays are not perturbed. Floating-point arrays say which values the
        layer is meant for; keep them away from its kinks. A loss takes scores and target.
    seed : int
        Of the samples, the upstream gradient and the choice of elements.
    large_inputs : bool
        Whether inputs of ±100 must neither overflow nor warn (in float32); False for ``Exp`` and the like.
    allow_constant : bool or names
        Inputs ("x") and parameters ("W") that the output need not depend on; True for all.
    max_elements : int
        Of each array, at most so many elements are compared, chosen at random; the report says so.

    Returns
    -------
    CheckReport
        What was checked; it prints as a table.

    Raises
    ------
    LayerCheckError
        If anything is wrong. It lists everything that is, with the likely causes.
    """
    if not isinstance(layer, Layer):
        hint = "; write it with parentheses" if isinstance(layer, type) else ""
        raise TypeError(f"check_layer: expected a layer, got {layer!r}{hint}")
    if not inputs:
        raise TypeError(f"check_layer: expected the inputs after the layer: check_layer({layer!r}, (3,))")
    if isinstance(layer, Loss) and len(inputs) == 1:
        raise TypeError(f"check_layer: a loss takes scores and a target: check_layer({layer!r}, (3,), target)")
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
