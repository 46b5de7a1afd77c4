"""Gradients of the layers for ONNX operators."""

import numpy as np
import pytest
from cases_onnx import ANY, BATCHES

from handbrew.layers import check_layer


@pytest.mark.parametrize(("name", "make", "inputs"), BATCHES, ids=[case[0] for case in BATCHES])
def test_keeps_the_contract(name, make, inputs):
    check_layer(make(), *inputs)


def several(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(("name", "make", "inputs"), ANY, ids=[case[0] for case in ANY])
def test_gradients(name, make, inputs):
    """Central differences of a random mix of the outputs."""
    inputs = [x.copy() for x in inputs]
    layer = make().astype(np.float64).eval()
    rng = np.random.default_rng(3)
    outputs = several(layer.forward(*inputs))
    mix = [rng.standard_normal(y.shape) if y.dtype.kind == "f" else None for y in outputs]
    # What has no gradient is left out: statistics beside the normalised output, say.
    silent = {"batchnorm-batch": 1}.get(name, len(mix))
    mix = [m if m is None or i < silent else 0 * m for i, m in enumerate(mix)]

    def total():
        return sum((m * y).sum() for m, y in zip(mix, several(layer.forward(*inputs)), strict=True) if m is not None)

    before = [x.copy() for x in inputs]
    total()
    grads = several(layer.backward(tuple(mix) if len(mix) > 1 else mix[0]))
    again = several(layer.backward(tuple(mix) if len(mix) > 1 else mix[0]))
    assert len(grads) == len(inputs)
    for x, old, grad, twice in zip(inputs, before, grads, again, strict=True):
        np.testing.assert_array_equal(x, old)
        if x.dtype.kind != "f":
            assert grad is None
            continue
        if grad is None:  # given statistics, sizes, the value of a border, or what a class counts for
            assert name.startswith(("batchnorm", "pad-inputs", "resize-inputs", "likelihood", "cross-entropy"))
            continue
        assert grad.shape == x.shape
        np.testing.assert_array_equal(grad, twice)
        numeric = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            was, values = x[at], []
            for step in (1e-5, -1e-5):
                x[at] = was + step
                values.append(total())
            x[at] = was
            numeric[at] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(grad, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "make", "inputs"), ANY, ids=[case[0] for case in ANY])
def test_float32_stays_float32(name, make, inputs):
    inputs = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in inputs]
    layer = make()
    outputs = several(layer.forward(*inputs))
    assert {y.dtype for y in outputs if y.dtype.kind == "f"} == {np.dtype(np.float32)}
    dys = tuple(np.ones_like(y) if y.dtype.kind == "f" else None for y in outputs)
    grads = several(layer.backward(dys if len(dys) > 1 else dys[0]))
    assert {g.dtype for g in grads if g is not None} == {np.dtype(np.float32)}
