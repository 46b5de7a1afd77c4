"""Add and Concat."""

import numpy as np
import pytest

from handbrew.layers import Add, Concat, ShapeError

A, B, C = (np.random.default_rng(i).normal(size=(2, 3, 4)).astype(np.float32) for i in range(3))


def test_add():
    layer = Add()
    y = layer.forward(A, B, C)
    for at in np.ndindex(y.shape):
        assert y[at] == pytest.approx(float(A[at]) + float(B[at]) + float(C[at]), rel=1e-5, abs=1e-6)
    assert len(layer.backward(y)) == 3
    assert all(dx is y for dx in layer.backward(y))


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_concat(axis):
    at = axis % 3
    parts = [A, B[:, :2] if at == 1 else B[..., :2], C]
    layer = Concat(axis)
    y = layer.forward(*parts)
    offset = 0
    for part in parts:
        for where in np.ndindex(part.shape):
            shifted = list(where)
            shifted[at] += offset
            assert y[tuple(shifted)] == part[where]
        offset += part.shape[at]
    assert y.shape[at] == offset
    assert layer.out_shape == y.shape[1:]
    for part, dx in zip(parts, layer.backward(y), strict=True):
        np.testing.assert_array_equal(dx, part)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (Add(), ((3,), (4,)), r"Add: expected inputs of one shape, got \(3,\), \(4,\)"),
        (Add(), (3,), "Add: expected two inputs or more"),
        (Concat(), ((3, 4), (3, 5)), r"Concat: expected inputs that differ on axis 1 only"),
        (Concat(3), ((3, 4), (3, 5)), r"axis 3 is beyond an input of shape \(3, 4\)"),
        (Concat(1), ((), ()), r"axis 1 is beyond"),
    ],
)
def test_inputs_that_do_not_fit(layer, shapes, message):
    with pytest.raises(ShapeError, match=message):
        layer.build(shapes)


def test_the_sample_axis_is_not_for_concatenation():
    with pytest.raises(ShapeError, match="axis 0 is the sample"):
        Concat(0)


@pytest.mark.parametrize("other", [(1, 3, 4), (2, 1, 4), (2, 3, 1)])
def test_add_never_broadcasts(other):
    layer = Add()
    layer.forward(A, B)
    with pytest.raises(ShapeError, match="Add: expected inputs of one shape"):
        layer.forward(A, np.ones(other, np.float32))
