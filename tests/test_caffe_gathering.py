"""BatchReindex, Filter and CaffeEmbed against loops."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import Constant, LabelError, ShapeError, check_layer
from handbrew.nets.caffe.gathering import BatchReindex, CaffeEmbed, Filter

INDEX = np.array([1, 3, 1, 0, 1, 2, 2])  # all below 4, also of the five samples but one


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_batch_reindex(dtype):
    x, index = normal((5, 3, 2), np.float32), (INDEX + 0.5).astype(dtype)
    layer = BatchReindex()
    y = layer.forward(x, index)
    dy = normal(y.shape, np.float32)
    dx, rest = layer.backward(dy)
    expected = np.zeros_like(x)
    for j, i in enumerate(INDEX):
        np.testing.assert_array_equal(y[j], x[i])
        expected[i] += dy[j]
    np.testing.assert_allclose(dx, expected, rtol=1e-6)
    assert rest is None if dtype == np.int64 else not rest.any()
    assert layer.build(((3, 2), ())) == (3, 2)
    assert layer.flops() == 0


def test_batch_reindex_gradients():
    check_layer(BatchReindex(), (3, 2), INDEX)  # of as many samples
    check_layer(BatchReindex(), normal((5, 3)), INDEX)
    check_layer(BatchReindex(), normal((4, 3)), INDEX + 0.5, allow_constant=("index",))


def test_samples_that_are_not_there():
    layer = BatchReindex()
    for wrong in ([0, -1], [2, 0]):
        with pytest.raises(LabelError, match="BatchReindex: expected numbers of samples from 0 to 1"):
            layer.forward(normal((2, 3)), np.array(wrong))
    with pytest.raises(LabelError, match="expected integers or finite numbers, got float64"):
        layer.forward(normal((2, 3)), np.array([0, np.nan]))
    with pytest.raises(ShapeError, match="expected a vector of sample numbers"):
        layer.forward(normal((2, 3)), np.array([[0]]))
    layer.forward(normal((2, 3)), np.array([0]))
    with pytest.raises(ShapeError, match=r"returned shape \(1, 3\)"):
        layer.backward(normal((2, 3)))


@pytest.mark.parametrize("selector", [np.array([1, 0, 0, -2, 1]), np.array([[1.0], [0], [0], [0.5], [1]])])
def test_filter(selector):
    a, b = normal((5, 3)), normal((5, 2, 2), seed=1)
    kept = [0, 3, 4]
    layer = Filter()
    ya, yb = layer.forward(a, b, selector)
    np.testing.assert_array_equal(ya, a[kept])
    np.testing.assert_array_equal(yb, b[kept])
    da, db, rest = layer.backward((ya, yb))
    for given, got in ((a, da), (b, db)):
        for n in range(5):
            np.testing.assert_array_equal(got[n], given[n] if n in kept else 0)
    assert rest is None if selector.dtype == np.int64 else not rest.any()
    assert layer.backward((ya, None))[1] is None
    assert Filter().build(((3,), (2, 2), ())) == ((3,), (2, 2))
    one = Filter()
    np.testing.assert_array_equal(one.forward(a, selector), a[kept])
    np.testing.assert_array_equal(one.backward(ya)[0], da)
    assert Filter().build(((3,), ())) == (3,)
    assert one.flops() == 0


def test_filter_gradients():
    check_layer(Filter(), (3, 2), np.array([1, 1, 0, 0, 3]))
    check_layer(Filter(), (3, 2), (4,), np.array([0, 1, 0, 0, 3]))


def test_filter_of_what_does_not_fit():
    for selector in (np.ones(3), np.ones((2, 2))):
        with pytest.raises(ShapeError, match="Filter: expected a selector of one number for each sample"):
            Filter().forward(normal((2, 3)), selector)
    with pytest.raises(ShapeError, match="at least two inputs"):
        Filter().forward(normal((2, 3)))
    layer = Filter()
    layer.forward(normal((2, 3)), np.array([1, 0]))
    with pytest.raises(ShapeError, match=r"returned shape \(1, 3\)"):
        layer.backward(normal((2, 3)))


def test_nothing_may_be_kept():
    layer = Filter()
    assert layer.forward(normal((2, 3)), np.zeros(2)).shape == (0, 3)
    assert not layer.backward(np.zeros((0, 3)))[0].any()


def test_embed():
    layer = CaffeEmbed(4, 3, bias_init=Constant(1.0))
    y = layer.forward(np.array([[0.0, 3.9]], np.float32))
    np.testing.assert_array_equal(y, layer.W.data[[[0, 3]]] + 1)
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2, 3), np.float32)), np.zeros((1, 2)))
    np.testing.assert_array_equal(layer.W.grad, [[1] * 3, [0] * 3, [0] * 3, [1] * 3])
    check_layer(CaffeEmbed(4, 3), INDEX)
    check_layer(CaffeEmbed(4, 3), INDEX + 0.5, allow_constant=("x",))
