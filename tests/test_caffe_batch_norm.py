"""CaffeBatchNorm against Caffe's formulas, one channel at a time."""

import pickle

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import BatchNorm, ShapeError, check_layer
from handbrew.nets.caffe.batch_norm import CaffeBatchNorm


@pytest.mark.parametrize("use_global_stats", [None, True, False])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 2)])
def test_gradients_and_contract(use_global_stats, shape):
    check_layer(CaffeBatchNorm(0.6, 0.01, use_global_stats), shape)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2, 5), (1, 3)])
def test_three_steps_of_training_and_use(shape):
    f, eps = 0.9, 1e-3
    layer = CaffeBatchNorm(f, eps).astype(np.float64)
    sum_mean, sum_var, weight = np.zeros(3), np.zeros(3), 0.0
    for seed in range(3):
        x = 2 + normal(shape, seed=seed)
        y = layer.forward(x)
        weight = f * weight + 1
        for c in range(3):
            numbers = x[:, c].ravel()
            mean, var, m = numbers.mean(), numbers.var(), numbers.size
            np.testing.assert_allclose(y[:, c].ravel(), (numbers - mean) / np.sqrt(var + eps), atol=1e-12)
            sum_mean[c] = f * sum_mean[c] + mean
            sum_var[c] = f * sum_var[c] + (m / (m - 1) if m > 1 else 1) * var
        np.testing.assert_allclose(layer.sum_mean.data, sum_mean)
        np.testing.assert_allclose(layer.sum_var.data, sum_var, atol=1e-15)
        np.testing.assert_allclose(layer.weight.data, [weight])
    layer.eval()
    x = normal(shape, seed=9)
    y, dy = layer.forward(x), normal(shape, seed=10)
    dx = layer.backward(dy)
    for c in range(3):
        rate = 1 / np.sqrt(sum_var[c] / weight + eps)
        np.testing.assert_allclose(y[:, c], (x[:, c] - sum_mean[c] / weight) * rate)
        np.testing.assert_allclose(dx[:, c], dy[:, c] * rate)
    np.testing.assert_allclose(layer.weight.data, [weight])


def test_a_weight_of_zero_means_no_statistics():
    layer = CaffeBatchNorm(eps=0.25).eval()
    np.testing.assert_allclose(layer.forward(np.full((2, 3), 3.0)), 6)


def test_global_statistics_in_training_and_none_in_use():
    x = normal((5, 3), np.float32)
    layer = CaffeBatchNorm(use_global_stats=True)
    layer.build((3,))
    layer.sum_mean.data, layer.sum_var.data, layer.weight.data = [2, 2, 2], [8, 8, 8], [2]
    np.testing.assert_allclose(layer.forward(x), (x - 1) / 2, rtol=1e-4)
    assert layer.weight.data == 2
    layer = CaffeBatchNorm(use_global_stats=False).eval()
    assert np.abs(layer.forward(x).mean(axis=0)).max() < 1e-6
    assert layer.weight.data == 0  # nothing changes in use


def test_it_can_be_frozen_as_batch_norm_is():
    layer = CaffeBatchNorm()
    assert isinstance(layer, BatchNorm)
    assert layer.batch_coupled
    layer.frozen_statistics = True
    assert layer.use_global_stats is True
    assert not layer.batch_coupled
    layer.frozen_statistics = False
    assert repr(layer) == "CaffeBatchNorm()"


def test_mean_and_var_are_those_of_batch_norm():
    x = normal((50, 3), np.float32)
    ours, other = CaffeBatchNorm(), BatchNorm(momentum=0.0, affine=False)
    for layer in (ours, other):
        layer.forward(x)
    np.testing.assert_allclose(ours.mean.data, other.mean.data, rtol=1e-5)
    np.testing.assert_allclose(ours.var.data, other.var.data, rtol=1e-5)
    copy = pickle.loads(pickle.dumps(ours))
    assert list(copy.state()) == ["sum_mean", "sum_var", "weight"]
    np.testing.assert_array_equal(copy.mean.data, ours.mean.data)


def test_no_sample_changes_nothing():
    layer = CaffeBatchNorm()
    assert layer.forward(np.ones((0, 3, 2), np.float32)).shape == (0, 3, 2)
    assert layer.weight.data == 0


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"CaffeBatchNorm: expected .* got a vector"):
        CaffeBatchNorm().forward(np.ones(3, np.float32))
    layer = CaffeBatchNorm()
    layer.build((3,))
    with pytest.raises(ShapeError, match="expected 3 channels"):
        layer.forward(np.ones((2, 4), np.float32))
