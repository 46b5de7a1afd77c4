import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.check import check_layer
from handbrew.layers.class_loss import ClassLoss
from handbrew.layers.errors import LabelError, ShapeError
from handbrew.layers.softmax_loss import Infogain, SoftmaxCrossEntropy

# shape of the scores, axis of the classes
LAYOUTS = [((4, 3), 1), ((4, 3), -1), ((2, 3, 4), 1), ((2, 4, 3), -1), ((2, 3, 2, 2), 1), ((2, 2, 3, 2), 2)]


def log_softmax(row):
    top = max(row)
    total = math.fsum(math.exp(s - top) for s in row)
    return [s - top - math.log(total) for s in row]


def rows_of(scores, axis):
    """The index of every position, and its scores as a list."""
    moved = np.moveaxis(scores, axis, -1)
    return [(at, moved[at].tolist()) for at in np.ndindex(moved.shape[:-1])]


def cross_entropy(scores, target, axis, weight, class_weight, ignore_index, smoothing, reduction):
    """PyTorch's documented formula, one position and one class after the other."""
    total = count = 0.0
    for at, row in rows_of(scores, axis):
        k, log_p = len(row), log_softmax(row)
        w = class_weight or [1.0] * k
        if target.dtype.kind == "f":
            q, counts = np.moveaxis(target, axis, -1)[at].tolist(), 1.0
        elif target[at] == ignore_index:
            continue
        else:
            q, counts = [float(j == target[at]) for j in range(k)], w[target[at]]
        q = [(1 - smoothing) * q[j] + smoothing / k for j in range(k)]
        times = 1.0 if weight is None else float(weight[at])
        total -= times * math.fsum(w[j] * q[j] * log_p[j] for j in range(k))
        count += times * counts
    if reduction == "sum":
        return total
    return total / count if count else 0.0


def infogain(scores, target, axis, weight, H, ignore_index, reduction):
    total = count = 0.0
    for at, row in rows_of(scores, axis):
        if target[at] != ignore_index:
            times, log_p = 1.0 if weight is None else float(weight[at]), log_softmax(row)
            total -= times * math.fsum(H[target[at]][j] * log_p[j] for j in range(len(row)))
            count += times
    return total if reduction == "sum" else total / count


def labels_for(shape, axis):
    rest = np.delete(shape, axis)
    return np.arange(math.prod(rest)).reshape(rest) * 2 % shape[axis]


def probabilities_for(shape, axis, rng):
    rest = np.delete(shape, axis)
    return np.moveaxis(rng.dirichlet(np.ones(shape[axis]), rest), -1, axis)


@pytest.mark.parametrize("ignore_index", [None, 2, -100])
@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.5]])
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_labels(shape, axis, class_weight, ignore_index):
    rng = np.random.default_rng(0)
    scores, labels = 3 * rng.normal(size=shape), labels_for(shape, axis)
    labels[0] = ignore_index or 0
    weights = None, rng.uniform(0.5, 2, labels.shape)
    for smoothing, reduction, weight in itertools.product([0, 0.2, 1], ["mean", "sum"], weights):
        loss = SoftmaxCrossEntropy(axis, class_weight, ignore_index, smoothing, reduction)
        expected = cross_entropy(scores, labels, axis, weight, class_weight, ignore_index, smoothing, reduction)
        assert loss.forward(scores, labels, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.5]])
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_probabilities(shape, axis, class_weight):
    rng = np.random.default_rng(0)
    scores, q = 3 * rng.normal(size=shape), probabilities_for(shape, axis, rng)
    weights = None, rng.uniform(0.5, 2, np.delete(shape, axis))
    for smoothing, reduction, weight in itertools.product([0, 0.2, 1], ["mean", "sum"], weights):
        loss = SoftmaxCrossEntropy(axis, class_weight, None, smoothing, reduction)
        expected = cross_entropy(scores, q, axis, weight, class_weight, None, smoothing, reduction)
        assert loss.forward(scores, q, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_infogain(shape, axis):
    rng = np.random.default_rng(0)
    scores, labels, H = 3 * rng.normal(size=shape), labels_for(shape, axis), rng.uniform(0, 2, (3, 3))
    weights = None, rng.uniform(0.5, 2, labels.shape)
    for ignore_index, reduction, weight in itertools.product([None, 1], ["mean", "sum"], weights):
        loss = Infogain(H, axis, ignore_index, reduction)
        expected = infogain(scores, labels, axis, weight, H.tolist(), ignore_index, reduction)
        assert loss.forward(scores, labels, weight) == pytest.approx(expected, rel=1e-12)


@given(st.data())
def test_any_shape(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    axis = data.draw(st.integers(1, len(shape) - 1))
    seed, dtype = data.draw(st.integers(0, 99)), data.draw(st.sampled_from([np.uint8, np.int32, np.int64]))
    rng = np.random.default_rng(seed)
    scores, labels = (
        rng.normal(size=shape),
        rng.integers(0, shape[axis], np.delete(shape, axis)).astype(dtype),
    )
    loss = SoftmaxCrossEntropy(axis)
    assert loss.forward(scores, labels) == pytest.approx(
        cross_entropy(scores, labels, axis, None, None, None, 0, "mean"), rel=1e-12, abs=1e-12
    )
    # the gradient is (p - onehot) / positions, so it adds up to nothing over the classes
    ds = loss.backward()
    assert ds.shape == shape
    np.testing.assert_allclose(ds.sum(axis=axis), 0, atol=1e-12)
    onehot = np.moveaxis(np.eye(shape[axis])[labels], -1, axis)
    np.testing.assert_allclose(ds, (loss.predict(scores) - onehot) / labels.size, atol=1e-12)
    # one-hot probabilities are the same target
    assert loss.forward(scores, onehot) == pytest.approx(SoftmaxCrossEntropy(axis).forward(scores, labels))
    np.testing.assert_allclose(loss.backward()[0], ds, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_huge_scores(dtype, smoothing):
    scores = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4]], dtype)
    labels = np.array([1, 1])
    loss = SoftmaxCrossEntropy(label_smoothing=smoothing, reduction="sum")
    expected = cross_entropy(scores, labels, 1, None, None, None, smoothing, "sum")
    assert loss.forward(scores, labels) == pytest.approx(expected, rel=1e-6)
    ds = loss.backward()
    assert ds.dtype == dtype
    q = (1 - smoothing) * np.eye(3)[labels] + smoothing / 3
    np.testing.assert_allclose(ds, [[1, 0, 0], [0, 0.5, 0.5]] - q, atol=1e-6)
    np.testing.assert_allclose(loss.predict(scores), [[1, 0, 0], [0, 0.5, 0.5]])


def test_a_masked_class_has_no_probability():
    scores = np.array([[0.0, -np.inf, 0.0]])
    loss = SoftmaxCrossEntropy()
    assert loss.forward(scores, np.array([0])) == pytest.approx(math.log(2))
    np.testing.assert_allclose(loss.backward(), [[-0.5, 0, 0.5]])


def test_layout_in_memory_changes_nothing():
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    for scores, target in ((images, labels), (images[:, :, 0, 0], labels[:, 0, 0])):
        loss = SoftmaxCrossEntropy()
        expected = loss.forward(scores, target), loss.backward()
        wide = np.zeros([2 * n for n in scores.shape])[(slice(None, None, 2),) * scores.ndim]
        wide[...] = scores
        for layout in (np.asfortranarray(scores), wide, np.array(scores.T, order="C").T):
            layout.flags.writeable = False
            assert loss.forward(layout, np.asfortranarray(target)) == pytest.approx(expected[0])
            np.testing.assert_allclose(loss.backward(), expected[1])


def test_float64_probabilities_and_class_weights_keep_float32():
    loss = SoftmaxCrossEntropy(class_weight=np.array([1.0, 2.0]))
    scores = np.array([[0.5, -0.5]], np.float32)
    for target in (np.array([1]), np.array([[0.25, 0.75]])):
        loss.forward(scores, target)
        for g in np.atleast_1d(loss.backward(np.float64(2.0))):
            assert g.dtype == np.float32


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.array([0.0, 1.0]), "pass labels.astype(int)"),
        (np.array([[0], [1]]), "pass labels.reshape(2,)"),
        (np.array([[0, 1, 0], [1, 0, 0]]), "pass labels.argmax(axis=1)"),
        (np.ones((2, 4)), "probabilities, for a loss that takes them, have the scores' shape"),
        (np.array([0, 3]), "expected labels from 0 to 2, got 3 at position 1"),
        (np.array([0, -1]), "got -1 at position 1"),
        (np.array([[0.5, 0.5, 3.0], [1.0, 0.0, 0.0]]), "expected probabilities from 0 to 1, got 3"),
        ([1, 2, 0], "expected integer labels of shape (2,), got int64 of shape (3,)"),
    ],
)
def test_bad_targets(target, message):
    with pytest.raises(LabelError, match="^SoftmaxCrossEntropy: .*" + re.escape(message)):
        SoftmaxCrossEntropy().forward(np.zeros((2, 3)), target)


def test_infogain_takes_no_probabilities():
    with pytest.raises(LabelError, match="Infogain: expected integer labels of shape"):
        Infogain(np.eye(3)).forward(np.zeros((2, 3)), np.ones((2, 3)) / 3)


def test_bad_scores_and_settings():
    with pytest.raises(ShapeError, match=re.escape("a single sample is scores[None, :]")):
        SoftmaxCrossEntropy().forward(np.zeros(3), np.array(1))
    with pytest.raises(ShapeError, match=re.escape("expected classes on axis 2, got scores of shape (2, 3)")):
        SoftmaxCrossEntropy(axis=2).forward(np.zeros((2, 3)), np.array([1, 0]))
    with pytest.raises(ShapeError, match="expected a class_weight of 3 numbers, one per class, got shape"):
        SoftmaxCrossEntropy(class_weight=[1, 2]).forward(np.zeros((2, 3)), np.array([1, 0]))
    with pytest.raises(ShapeError, match=re.escape("expected H of shape (3, 3)")):
        Infogain(np.ones((3, 2))).forward(np.zeros((2, 3)), np.array([1, 0]))
    with pytest.raises(ValueError, match=r"label_smoothing is from 0 to 1, got 1\.5"):
        SoftmaxCrossEntropy(label_smoothing=1.5)


def test_correct_counts_positions():
    scores = np.array([[3.0, 1, 2], [0, 5, 1], [1, 0, 9]])
    loss = SoftmaxCrossEntropy()
    assert loss.correct(scores, np.array([0, 1, 0])) == (2, 3)
    assert loss.correct(scores, np.array([[0.6, 0.4, 0], [0.2, 0.2, 0.6], [0, 0, 1]])) == (2, 3)
    assert SoftmaxCrossEntropy(ignore_index=0).correct(scores, np.array([0, 1, 0])) == (1, 1)
    assert SoftmaxCrossEntropy(ignore_index=7).correct(scores, np.array([7, 7, 7])) == (0, 0)
    assert SoftmaxCrossEntropy(axis=2).correct(scores[None], np.array([[0, 1, 2]])) == (3, 3)
    with pytest.raises(LabelError):
        loss.correct(scores, np.array([[0], [1], [2]]))


def test_correct_leaves_a_pending_backward_alone():
    loss = SoftmaxCrossEntropy(axis=2)
    loss.forward(np.zeros((1, 2, 3)), np.zeros((1, 2), int))
    loss.correct(np.zeros((4, 5, 6)), np.zeros((4, 5), int))
    loss.predict(np.zeros((4, 5, 6)))
    assert loss.backward().shape == (1, 2, 3)


def test_predict_gives_probabilities_along_the_axis():
    scores = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    p = SoftmaxCrossEntropy().predict(scores)
    assert p.dtype == np.float32
    for at, row in rows_of(scores, 1):
        np.testing.assert_allclose(p[at[0], :, at[1]], np.exp(log_softmax(row)), rtol=1e-5)


def test_repr_is_the_call():
    assert repr(SoftmaxCrossEntropy()) == "SoftmaxCrossEntropy()"
    loss = SoftmaxCrossEntropy(axis=-1, class_weight=[1, 2], ignore_index=255, label_smoothing=0.1)
    expected = "SoftmaxCrossEntropy(axis=-1, class_weight=[1, 2], ignore_index=255, label_smoothing=0.1)"
    assert repr(loss) == expected


class Focal(ClassLoss):
    """A user's loss with an axis of classes: -(1 - p_y)^2 log p_y of given probabilities."""

    def forward(self, scores, target, weight=None):
        rows, (labels, weight) = self.rows(scores), self.flat(scores, target, weight)
        at = np.arange(len(labels)), labels
        self.cache.at, self.cache.rows, p = at, rows, rows[at]
        return self.reduce(-((1 - p) ** 2) * np.log(p), weight)

    def backward(self, dloss=1.0):
        c = self.cache
        p, ds = c.rows[c.at], np.zeros_like(c.rows)
        ds[c.at] = (2 * (1 - p) * np.log(p) - (1 - p) ** 2 / p) * self.scale(dloss)
        return self.unrows(ds)


def test_users_own():
    p = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3, 2))
    labels = np.array([[0, 1], [2, 0], [1, 1], [2, 2]])
    check_layer(Focal(), p, labels, large_inputs=False)
    loss = Focal(reduction="sum")
    loss.ignore_index = 1
    expected = sum(-((1 - p[n, y, i]) ** 2) * math.log(p[n, y, i]) for (n, i), y in np.ndenumerate(labels) if y != 1)
    assert loss.forward(p, labels) == pytest.approx(expected)


def test_scores_that_are_not_numbers_are_never_right():
    scores = np.array([[np.nan, np.nan, np.nan], [3.0, 1.0, 2.0], [1.0, np.nan, 0.0]])
    assert SoftmaxCrossEntropy().correct(scores, np.array([0, 0, 1])) == (1, 3)
