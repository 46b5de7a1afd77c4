"""Several batches that make one step are as one large batch: the same parameters, to rounding in float64."""

import numpy as np
import pytest

from handbrew.data import Batches, Dataset, blobs
from handbrew.layers import Affine, MeanSquaredError, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Adam

DATA = blobs(50, seed=3)


def make_net(loss=None):
    return Sequential(Affine(6), ReLU(), Affine(3), loss or SoftmaxCrossEntropy(), seed=1).astype(np.float64)


def trained(data, loss=None, solver=SGD, **options):
    net = make_net(loss)
    solver(net, lr=0.05).fit(data, epochs=3, shuffle=False, progress=False, **options)
    return net.state()


def assert_close(one, other):
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("solver", [SGD, Adam])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("batch", "iter_size"), [(8, 4), (5, 3), (7, 2), (50, 1), (3, 20)])
def test_as_one_large_batch(solver, reduction, batch, iter_size):
    # 50 samples leave a smaller last batch, and fewer batches for the epoch's last step.
    many = trained(DATA, SoftmaxCrossEntropy(reduction=reduction), solver, batch_size=batch, iter_size=iter_size)
    one = trained(DATA, SoftmaxCrossEntropy(reduction=reduction), solver, batch_size=batch * iter_size)
    assert_close(many, one)


def test_a_batch_counts_by_the_weights_of_its_samples():
    weighted = Dataset(DATA.X, DATA.y, weight=np.random.default_rng(0).uniform(0, 3, len(DATA)))
    assert_close(
        trained(weighted, batch_size=8, iter_size=4),
        trained(weighted, batch_size=32),
    )


def test_a_batch_counts_by_its_labels_that_are_not_ignored():
    y = DATA.y.copy()
    y[:20:2], y[33:] = -1, -1
    data = Dataset(DATA.X, y)
    assert_close(
        trained(data, SoftmaxCrossEntropy(ignore_index=-1), batch_size=8, iter_size=4),
        trained(data, SoftmaxCrossEntropy(ignore_index=-1), batch_size=32),
    )


def test_elements_of_a_regression():
    target = np.random.default_rng(0).normal(size=(50, 3))
    data = Dataset(DATA.X, target)
    assert_close(
        trained(data, MeanSquaredError(), batch_size=8, iter_size=4), trained(data, MeanSquaredError(), batch_size=32)
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_steps_and_losses_are_those_of_the_large_batch(reduction):
    net, other = (make_net(SoftmaxCrossEntropy(reduction=reduction)) for _ in range(2))
    many = SGD(net, lr=0.01).fit(DATA, epochs=2, batch_size=8, iter_size=4, shuffle=False, progress=False)
    one = SGD(other, lr=0.01).fit(DATA, epochs=2, batch_size=32, shuffle=False, progress=False)
    np.testing.assert_allclose(many.losses, one.losses, rtol=1e-12)
    assert len(many.losses) == 4
    np.testing.assert_allclose([row.loss for row in many], [row.loss for row in one], rtol=1e-12)


def test_clipping_looks_at_the_average():
    # Of the sum of four batches the norm would be four times as large, and clipped.
    loose = trained(DATA, batch_size=8, iter_size=4)
    net, norms = make_net(), []

    class Spy(SGD):
        def step(self, total=None):
            norms.append(np.sqrt(sum((p.grad**2).sum() for p in self.net.params.values())) / total)
            super().step(total)

    Spy(net, lr=0.05, clip_norm=1e9).fit(DATA, epochs=3, batch_size=8, iter_size=4, shuffle=False, progress=False)
    assert_close(net.state(), loose)
    clipped = make_net()
    limit = max(norms) * 1.01
    SGD(clipped, lr=0.05, clip_norm=limit).fit(DATA, epochs=3, batch_size=8, iter_size=4, shuffle=False, progress=False)
    assert_close(clipped.state(), loose)


def test_by_hand():
    """``step(total)`` averages for one's own loop, too."""
    net, other = make_net(), make_net()
    solver, plain = SGD(net, lr=0.1), SGD(other, lr=0.1)
    for X, y in Batches(DATA, batch_size=10, shuffle=False):
        net.forward(X, y)
        net.backward()
    solver.step(total=5)
    other.forward(DATA.X, DATA.y)
    other.backward()
    plain.step()
    assert_close(net.state(), other.state())
