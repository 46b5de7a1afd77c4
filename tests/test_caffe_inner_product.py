"""Caffe's InnerProduct on any axis, and with its weights turned round."""

import numpy as np
import pytest

from handbrew.layers import Affine, Normal, ShapeError, check_layer
from handbrew.nets.caffe import InnerProduct

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2])
@pytest.mark.parametrize("transpose", [False, True])
def test_is_a_product_from_that_axis_on(axis, transpose):
    layer = InnerProduct(6, axis, transpose, bias_init=Normal(std=1))
    y = layer.forward(X)
    at = axis % 4
    W = layer.W.data.T if transpose else layer.W.data
    assert W.shape == (int(np.prod(X.shape[at:])), 6)
    expected = X.reshape(*X.shape[:at], -1) @ W + layer.b.data
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    check_layer(InnerProduct(6, axis, transpose), (3, 4, 5))
    check_layer(InnerProduct(6, axis, transpose, bias=False), (3, 4, 5))


def test_is_affine_where_that_will_do():
    layer, affine = InnerProduct(6), Affine(6)
    x = X.reshape(2, -1)
    layer.build((60,))
    affine.build((60,))
    affine.load_state(layer.state())
    np.testing.assert_array_equal(layer.forward(x), affine.forward(x))
    assert layer.flops() == affine.flops()


def test_what_does_not_fit():
    with pytest.raises(ShapeError, match="out_features"):
        InnerProduct(0)
    for axis in (0, 4, -4):
        with pytest.raises(ShapeError, match=f"an axis {axis} beyond the batch's"):
            InnerProduct(2, axis).build((3, 4, 5))
    layer = InnerProduct(2)
    layer.forward(X)
    with pytest.raises(ShapeError, match="expected 60 numbers from axis 1 on"):
        layer.forward(X[:, :2])
