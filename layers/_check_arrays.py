"""``check_layer``'s rules on the arrays that go in and come out, one function each.

A check yields what is wrong: what happened, what was expected, what came, the likely fix. It raises
``NotApplicableError`` where it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._check_bench import Bench
from ._check_specimen import NotApplicableError, Pass, Specimen, as_tuple, difference, is_float
from .errors import DTypeError, LabelError, ShapeError
from .param import Array

SINGLE = 1e-3  # how far float32 may be from float64, relative to the largest element


def arguments(bench: Bench) -> Iterator[str]:
    """No argument and no parameter is written to, so read-only ones do."""
    specimen = bench.specimen()
    specimen.forward()
    written = [f"forward writes into {name}" for name in _changed(bench, specimen)]
    if not written:
        specimen.backward()
        written = [f"backward writes into {name}" for name in _changed(bench, specimen)]
        same = map(np.array_equal, specimen.given_dy, as_tuple(bench.dy))
        written += [] if all(same) else ["backward writes into dy"]
    yield from (f"{what}; make a new array instead, or work on a copy" for what in written)
    if not written and (wrong := difference(bench.reference(), bench.specimen().run(layout=_read_only))):
        yield f"with read-only arguments, {wrong}"


def layouts(bench: Bench) -> Iterator[str]:
    """Arguments that are not contiguous, or in Fortran order, give the same result."""
    for name, layout in (("in Fortran order", _fortran), ("that are not contiguous", _strided)):
        if wrong := difference(bench.reference(), bench.specimen().run(layout=layout)):
            yield f"with arguments {name}, {wrong}; ravel() and reshape() may give a copy instead of a view"


def dtypes(bench: Bench) -> Iterator[str]:
    """float64 stays float64, float32 stays float32, and they agree."""
    training = not bench.random  # what is drawn may depend on the dtype
    for dtype in (np.float64, np.float32):
        specimen = bench.specimen(dtype, training)
        got = specimen.run()
        yield from (
            f"{np.dtype(dtype)} in, {what} out; NumPy scalars such as np.sqrt(2) are float64: "
            f"use math.sqrt(2), float(…) or x.dtype.type(…), and make arrays with dtype=x.dtype"
            for what in _of_other_dtype(specimen)
        )
    if wrong := difference(bench.reference(training), got, SINGLE):
        yield f"float32 strays from float64: {wrong}"


def empty_batch(bench: Bench) -> Iterator[str]:
    """A batch of no samples gives empty arrays and no gradient; coupled samples may refuse it, by name."""
    inputs, dy = bench.take(slice(0, 0))
    for training in (True, False):
        try:
            got = bench.specimen(training=training).run(inputs, dy)
        except (ShapeError, LabelError, DTypeError):
            if not bench.coupled:
                raise
            continue
        for y, full in zip(got.outputs, bench.output, strict=True):
            expected = (0, *full.shape[1:]) if y.ndim else ()
            if y.shape != expected:
                yield f"an empty batch: expected an output of shape {expected}, got {y.shape}"
        if not _finite(got):
            yield "an empty batch gives numbers that are not finite: a mean of nothing?"
        elif any(g.any() for g in got.gradients.values()):
            yield "an empty batch gives a gradient that is not zero"


def single_samples(bench: Bench) -> Iterator[str]:
    """Samples one by one give what they give together."""
    count = bench.count()
    if count < 2:
        raise NotApplicableError("the inputs hold one sample")
    batches = [bench.take(slice(i, i + 1)) for i in range(count)]
    specimen = bench.specimen(training=not bench.random)
    if bench.coupled:
        try:
            specimen.run(*batches[0])
        except (ShapeError, LabelError):
            raise NotApplicableError("samples are coupled, and a single one is refused") from None
        raise NotApplicableError("samples are coupled")
    passes = [specimen.run(*batch) for batch in batches]
    outputs = tuple(np.concatenate(ys) for ys in zip(*(p.outputs for p in passes), strict=True))
    gradients: dict[str, Array] = {}
    for name in passes[0].gradients:
        each = [p.gradients[name] for p in passes]
        gradients[name] = np.sum(each, axis=0) if name in bench.layer.params else np.concatenate(each)
    if wrong := difference(bench.reference(not bench.random), Pass(outputs, gradients)):
        yield f"samples one by one give something else: {wrong}; if that is meant, set batch_coupled = True"


def large_inputs(bench: Bench) -> Iterator[str]:
    """Inputs of ±100 neither overflow nor warn in float32."""
    inputs = tuple(100 * np.sign(x) if i in bench.scalable else x for i, x in enumerate(bench.inputs))
    fix = "subtract a maximum, use np.tanh or np.logaddexp; large_inputs=False if that is meant"
    for training in (True, False):
        try:
            got = bench.specimen(np.float32, training).run(inputs)
        except LabelError:
            raise NotApplicableError("inputs of ±100 are refused") from None
        except RuntimeWarning as warning:
            yield f"inputs of ±100: {warning}; {fix}"
            return
        if not _finite(got):
            yield f"inputs of ±100 give numbers that are not finite; {fix}"
            return


def _changed(bench: Bench, specimen: Specimen) -> list[str]:
    pairs = zip(bench.names, specimen.given, bench.inputs, strict=True)
    changed = [name for name, now, before in pairs if not np.array_equal(now, before)]
    params = specimen.layer.params.items()
    return changed + [name for name, p in params if not np.array_equal(p.data, bench.layer.params[name].data)]


def _of_other_dtype(specimen: Specimen) -> Iterator[str]:
    wanted = specimen.layer.dtype
    results: list[tuple[str, Any]] = [("output", y) for y in as_tuple(specimen.output)]
    results += [("input gradient", dx) for dx in as_tuple(specimen.answer)]
    for name, result in results:
        if isinstance(result, np.ndarray) and is_float(result) and result.dtype != wanted:
            yield f"{name} of {result.dtype}"


def _finite(result: Pass) -> bool:
    return all(np.isfinite(a).all() for a in (*result.outputs, *result.gradients.values()))


def _read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def _fortran(x: Array) -> Array:
    return np.array(x, order="F")


def _strided(x: Array) -> Array:
    """Every second element, along every axis, of a larger array."""
    view = np.zeros([2 * n for n in x.shape], x.dtype)[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view
