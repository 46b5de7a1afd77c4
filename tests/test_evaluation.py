"""``Net.evaluate``: exact over batches of any size, whatever the loss counts."""

import numpy as np
import pytest

from handbrew.data import Batches, Dataset
from handbrew.layers import Abs, Affine, EuclideanLoss, Loss, MeanSquaredError, SoftmaxCrossEntropy
from handbrew.nets import Sequential

rng = np.random.default_rng(3)
X = rng.normal(size=(23, 4))
Y = rng.integers(0, 3, 23)
WEIGHTS = np.array([1.0, 5.0, 0.25])


def net_with(loss):
    net = Sequential(Affine(3), loss).astype(np.float64)
    net.build((4,))
    return net


def log_p(net):
    scores = net.forward(X)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 22, 23, 24, 1024])
@pytest.mark.parametrize("case", ["plain", "ignore", "weights", "both", "sum", "smoothing"])
def test_uneven_batches_give_the_mean_of_all_samples(case, batch_size):
    options = {
        "plain": {},
        "ignore": {"ignore_index": 1},
        "weights": {"class_weight": WEIGHTS},
        "both": {"class_weight": WEIGHTS, "ignore_index": 0},
        "sum": {"reduction": "sum"},
        "smoothing": {"label_smoothing": 0.1},
    }[case]
    net = net_with(SoftmaxCrossEntropy(**options))
    log = log_p(net)
    w = (WEIGHTS if case in ("weights", "both") else np.ones(3))[Y] * (options.get("ignore_index") != Y)
    q = np.eye(3)[Y] * 0.9 + 0.1 / 3 if case == "smoothing" else np.eye(3)[Y]
    total = (w * -(q * log).sum(axis=1)).sum()
    found = net.evaluate(X, Y, batch_size)
    assert found.loss == pytest.approx(total if case == "sum" else total / w.sum(), rel=1e-12)
    counted = options.get("ignore_index") != Y
    assert found.accuracy == pytest.approx((log.argmax(axis=1) == Y)[counted].mean())


def test_a_batch_in_which_nothing_counts():
    labels = np.where(np.arange(23) < 4, 1, Y)  # the first two batches of two are ignored
    net = net_with(SoftmaxCrossEntropy(ignore_index=1))
    found = net.evaluate(X, labels, 2)
    counted = labels != 1
    assert found.loss == pytest.approx(-log_p(net)[np.arange(23), labels][counted].mean(), rel=1e-12)
    assert net.evaluate(X, np.ones(23, int)) == (0.0, None)


def test_no_samples():
    assert net_with(SoftmaxCrossEntropy()).evaluate(X[:0], Y[:0]) == (0.0, None)


class Squared(Loss):
    """A loss of a user's own, which knows nothing of accuracy."""

    def forward(self, scores, target, weight=None):
        d = self.cache.d = scores - self.check_pair(scores, target)
        return self.reduce(d * d, weight)


class Handmade(Loss):
    """A loss that does not even use ``reduce``: the mean over samples."""

    def forward(self, scores, target, weight=None):
        return float(((scores - target) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("loss", [Squared(), Squared("sum"), Handmade()])
@pytest.mark.parametrize("batch_size", [4, 1024])
def test_losses_of_ones_own(loss, batch_size):
    net, target = net_with(loss), rng.normal(size=(23, 3))
    squares = (net.forward(X) - target) ** 2
    expected = squares.sum(axis=1).mean() if isinstance(loss, Handmade) else squares.mean()
    expected = squares.sum() if loss.reduction == "sum" else expected
    assert net.evaluate(X, target, batch_size) == (pytest.approx(expected, rel=1e-12), None)


def test_evaluation_reads_by_name_and_by_place():
    found = net_with(SoftmaxCrossEntropy()).evaluate(X.tolist(), Y.tolist())
    loss, accuracy = found
    assert (found.loss, found.accuracy) == (loss, accuracy)


def test_what_cannot_be_evaluated():
    with pytest.raises(TypeError, match="Sequential: evaluate needs a net that ends in a loss"):
        Sequential(Affine(3)).evaluate(X, Y)
    with pytest.raises(ValueError, match="Sequential: 23 samples, but 22 targets"):
        net_with(SoftmaxCrossEntropy()).evaluate(X, Y[:22])
    with pytest.raises(ValueError, match="expected labels from 0 to 2, got 3"):
        net_with(SoftmaxCrossEntropy()).evaluate(X, Y + 1)


class TestWeights:
    """A sample of weight n counts as if it were there n times; one of 0 as if it were not."""

    TIMES = rng.integers(0, 4, 23)

    @pytest.mark.parametrize("batch_size", [1, 4, 23])
    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    @pytest.mark.parametrize("options", [{}, {"class_weight": WEIGHTS, "ignore_index": 1}, {"label_smoothing": 0.1}])
    def test_of_samples(self, options, reduction, batch_size):
        net = net_with(SoftmaxCrossEntropy(**options, reduction=reduction))
        often = net.evaluate(np.repeat(X, self.TIMES, axis=0), np.repeat(Y, self.TIMES))
        found = net.evaluate(X, Y, batch_size, weight=self.TIMES)
        assert found.loss == pytest.approx(often.loss, rel=1e-12)
        assert found.accuracy == net.evaluate(X, Y).accuracy
        assert net.evaluate(Dataset(X, Y, weight=self.TIMES), batch_size=batch_size) == found

    @pytest.mark.parametrize("batch_size", [1, 4, 23])
    def test_of_images(self, batch_size):
        """One weight for a sample holds for all its pixels, and so does one for each pixel."""
        images, labels = rng.normal(size=(23, 3, 2, 5)), rng.integers(0, 3, (23, 2, 5))
        net = Sequential(Abs(), SoftmaxCrossEntropy(ignore_index=2)).astype(np.float64)
        often = net.evaluate(np.repeat(images, self.TIMES, axis=0), np.repeat(labels, self.TIMES, axis=0))
        each = np.repeat(self.TIMES, 10).reshape(23, 2, 5)
        for weight in (self.TIMES, each):
            found = net.evaluate(images, labels, batch_size, weight=weight)
            assert found.loss == pytest.approx(often.loss, rel=1e-12)

    @pytest.mark.parametrize("loss", [Squared(), MeanSquaredError(), EuclideanLoss(), Squared("sum")])
    def test_of_quantities(self, loss):
        net, target = net_with(loss), rng.normal(size=(23, 3))
        often = net.evaluate(np.repeat(X, self.TIMES, axis=0), np.repeat(target, self.TIMES, axis=0))
        assert net.evaluate(X, target, 4, weight=self.TIMES.tolist()).loss == pytest.approx(often.loss, rel=1e-12)

    def test_of_nothing(self):
        found = net_with(SoftmaxCrossEntropy()).evaluate(X, Y, 4, weight=np.zeros(23))
        assert found.loss == 0.0

    def test_that_are_not_there(self):
        net = net_with(SoftmaxCrossEntropy())
        with pytest.raises(ValueError, match=r"Sequential: 23 samples, but weights of shape \(22,\)"):
            net.evaluate(X, Y, weight=np.ones(22))
        with pytest.raises(TypeError, match="a Dataset brings its own y and weight"):
            net.evaluate(Dataset(X, Y), weight=np.ones(23))
        with pytest.raises(TypeError, match="a Dataset brings its own y and weight"):
            net.evaluate(Dataset(X, Y), Y)

    def test_training_step_by_step(self):
        """The loop of the docs takes data with weights and without."""
        nets = [net_with(SoftmaxCrossEntropy()) for _ in range(2)]
        data = Dataset(X, Y, weight=self.TIMES), Dataset(np.repeat(X, self.TIMES, axis=0), np.repeat(Y, self.TIMES))
        for net, part in zip(nets, data, strict=True):
            for features, labels, *weight in Batches(part, batch_size=1000):
                net.forward(features, labels, *weight)
                net.backward()
        for p, q in zip(*(net.params.values() for net in nets), strict=True):
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-12, atol=1e-15)
