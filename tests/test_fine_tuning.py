"""Training a part of a net: what is frozen costs nothing and stays as it is."""

import numpy as np
import pytest

from handbrew.layers import Affine, BatchNorm, Conv2D, Flatten, ReLU, SoftmaxCrossEntropy, _convolve
from handbrew.nets import Sequential
from handbrew.solvers import SGD

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 3, 8, 8)).astype(np.float32), rng.integers(0, 4, 8)


@pytest.fixture
def net():
    net = Sequential(
        Conv2D(4, 3, padding=1),
        BatchNorm(),
        ReLU(),
        Conv2D(5, 3, padding=1),
        BatchNorm(),
        ReLU(),
        Flatten(),
        Affine(4),
        SoftmaxCrossEntropy(),
        seed=0,
    )
    net.forward(X, Y)
    return net


def freeze(net, *names):
    for name in names:
        net.children[name].trainable = False


def test_backward_stops_above_what_is_frozen(net):
    freeze(net, "conv2d1", "batchnorm1")
    rows = {row.name: row for row in net.profile(X, Y, repeats=3)}
    assert all(row.forward > 0 for row in rows.values())
    assert [name for name, row in rows.items() if row.backward == 0] == ["conv2d1", "batchnorm1", "relu1"]


def test_the_work_for_frozen_weights_is_skipped(net, monkeypatch):
    """In the middle of a net the gradient has to go through, but not into the weights."""
    freeze(net, "conv2d2", "batchnorm2")
    wanted = []
    gradients = _convolve.gradients

    def watched(*args, x=None, dx=True):
        result = gradients(*args, x=x, dx=dx)
        wanted.append((result[0] is not None, result[1] is not None))
        return result

    monkeypatch.setattr("handbrew.layers.convolution.gradients", watched)
    net.forward(X, Y)
    net.backward()
    assert wanted == [(True, False), (False, True)]  # the second convolution's, then the first's


def test_only_the_rest_is_trained(net):
    freeze(net, "conv2d1", "batchnorm1", "conv2d2", "batchnorm2")
    for name in ("batchnorm1", "batchnorm2"):
        net.children[name].frozen_statistics = True
    before = net.state()
    solver = SGD(net, lr=0.1)
    for _ in range(3):
        net.forward(X, Y)
        net.backward()
        solver.step()
    changed = [name for name, array in net.state().items() if (array != before[name]).any()]
    assert changed == ["affine1.W", "affine1.b"]


def test_a_frozen_part_gives_the_rest_the_same_gradients(net):
    net.forward(X, Y)
    net.backward()
    whole = {name: p.grad.copy() for name, p in net.params.items()}
    net.zero_grad()
    freeze(net, "conv2d1", "batchnorm1", "conv2d2")
    net.forward(X, Y)
    net.backward()
    for name in ("batchnorm2.gamma", "affine1.W", "affine1.b"):
        np.testing.assert_array_equal(net.params[name].grad, whole[name])
