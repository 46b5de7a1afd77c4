"""Embedding against a loop over the integers, and against Affine of one-hot vectors."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import Affine, Constant, Embedding, LabelError, ShapeError


@pytest.mark.parametrize("shape", [(7,), (4, 3), (2, 3, 2), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
@pytest.mark.parametrize("bias", [False, True])
def test_against_a_loop(shape, dtype, bias):
    ids = np.random.default_rng(0).integers(0, 5, shape).astype(dtype)
    layer = Embedding(5, 3, bias, bias_init=Constant(0.5))
    y = layer.forward(ids)
    dy = normal(y.shape, np.float32)
    assert layer.backward(dy) is None
    assert layer.backward(dy) is None  # which adds the same again
    assert y.dtype == np.float32
    dW = np.zeros((5, 3))
    for at in np.ndindex(shape):
        np.testing.assert_array_equal(y[at], layer.W.data[ids[at]] + (0.5 if bias else 0))
        dW[ids[at]] += 2 * dy[at]
    np.testing.assert_allclose(layer.W.grad, dW, rtol=1e-5, atol=1e-6)
    if bias:
        np.testing.assert_allclose(layer.b.grad, 2 * dy.reshape(-1, 3).sum(0), rtol=1e-5, atol=1e-6)


def test_it_is_affine_of_one_hot_vectors():
    ids = np.array([[3, 1], [1, 1]])
    one, other = Embedding(4, 3), Affine(3, bias=False)
    y = one.forward(ids)
    other.build((2, 4))
    other.W.data = one.W.data
    np.testing.assert_allclose(y, other.forward(np.eye(4, dtype=np.float32)[ids]))
    dy = normal(y.shape, np.float32)
    one.backward(dy)
    other.backward(dy)
    np.testing.assert_allclose(one.W.grad, other.W.grad, rtol=1e-6)


def test_what_is_no_row_is_refused():
    layer = Embedding(4, 3)
    for wrong, first in (([0, -1], -1), ([4, 0], 4)):
        with pytest.raises(LabelError, match=rf"Embedding: .* from 0 to 3, got {first} \(1 of 2 are out of range\)"):
            layer.forward(np.array(wrong))
    with pytest.raises(LabelError, match=r"got float32; pass x.astype\(int\)"):
        layer.forward(np.zeros(2, np.float32))
    for sizes in ((0, 3), (4, -1), (2.0, 3), (True, 3)):
        with pytest.raises(ShapeError, match=r"num_embeddings|embedding_dim"):
            Embedding(*sizes)


def test_gradients_of_another_shape_are_refused():
    layer = Embedding(4, 3)
    layer.forward(np.array([1, 2]))
    with pytest.raises(ShapeError, match=r"returned shape \(2, 3\), but dy has shape \(1, 3\)"):
        layer.backward(np.ones((1, 3), np.float32))


def test_no_work_for_what_is_frozen():
    layer = Embedding(4, 3, bias=True)
    layer.backward(layer.forward(np.array([1, 2])))
    layer.zero_grad()
    layer.trainable = False
    layer.backward(np.ones((2, 3), np.float32))
    assert not layer.W.grad.any()
    assert not layer.b.grad.any()


def test_flops():
    layer = Embedding(4, 3)
    layer.build((5,))
    assert layer.flops() == 0
    layer = Embedding(4, 3, bias=True)
    layer.build((5,))
    assert layer.flops() == 15
