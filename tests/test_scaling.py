"""Scale and Bias against loops over the elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import layouts, normal

from handbrew.layers import Bias, Constant, Normal, Scale, ShapeError


def naive(x, w, b, dy, axis):
    """y, dx, dw and db, one element at a time; w and b stand for the axes from ``axis`` on."""
    y, dx, dw, db = np.zeros_like(x), np.zeros_like(x), np.zeros_like(w), np.zeros_like(w)
    for at in np.ndindex(x.shape):
        own = at[axis : axis + w.ndim]
        y[at] = x[at] * w[own] + b[own]
        dx[at] = dy[at] * w[own]
        dw[own] += dy[at] * x[at]
        db[own] += dy[at]
    return y, dx, dw, db


SHAPES = st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple)


@given(shape=SHAPES, layout=layouts, data=st.data())
def test_learned_against_a_loop(shape, layout, data):
    axis = data.draw(st.integers(1, len(shape) - 1))
    num_axes = data.draw(st.sampled_from([-1, *range(len(shape) - axis + 1)]))
    given_axis = data.draw(st.sampled_from([axis, axis - len(shape)]))
    x, dy = layout(normal(shape)), layout(normal(shape, seed=1))
    layer = Scale(given_axis, num_axes, True, Normal(1.0, 1.0), Normal(1.0, 1.0)).astype(np.float64)
    got = layer.forward(x)
    y, dx, dw, db = naive(x, layer.W.data, layer.b.data, dy, axis)
    assert layer.W.shape == (shape[axis:] if num_axes == -1 else shape[axis : axis + num_axes])
    np.testing.assert_allclose(got, y, rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-12)
    np.testing.assert_allclose(layer.W.grad, dw, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.b.grad, db, rtol=1e-10, atol=1e-12)
    bias = Bias(given_axis, num_axes, Normal(1.0, 1.0)).astype(np.float64)
    got = bias.forward(x)
    y, dx, _, db = naive(x, np.ones_like(bias.b.data), bias.b.data, dy, axis)
    np.testing.assert_allclose(got, y, rtol=1e-12)
    np.testing.assert_allclose(bias.backward(dy), dx)
    np.testing.assert_allclose(bias.b.grad, db, rtol=1e-10, atol=1e-12)


@given(shape=SHAPES, layout=layouts, data=st.data())
def test_two_inputs_against_a_loop(shape, layout, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    w_shape = shape[axis : data.draw(st.integers(axis, len(shape)))]
    x, w, dy = layout(normal(shape)), normal(w_shape, seed=1), layout(normal(shape, seed=2))
    w = layout(w) if w.ndim else w
    y, dx, dw, db = naive(x, w, np.zeros_like(w), dy, axis)
    layer = Scale(axis).astype(np.float64)
    np.testing.assert_allclose(layer.forward(x, w), y)
    got = layer.backward(dy)
    np.testing.assert_allclose(got[0], dx)
    np.testing.assert_allclose(got[1], dw, rtol=1e-10, atol=1e-12)
    assert not layer.params
    bias = Bias(axis).astype(np.float64)
    np.testing.assert_allclose(bias.forward(x, w), naive(x, np.ones_like(w), w, dy, axis)[0])
    got = bias.backward(dy)
    np.testing.assert_allclose(got[0], dy)
    np.testing.assert_allclose(got[1], db, rtol=1e-10, atol=1e-12)


def test_a_learned_bias_beside_a_second_input():
    layer = Scale(1, bias=True, bias_init=Constant(2.0))
    y = layer.forward(np.ones((2, 3, 4), np.float32), np.full((3, 4), 5, np.float32))
    assert (y == 7).all()
    assert list(layer.params) == ["b"]
    assert layer.b.shape == (3, 4)


def test_initial_values_are_one_and_zero():
    x = normal((2, 3), np.float32)
    np.testing.assert_array_equal(Scale(bias=True).forward(x), x)
    np.testing.assert_array_equal(Bias().forward(x), x)


def test_what_does_not_fit_is_refused():
    for make in (Scale, Bias):
        name = make.__name__
        with pytest.raises(ShapeError, match=f"{name}: expected axis 2 and 2 axes .* got input of shape"):
            make(2, 2).build((3, 4))
        with pytest.raises(ShapeError, match=r"for each sample is no use"):
            make(0).build((3, 4))
        layer = make()
        layer.forward(np.ones((2, 3, 4), np.float32))
        with pytest.raises(ShapeError, match=rf"{name}: .* axes from 1 on are \(3,\), got shape \(2, 4, 3\)"):
            layer.forward(np.ones((2, 4, 3), np.float32))
        with pytest.raises(ShapeError, match=r"axes from 1 on are \(3, 1\)"):
            make().forward(np.ones((2, 3), np.float32), np.ones((3, 1), np.float32))
        with pytest.raises(ShapeError, match=r"axes from -3 on are \(2,\)"):
            make(-3).forward(np.ones((2, 3), np.float32), np.ones(2, np.float32))
        for arguments in ((1.0, 1), (1, -2), (1, None)):
            with pytest.raises(ShapeError, match=f"{name}: (axis|num_axes): expected an integer"):
                make(*arguments)


def test_no_work_for_what_nobody_wants():
    layer = Scale(bias=True)
    layer.forward(np.ones((2, 3), np.float32))
    layer.trainable = layer.input_grad = False
    assert layer.backward(np.ones((2, 3), np.float32)) is None
    assert not layer.W.grad.any()
    assert not layer.b.grad.any()


def test_flops():
    for layer, times in ((Scale(), 1), (Scale(bias=True), 2), (Bias(), 1)):
        layer.build((3, 4))
        assert layer.flops() == times * 12
