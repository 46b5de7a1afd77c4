"""``check_layer``'s rules on what forward and backward may do to each other, one function each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._check_bench import Bench
from ._check_specimen import (
    NotApplicableError,
    Pass,
    Specimen,
    as_tuple,
    difference,
    difference_of,
    is_float,
    mode,
    outputs,
)
from .inference import inference


def repeatability(bench: Bench) -> Iterator[str]:
    """Two forward passes from the same start are equal."""
    for training in (True, False):
        specimen = bench.specimen(training=training)
        if wrong := difference(Pass(specimen.forward(), {}), Pass(specimen.forward(), {})):
            yield (
                f"two equal forward passes in {mode(training)} differ, {wrong}; draw random numbers from "
                f"self.rng only, not np.random, keep state in self.buffer(…), and change no parameter"
            )


def accumulation(bench: Bench) -> Iterator[str]:
    """Gradients are added to what is there; backward may run twice after one forward."""
    specimen = bench.specimen()
    params = {name: p for name, p in specimen.layer.params.items() if p.trainable}
    for i, p in enumerate(params.values()):
        p.grad += i + 1
    specimen.forward()
    before, once, twice = specimen.parameter_gradients(), specimen.backward(), specimen.backward()
    for name, gradient in bench.reference().gradients.items():
        if name not in params:
            if wrong := difference_of(f"the gradient of {name}", gradient, twice[name]):
                yield f"backward a second time after one forward: {wrong}; leave the cache as it is"
        elif not difference_of(name, gradient, once[name]):
            yield f"{name}.grad is overwritten; add to it, by {name}.add_grad(g) or {name}.grad += g"
        elif wrong := difference_of(f"{name}.grad", before[name] + gradient, once[name]):
            yield f"on top of a gradient that is there: {wrong}"
        elif wrong := difference_of(f"{name}.grad", before[name] + 2 * gradient, twice[name]):
            yield f"backward a second time after one forward: {wrong}, which is twice the gradient"


def stale_cache(bench: Bench) -> Iterator[str]:
    """Backward belongs to the last forward, whatever came before; an earlier output stays as it is."""
    if bench.count() < 2:
        raise NotApplicableError("the inputs hold one sample")
    fix = "let forward set what backward needs in self.cache each time, in both modes"
    other = bench.other_inputs()
    for what, inputs in (("other values", other), ("fewer samples", tuple(x[1:] for x in other))):
        specimen = bench.specimen()
        first = specimen.forward(inputs)
        output = specimen.output
        if wrong := difference(bench.reference(), specimen.run()):
            yield f"after an earlier forward of {what}, {wrong}; {fix}"
        if wrong := difference(Pass(first, {}), Pass(outputs(output), {})):
            yield f"a second forward writes into what the first returned: {wrong}; return a new array"
    for training in (True, False):
        specimen = bench.specimen(training=not training)
        specimen.forward(other)
        specimen.layer.train(training)
        if wrong := difference(bench.reference(training), specimen.run()):
            yield f"in {mode(training)}, after a forward in {mode(not training)}, {wrong}; {fix}"
    if wrong := difference(Specimen(bench, bench.fresh()).run(other), bench.specimen().run(other)):
        yield f"after earlier forwards, unlike in a new layer, {wrong}; {fix}"


def scratch_cache(bench: Bench) -> Iterator[str]:
    """A prediction between forward and backward changes nothing: all that forward keeps is in the cache."""
    if bench.count() < 2:
        raise NotApplicableError("the inputs hold one sample")
    specimen = bench.specimen()
    result = specimen.forward()
    specimen.layer.zero_grad()
    with inference(specimen.layer):
        specimen.layer.forward(*(x[::-1] for x in bench.other_inputs()))
    if wrong := difference(bench.reference(), Pass(result, specimen.backward())):
        yield f"a prediction between forward and backward changes {wrong}; keep what backward needs in self.cache"


def tied_copies(bench: Bench) -> Iterator[str]:
    """Twins share their parameters, add up their gradients, and have a cache each."""
    layer = bench.unbuilt()
    twin = bench.placed(layer.tied())
    for each in (twin, layer):
        Specimen(bench, each).forward()
    if [*map(id, layer.params.values())] != [*map(id, twin.params.values())]:
        yield (
            "copies tied before build have different parameters; make arrays in build, by self.param(…), and "
            "child layers in __init__"
        )
        return
    one = bench.specimen()
    two = Specimen(bench, bench.placed(one.layer.tied()))
    alone = one.run(), two.run(bench.other_inputs())
    one.layer.zero_grad()
    one.forward()
    two.forward(bench.other_inputs())
    of_two, of_one = two.backward(), one.backward()  # by now with the gradients of both
    params = {name for name, p in one.layer.params.items() if p.trainable}
    for expected, got in zip(alone, (of_one, of_two), strict=True):
        inputs = {name: gradient for name, gradient in expected.gradients.items() if name not in params}
        if wrong := difference(Pass((), inputs), Pass((), got)):
            yield f"a tied copy disturbs the other's backward: {wrong}; cache in self.cache only"
    total = {name: alone[0].gradients[name] + alone[1].gradients[name] for name in params}
    if wrong := difference(Pass((), total), Pass((), of_one)):
        yield f"the gradients of tied copies do not add up: {wrong}"


def evaluation(bench: Bench) -> Iterator[str]:
    """Forward changes no buffer in evaluation mode."""
    specimen = bench.specimen(training=False)
    specimen.forward()
    for name, buffer in specimen.layer.buffers.items():
        if wrong := difference_of(name, bench.layer.buffers[name].data, buffer.data):
            yield f"forward changes a buffer in evaluation mode, {wrong}; ask for self.training first"


def frozen(bench: Bench) -> Iterator[str]:
    """Frozen parameters and an unwanted input gradient change nothing else."""
    reference, layer = bench.reference(), bench.layer
    specimen = bench.specimen()
    for p in specimen.layer.params.values():
        p.trainable = False
    inputs = {name: gradient for name, gradient in reference.gradients.items() if name not in layer.params}
    if wrong := difference(reference._replace(gradients=inputs), specimen.run()):
        yield f"with all parameters frozen (trainable = False), {wrong}"
    specimen = bench.specimen()
    specimen.layer.input_grad = False
    specimen.forward()
    specimen.call_backward()
    for name, gradient in specimen.parameter_gradients().items():
        if wrong := difference_of(f"{name}.grad", reference.gradients[name], gradient):
            yield f"with input_grad = False, {wrong}"


def declared_uses(bench: Bench) -> Iterator[str]:
    """Backward reads no more of the input and the output than ``backward_uses`` declares."""
    uses = bench.layer.backward_uses
    specimen = bench.specimen()
    specimen.forward()
    given, returned = specimen.given, as_tuple(specimen.output)
    unread: list[Any] = [] if "input" in uses else [*given]
    if "output" not in uses:
        own = [y for y in returned if not any(np.shares_memory(x, y) for x in given)]
        unread += own if "input" in uses else returned
    for array in unread:
        if isinstance(array, np.ndarray) and is_float(array) and array.flags.writeable:
            array.fill(np.nan)
    result = Pass(bench.reference().outputs, specimen.backward())
    if wrong := difference(bench.reference(), result):
        yield f"backward_uses = {uses!r}, but backward reads more, or the cache holds a view of it: {wrong}"
