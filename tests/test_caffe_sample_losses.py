"""CaffeHingeLoss and CaffeMultinomialLoss, whose every sample is one position, against loops."""

import math

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import ShapeError, check_layer
from handbrew.nets.caffe.class_losses import CaffeHingeLoss, CaffeMultinomialLoss

LABELS = np.array([0, 2, 1, 1, 2])


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 1, 1), (6, 2, 2)])
@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_hinge_against_a_loop(shape, norm):
    rng = np.random.default_rng(0)
    scores, labels = 2 * rng.normal(size=shape), rng.integers(0, 4, 6)
    total, ds = 0.0, np.zeros((6, 4))
    for n, line in enumerate(scores.reshape(6, 4).tolist()):
        for j, s in enumerate(line):
            t = 1 if j == labels[n] else -1
            h = max(0.0, 1 - t * s)
            total += h if norm == "L1" else h * h
            ds[n, j] = -t * (h > 0) if norm == "L1" else -2 * t * h
    layer = CaffeHingeLoss(norm)
    assert layer.forward(scores, labels) == pytest.approx(total / 6)
    np.testing.assert_allclose(layer.backward(), ds.reshape(shape) / 6)
    layer.forward(scores, labels[:, None].astype(np.float32))
    got, rest = layer.backward()
    np.testing.assert_allclose(got, ds.reshape(shape) / 6)
    assert rest.shape == (6, 1)
    check_layer(layer, (3, *shape[2:]), LABELS)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 1, 1)])
def test_multinomial_against_a_loop(shape):
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.ones(4), 6), rng.integers(0, 4, 6)
    p[0], labels[0] = [0, 1, 0, 0], 0  # a probability of 0 counts as 1e-20
    total, ds = 0.0, np.zeros((6, 4))
    for n, label in enumerate(labels):
        own = max(p[n, label], 1e-20)
        total -= math.log(own)
        ds[n, label] = -1 / own
    layer = CaffeMultinomialLoss()
    assert layer.forward(p.reshape(shape), labels) == pytest.approx(total / 6)
    np.testing.assert_allclose(layer.backward(), ds.reshape(shape) / 6)
    check_layer(CaffeMultinomialLoss(), np.random.default_rng(1).dirichlet(np.ones(3), 5), LABELS)


def test_scores_of_one_axis_are_none():
    for layer in (CaffeHingeLoss(), CaffeMultinomialLoss()):
        with pytest.raises(ShapeError, match=r"expected scores \(N, classes\), got shape \(3,\)"):
            layer.forward(normal((3,)), np.zeros(3))
