"""Affine against loops, and its errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.layers import Affine, DTypeError, Orthogonal, ShapeError


def affine_by_loops(x, W, b):
    """Every product of every sum by itself."""
    y = np.zeros((*x.shape[:-1], W.shape[1]))
    for at in np.ndindex(*x.shape[:-1]):
        for k in range(W.shape[1]):
            total = float(b[k]) if b is not None else 0.0
            for j in range(W.shape[0]):
                total += float(x[(*at, j)]) * float(W[j, k])
            y[(*at, k)] = total
    return y


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=2),
    st.integers(1, 5),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([(np.float32, 1e-5), (np.float64, 1e-13)]),
    st.booleans(),
)
def test_forward_is_the_sum_of_products(leading, n, m, bias, precision, fortran):
    dtype, tolerance = precision
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*leading, n)).astype(dtype)
    x = np.asfortranarray(x) if fortran else x
    layer = Affine(m, bias=bias).astype(dtype)
    layer.build(x.shape[1:])
    if bias:
        layer.b.data = rng.normal(size=m)
    y = layer.forward(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(
        y, affine_by_loops(x, layer.W.data, layer.b.data if bias else None), rtol=tolerance, atol=tolerance
    )


def test_shapes_and_operations():
    layer = Affine(3)
    assert layer.build((7, 4)) == (7, 3)
    assert layer.W.shape == (4, 3)
    assert layer.flops() == 7 * (2 * 4 * 3 + 3)
    assert Affine(3, bias=False).build(4) == (3,)
    assert list(layer.params) == ["W", "b"]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5)), r"Affine: expected 4 features, got input of shape \(2, 5\); did the data change"),
        (
            np.zeros(4),
            r"Affine: expected 4 features, got input of shape \(4,\); a single sample is x\[None, :\]",
        ),
        (np.zeros((2, 3, 5)), r"expected 4 features, got input of shape \(2, 3, 5\)"),
        (np.zeros((2, 1, 2, 2)), r"got input of shape \(2, 1, 2, 2\); images need a Flatten\(\) before it"),
    ],
)
def test_wrong_input(x, message):
    layer = Affine(3)
    layer.build(4)
    with pytest.raises(ShapeError, match=message):
        layer.forward(x)


def test_images_are_refused_at_build_too():
    with pytest.raises(ShapeError, match=r"got images of shape \(1, 8, 8\); put a Flatten\(\) before"):
        Affine(3).forward(np.zeros((2, 1, 8, 8)))
    with pytest.raises(ShapeError, match="a single sample is"):
        Affine(3).forward(np.zeros(4))
    with pytest.raises(ShapeError, match="out_features: expected an integer of at least 1, got 0"):
        Affine(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, bool])
def test_the_parameters_decide_the_dtype(dtype):
    layer = Affine(3)
    y = layer.forward(np.ones((2, 4), dtype))
    assert y.dtype == np.float32
    assert layer.backward(y).dtype == np.float32
    np.testing.assert_array_equal(y, layer.forward(np.ones((2, 4), np.float32)))


def test_integers_are_not_taken_for_quantities():
    with pytest.raises(DTypeError, match=r"got int64; if these are quantities, pass x\.astype\(np\.float32\)"):
        Affine(3).forward(np.ones((2, 4), np.int64))


def test_frozen_parameters_get_no_gradient():
    layer = Affine(3)
    x = np.ones((2, 4), np.float32)
    y = layer.forward(x)
    layer.W.trainable = False
    layer.backward(y)
    assert layer.W.fresh
    np.testing.assert_allclose(layer.b.grad, y.sum(axis=0), rtol=1e-6)


def test_no_input_gradient_where_none_is_wanted():
    layer = Affine(3)
    y = layer.forward(np.ones((2, 4), np.float32))
    layer.input_grad = False
    assert layer.backward(y) is None
    assert not layer.W.fresh
    y = layer.forward(np.ones((2, 5, 4), np.float32))
    assert layer.backward(y) is None


def test_a_subclass_is_applied_once_to_sequences():
    class Twice(Affine):
        def forward(self, x):
            return 2 * super().forward(x)

        def backward(self, dy):
            return super().backward(2 * dy)

    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    twice, once = Twice(3), Affine(3)
    y = once.forward(x)
    np.testing.assert_array_equal(twice.forward(x), 2 * y)
    np.testing.assert_allclose(twice.backward(y), 2 * once.backward(y), rtol=1e-6)
    np.testing.assert_allclose(twice.W.grad, 2 * once.W.grad, rtol=1e-6)


@pytest.mark.parametrize("out", [2, 4, 9])
def test_an_initialiser_may_return_any_memory_order(out):
    layer = Affine(out, weight_init=Orthogonal())
    layer.backward(layer.forward(np.ones((2, 4), np.float32)))
    assert layer.W.data.flags.c_contiguous
    assert layer.W.grad.shape == (4, out)


def test_a_float64_gradient_from_outside_is_cast():
    layer = Affine(3)
    layer.forward(np.ones((2, 4), np.float32))
    assert layer.backward(np.ones((2, 3))).dtype == np.float32


def test_the_input_size_is_not_an_argument():
    with pytest.raises(TypeError, match="bias is True or False, got 4; only the number of outputs is given"):
        Affine(3, 4)
    with pytest.raises(ShapeError, match="expected an integer of at least 1, got '3'"):
        Affine("3")
