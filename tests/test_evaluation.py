"""``Net.evaluate``: exact over batches of any size, whatever the loss counts."""

import numpy as np
import pytest

from handbrew.layers import Affine, Loss, SoftmaxCrossEntropy
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
