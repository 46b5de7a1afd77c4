"""CaffeReduction and CaffeArgMax against loops."""

import math

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import ShapeError, check_layer
from handbrew.nets.caffe.reducing import CaffeArgMax, CaffeReduction

FUNCTIONS = {"SUM": float, "MEAN": float, "ASUM": abs, "SUMSQ": lambda x: x * x}


@pytest.mark.parametrize("operation", FUNCTIONS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_reduction(operation, axis):
    x = normal((4, 3, 5))
    layer = CaffeReduction(operation, axis, coeff=-0.5).astype(np.float64)
    y, at = layer.forward(x), axis % 3
    assert y.shape == x.shape[:at]
    assert layer.build(x.shape[1:]) == y.shape[1:]
    for index in np.ndindex(y.shape):
        total = sum(FUNCTIONS[operation](value) for value in x[index].ravel().tolist())
        count = math.prod(x.shape[at:]) if operation == "MEAN" else 1
        assert y[index] == pytest.approx(-0.5 * total / count)
    check_layer(CaffeReduction(operation, axis, 1.5), (3, 5))


def test_all_of_a_batch_is_one_number_of_the_layers_dtype():
    layer = CaffeReduction("MEAN")
    y = layer.forward(np.full((2, 3), 4, np.float32))
    assert isinstance(y, np.ndarray)
    assert (y.shape, y.dtype, y.item()) == ((), np.float32, 4)
    np.testing.assert_allclose(layer.backward(3.0), np.full((2, 3), 0.5))
    assert layer.backward(3.0).dtype == np.float32
    assert layer.flops() == 3
    assert CaffeReduction("MEAN").forward(np.ones((0, 3), np.float32)) == 0


def test_reductions_that_are_none():
    with pytest.raises(ValueError, match="CaffeReduction: expected one of SUM, ASUM, SUMSQ, MEAN, got 'MAX'"):
        CaffeReduction("MAX")
    layer = CaffeReduction("SUM", 1)
    with pytest.raises(ShapeError, match="axis 2 is beyond an input of 2 axes"):
        CaffeReduction("SUM", 2).forward(normal((2, 3)))
    layer.forward(normal((2, 3)))
    with pytest.raises(ShapeError, match="but dy has shape"):
        layer.backward(normal((2, 3)))


def best(numbers, k):
    """Caffe's order: the largest pairs (value, index)."""
    return sorted(((value, i) for i, value in enumerate(numbers)), reverse=True)[:k]


@pytest.mark.parametrize("k", [1, 3])
def test_arg_max_of_a_sample(k):
    x = np.round(normal((4, 3, 5), np.float32))  # with ties
    indices, both = CaffeArgMax(k).forward(x), CaffeArgMax(k, out_max_val=True).forward(x)
    assert (indices.shape, both.shape, indices.dtype) == ((4, 1, k), (4, 2, k), np.float32)
    for n in range(4):
        expected = best(x[n].ravel().tolist(), k)
        assert indices[n, 0].tolist() == both[n, 0].tolist() == [i for _, i in expected]
        assert both[n, 1].tolist() == [value for value, _ in expected]
    assert CaffeArgMax(k).build((3, 5)) == (1, k)
    assert CaffeArgMax(k, True).build((3, 5)) == (2, k)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_arg_max_along_an_axis(k, axis):
    x = np.round(normal((4, 3, 5), np.float32))
    indices, values = CaffeArgMax(k, axis=axis).forward(x), CaffeArgMax(k, True, axis).forward(x)
    lines, indices, values = (np.moveaxis(a, axis, -1) for a in (x, indices, values))
    for at in np.ndindex(lines.shape[:-1]):
        expected = best(lines[at].tolist(), k)
        assert indices[at].tolist() == [i for _, i in expected]
        assert values[at].tolist() == [value for value, _ in expected]
    assert CaffeArgMax(k, axis=axis).build((3, 5)) == {0: (3, 5), 1: (k, 5), -1: (3, k)}[axis]


@pytest.mark.parametrize("layer", [CaffeArgMax(2), CaffeArgMax(2, axis=1)])
def test_indices_have_no_gradient(layer):
    check_layer(layer, (3, 2), allow_constant=("x",))


@pytest.mark.parametrize("layer", [CaffeArgMax(2, True), CaffeArgMax(2, True, 1), CaffeArgMax(1, True, axis=0)])
def test_values_have_one(layer):
    check_layer(layer, (3, 2))


def test_arg_max_of_too_few():
    with pytest.raises(ShapeError, match="CaffeArgMax: top_k: expected an integer of at least 1, got 0"):
        CaffeArgMax(0)
    for layer in (CaffeArgMax(7), CaffeArgMax(7, axis=1)):
        with pytest.raises(ShapeError, match=r"at least 7 numbers to choose from, got [63]"):
            layer.forward(normal((2, 3, 2)))
        with pytest.raises(ShapeError, match="at least 7 numbers"):
            layer.build((3, 2))
