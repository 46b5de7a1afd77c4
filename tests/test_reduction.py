"""Reduce against sums of Python's floats."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, normal, samples_last

from handbrew.layers import Reduce, ShapeError

F = {"sum": float, "mean": float, "abs_sum": abs, "square_sum": lambda v: v * v}
SLOPE = {
    "sum": lambda v: 1.0,
    "mean": lambda v: 1.0,
    "abs_sum": lambda v: math.copysign(1.0, v),
    "square_sum": lambda v: 2 * v,
}


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    rank=st.integers(2, 4),
    operation=st.sampled_from(sorted(F)),
    scale=st.sampled_from([1.0, -2.5]),
    layout=layouts,
    dtype=floats,
    data=st.data(),
)
def test_reduce(shape, rank, operation, scale, layout, dtype, data):
    shape = shape[:rank]
    axis = data.draw(st.integers(1, rank - 1))
    x = normal(shape, dtype)
    layer = Reduce(operation, data.draw(st.sampled_from([axis, axis - rank])), scale)
    y = layer.forward(layout(x))
    dy = normal(y.shape, dtype, seed=1)
    dx = layer.backward(layout(dy))
    assert y.shape == shape[:axis] == (shape[0], *layer.out_shape)
    assert dx.shape == shape
    assert y.dtype == dx.dtype == dtype
    count = math.prod(shape[axis:]) if operation == "mean" else 1
    for at in np.ndindex(y.shape):
        expected = scale / count * math.fsum(F[operation](float(v)) for v in x[at].ravel())
        assert y[at] == pytest.approx(expected, rel=1e-5, abs=1e-5)
        for inner in np.ndindex(x[at].shape):
            slope = scale / count * SLOPE[operation](float(x[at][inner]))
            assert dx[at][inner] == pytest.approx(dy[at] * slope, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("layout", [np.copy, samples_last])
def test_long_sums_in_float32_lose_little(layout):
    """Summed one by one, as many equal numbers would be wrong in the fourth digit."""
    x = layout(np.full((2, 64, 32, 32), 0.1, np.float32))
    np.testing.assert_allclose(Reduce().forward(x), 64 * 32 * 32 * float(x[0, 0, 0, 0]), rtol=1e-5)


def test_a_mean_of_squares_is_two_layers():
    x = normal((3, 4))
    np.testing.assert_allclose(Reduce("square_sum", scale=1 / 4).forward(x), (x**2).mean(axis=1))


@pytest.mark.parametrize("operation", ["sum", "square_sum"])
def test_sizes_may_change_from_batch_to_batch(operation):
    layer = Reduce(operation, axis=2)
    for shape in ((2, 3, 4, 5), (1, 2, 7, 1), (4, 3, 6)):
        assert layer.backward(layer.forward(normal(shape))).shape == shape


def test_axes_and_operations_that_there_are_not():
    with pytest.raises(ShapeError, match="Reduce: axis 0 is the sample, which every layer keeps"):
        Reduce(axis=0)
    for axis in (3, -3):
        with pytest.raises(ShapeError, match=rf"Reduce: axis {axis} is beyond an input of shape \(3, 4\)"):
            Reduce(axis=axis).forward(normal((2, 3, 4)))
    with pytest.raises(
        ValueError, match="Reduce: operation: expected one of sum, mean, abs_sum, square_sum, got 'max'"
    ):
        Reduce("max")


def test_flops_and_repr():
    layer = Reduce()
    layer.build((3, 4))
    assert layer.flops() == 12
    assert repr([layer, Reduce("mean", axis=2), Reduce("abs_sum", scale=0.5)]) == (
        "[Reduce(), Reduce(operation='mean', axis=2), Reduce(operation='abs_sum', scale=0.5)]"
    )


def test_bytes_do_not_overflow():
    y = Reduce("square_sum").forward(np.full((1, 4), 200, np.uint8))
    assert y.dtype == np.float32
    assert y.tolist() == [160_000]


def test_the_mean_of_nothing_and_a_gradient_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="the mean of no numbers"):
        Reduce("mean").forward(np.zeros((2, 0), np.float32))
    layer = Reduce("sum", axis=2)
    layer.forward(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ShapeError, match=r"forward returned shape \(2, 3\), but dy has shape \(2, 1\)"):
        layer.backward(np.zeros((2, 1), np.float32))


def test_options_may_be_set_later():
    layer, x = Reduce(), normal((2, 3, 4))
    assert layer.backward_uses == ()
    layer.operation, layer.axis = "square_sum", 2
    assert layer.backward_uses == ("input",)
    same = Reduce("square_sum", axis=2)
    np.testing.assert_array_equal(layer.forward(x), same.forward(x))
    np.testing.assert_array_equal(layer.backward(np.ones((2, 3))), same.backward(np.ones((2, 3))))
