"""Gradients against central differences, element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ._check_bench import Bench
from ._check_diagnosis import Evidence, likely_cause
from ._check_specimen import Specimen, as_tuple, difference, index, is_float, mode
from .check_report import GradientResult
from .param import Array

RELATIVE, ABSOLUTE = 1e-6, 1e-9  # tolerance: relative to the array's largest gradient, and below it
STEP = 1e-5  # times the magnitude of the element or, if that is larger, of its array
KINK_STEPS, FURTHER_STEPS = (1.0, 0.1, 0.01), (10.0, 100.0)  # times STEP, where the first look disagrees


def check_gradients(bench: Bench, most: int) -> Iterator[GradientResult]:
    """Compare every differentiable input and trainable parameter, in each mode that behaves differently."""
    yield from _check_mode(bench, True, most)
    if difference(bench.reference(), bench.reference(training=False), 0.0):
        yield from _check_mode(bench, False, most)


def _check_mode(bench: Bench, training: bool, most: int) -> Iterator[GradientResult]:
    specimen = bench.specimen(training=training)
    inputs = tuple(x.copy() for x in bench.inputs)
    arrays = {bench.names[i]: inputs[i] for i in bench.differentiable}
    arrays |= {path: p.data for path, p in specimen.layer.params.items() if p.trainable}
    analytic = bench.reference(training).gradients
    for name, array in arrays.items():
        probe = _Probe(bench, specimen, inputs, array)
        yield _compare(probe, name, mode(training), analytic[name], most)


class _Probe:
    """The outputs as functions of one element of ``array``: an input's copy or a specimen's parameter."""

    def __init__(self, bench: Bench, specimen: Specimen, inputs: tuple[Array, ...], array: Array) -> None:
        self.bench, self.specimen, self.inputs, self.array = bench, specimen, inputs, array
        self.dy = _by_sample(tuple(np.asarray(d) for d in as_tuple(bench.dy) if d is not None))
        self.typical = float(np.abs(array).mean()) or 1.0

    def outputs(self, at: int, step: float) -> Array:
        """All outputs, a row for each sample, with element ``at`` moved by ``step``."""
        here = self.array.flat[at]
        self.array.flat[at] = here + step
        try:
            return _by_sample(tuple(y for y in self.specimen.forward(self.inputs) if is_float(y)))
        finally:
            self.array.flat[at] = here

    def step(self, at: int) -> float:
        return STEP * max(abs(float(self.array.flat[at])), self.typical)

    def slopes(self, at: int) -> Array:
        """Each output's derivative by element ``at``, from two forward passes."""
        h = self.step(at)
        return (self.outputs(at, h) - self.outputs(at, -h)) / (2 * h)

    def bounds(self, at: int, factor: float) -> tuple[float, float, float]:
        """Return the derivative to fourth order, and bounds if slopes to the left and right differ.

        At a kink any value between an output's two slopes is a subgradient of it. The one-sided slopes
        are of second order, so that mere curvature does not set them apart.
        """
        h = factor * self.step(at)
        y = {i: self.outputs(at, i * h) for i in (-2, -1, 0, 1, 2)}
        smooth = (8 * (y[1] - y[-1]) - (y[2] - y[-2])) / (12 * h)
        right = (4 * (y[1] - y[0]) - (y[2] - y[0])) / (2 * h) * self.dy
        left = (4 * (y[0] - y[-1]) - (y[0] - y[-2])) / (2 * h) * self.dy
        low, high = np.minimum(left, right).sum(), np.maximum(left, right).sum()
        return float((smooth * self.dy).sum()), float(low), float(high)


def _compare(probe: _Probe, name: str, mode_name: str, analytic: Array, most: int) -> GradientResult:
    size = analytic.size
    rng = np.random.default_rng(probe.bench.seed)
    where = np.arange(size) if size <= most else np.sort(rng.choice(size, most, replace=False))
    slopes = [probe.slopes(int(at)) for at in where]
    by_sample = np.array([(s * probe.dy).sum(axis=1) for s in slopes]).reshape(len(where), len(probe.dy))
    ignoring_dy = np.array([s.sum() for s in slopes])
    numeric, claimed = by_sample.sum(axis=1), analytic.ravel()[where]
    # The smaller of the two: a jump in the output would make the numeric gradient as large as one likes.
    scale = min(_largest(numeric), _largest(claimed))
    tolerance = RELATIVE * scale + ABSOLUTE
    errors = np.nan_to_num(np.abs(claimed - numeric), nan=np.inf)
    problem = ""
    smooth = np.ones(len(where), bool)
    for i in np.argsort(-errors, kind="stable"):
        if errors[i] <= tolerance:
            break
        verdict, closer = _look_closer(probe, int(where[i]), float(claimed[i]), tolerance)
        if verdict == "wrong":
            s = smooth
            evidence = Evidence(analytic, where[s], numeric[s], by_sample[s], ignoring_dy[s], probe.bench)
            at = index(np.unravel_index(where[i], analytic.shape))
            problem = f"{name}{at}: backward says {claimed[i]:.9g}, the numeric gradient is {numeric[i]:.9g}"
            problem += likely_cause(evidence)
            break
        smooth[i] = verdict == "right"
        numeric[i], errors[i] = closer, abs(claimed[i] - closer)
    kinks = int((~smooth).sum())
    if not problem and kinks > max(1, 0.1 * len(where)):
        problem = (
            f"{kinks} of {len(where)} elements of {name} lie on kinks, where no gradient can be compared; "
            f"pass an array that keeps away from them"
        )
    error = errors.max(initial=0.0) / (scale or 1.0)
    constant = not max(_largest(numeric), _largest(claimed)) > ABSOLUTE
    return GradientResult(name, mode_name, analytic.shape, len(where), kinks, float(error), constant, problem)


def _look_closer(probe: _Probe, at: int, claimed: float, tolerance: float) -> tuple[str, float]:
    """Say whether one element is right, on a kink or wrong; return the derivative that says so."""
    on_kink = True
    for factor in (*KINK_STEPS, *FURTHER_STEPS):
        try:
            numeric, low, high = probe.bounds(at, factor)
        except ValueError:  # so large a step leads out of what the layer takes
            continue
        if abs(claimed - numeric) <= tolerance:
            return "right", numeric
        if factor in KINK_STEPS:
            on_kink = on_kink and low - tolerance <= claimed <= high + tolerance
    return "kink" if on_kink else "wrong", claimed


def _largest(a: Array) -> float:
    return float(np.abs(a).max(initial=0.0))


def _by_sample(arrays: tuple[Array, ...]) -> Array:
    """Outputs side by side, a row for each sample; one row if they are not all one per sample."""
    rows = {len(a) if a.ndim else 1 for a in arrays}
    n = rows.pop() if len(rows) == 1 else 1
    if not arrays:  # the outputs are integers only
        return np.zeros((n, 0))
    return np.concatenate([a.reshape(n, -1) for a in arrays], axis=1)
