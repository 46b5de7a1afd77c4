"""MaxUnpool2D against a loop, and as the way back from MaxPool2D."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, normal

from handbrew.layers import DTypeError, MaxPool2D, MaxUnpool2D, ShapeError


@given(
    shape=st.tuples(st.integers(0, 3), *(st.integers(1, 4),) * 3),
    layout=layouts,
    dtype=floats,
    order=st.sampled_from("CF"),
    seed=st.integers(0, 99),
)
def test_against_a_loop(shape, layout, dtype, order, seed):
    n, c, h, w = shape
    rng = np.random.default_rng(seed)
    x, indices = layout(normal(shape, dtype)), np.array(rng.integers(0, 4 * h * w, shape), order=order)
    layer = MaxUnpool2D(2)
    y, dy = layer.forward(x, indices), normal((n, c, 2 * h, 2 * w), dtype, seed)
    dx, nothing = layer.backward(dy)
    assert nothing is None
    assert y.dtype == dx.dtype == dtype
    expected, expected_dx = np.zeros((n, c, 4 * h * w)), np.zeros(shape)
    for at in np.ndindex(*shape):
        expected[*at[:2], indices[at]] = x[at]
    for at in np.ndindex(*shape):
        later = [other for other in np.ndindex(*shape) if other[:2] == at[:2] and other > at]
        if all(indices[other] != indices[at] for other in later):  # the last of those that share a place stays
            expected_dx[at] = dy.reshape(n, c, 4 * h * w)[*at[:2], indices[at]]
    np.testing.assert_array_equal(y.reshape(expected.shape), expected)
    np.testing.assert_array_equal(dx, expected_dx)


@given(
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    windows=st.sampled_from([(2, None, 0), (3, 2, 1), (3, 3, 0), ((2, 3), (2, 1), (1, 0))]),
    ceil_mode=st.booleans(),
)
def test_undoes_max_pooling(size, windows, ceil_mode):
    x = np.random.default_rng(0).permutation(6 * size[0] * size[1]).reshape(2, 3, *size) + 1.0
    y, indices = MaxPool2D(*windows, ceil_mode, return_indices=True).forward(x)
    back = MaxUnpool2D(*windows, output_size=size).forward(y, indices)
    assert back.shape == x.shape
    kept = back != 0
    np.testing.assert_array_equal(back[kept], x[kept])
    for s, c in np.ndindex(2, 3):
        assert set(back[s, c][kept[s, c]]) == set(y[s, c].ravel())


@pytest.mark.parametrize(
    ("arguments", "size"),
    [((2,), (8, 10)), ((3, 2, 1), (7, 9)), ((3, 2), (9, 11)), (((2, 3), (1, 2), (1, 0)), (3, 11))],
)
def test_sizes(arguments, size):
    assert MaxUnpool2D(*arguments).build(((6, 4, 5), (6, 4, 5))) == (6, *size)
    assert MaxUnpool2D(*arguments, output_size=20).build(((6, 4, 5), (6, 4, 5))) == (6, 20, 20)


def test_errors():
    x, indices = np.ones((1, 2, 2, 2)), np.zeros((1, 2, 2, 2), np.int64)
    layer = MaxUnpool2D(2)
    with pytest.raises(ShapeError, match=r"MaxUnpool2D: expected two inputs, x and indices, got \(2, 2, 2\)"):
        layer.build((2, 2, 2))
    with pytest.raises(ShapeError, match=r"MaxUnpool2D: expected indices of x's shape \(2, 2, 2\), got \(2, 2, 1\)"):
        layer.forward(x, indices[..., :1])
    with pytest.raises(ShapeError, match=r"of shape \(N, C, H, W\), got"):
        layer.forward(x[0], indices[0])
    with pytest.raises(DTypeError, match="MaxUnpool2D: expected integers as indices, got float64"):
        layer.forward(x, x)
    for wrong in (16, -1):
        with pytest.raises(ShapeError, match=r"beyond an output of \(4, 4\); set output_size"):
            layer.forward(x, np.full_like(indices, wrong))
    with pytest.raises(ShapeError, match=r"MaxUnpool2D: an output of size \(0, 0\)"):
        MaxUnpool2D(2, padding=2).build(((1, 2, 2), (1, 2, 2)))
    with pytest.raises(ShapeError, match="MaxUnpool2D: output_size: expected"):
        MaxUnpool2D(2, output_size=(4, 4, 4))


def test_sizes_may_change_and_nothing_is_computed_in_vain():
    layer = MaxUnpool2D(2)
    for size in (2, 3):
        x = np.ones((1, 1, size, size))
        y = layer.forward(x, np.arange(size * size).reshape(x.shape))
        assert y.shape == (1, 1, 2 * size, 2 * size)
    assert layer.flops() == 0
    layer.input_grad = False
    assert layer.backward(y) == (None, None)


def test_repr():
    assert repr(MaxUnpool2D(3, 2, output_size=(4, 5))) == "MaxUnpool2D(3, stride=2, output_size=(4, 5))"


def test_batches_that_differ_are_refused():
    with pytest.raises(ShapeError, match="got 2 images, but indices of 1"):
        MaxUnpool2D(2).forward(np.zeros((2, 1, 2, 2), np.float32), np.zeros((1, 1, 2, 2), np.int64))


def test_options_may_be_set_later():
    layer = MaxUnpool2D(2)
    layer.kernel_size, layer.stride, layer.padding = 3, 2, 1
    assert repr(layer) == "MaxUnpool2D(3, stride=2, padding=1)"
    assert layer.build(((6, 4, 5), (6, 4, 5))) == (6, 7, 9)


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 1, 2, 8), (2, 1, 2, 2)])
def test_a_gradient_of_another_shape_is_refused(shape):
    layer = MaxUnpool2D(2)
    layer.forward(np.zeros((2, 1, 2, 2), np.float32), np.zeros((2, 1, 2, 2), np.int64))
    with pytest.raises(ShapeError, match=r"forward returned shape \(2, 1, 4, 4\), but dy has shape"):
        layer.backward(np.zeros(shape, np.float32))
