"""Metrics against loops over positions, with ties, images, ignored labels and uneven batches."""

import copy
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.layers import Affine, LabelError, Loss, ShapeError, SoftmaxCrossEntropy
from handbrew.nets import Accuracy, Confusion, Sequential, TopK


@st.composite
def answers(draw, min_classes=1):
    """Scores with many ties and their labels, the class axis, an ignored label and where to cut batches."""
    n, classes = draw(st.integers(0, 6)), draw(st.integers(min_classes, 5))
    rest = draw(st.sampled_from([(), (3,), (2, 3)]))
    axis = draw(st.sampled_from([1, -1]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = (n, classes, *rest) if axis == 1 else (n, *rest, classes)
    scores = rng.integers(-2, 3, shape).astype(draw(st.sampled_from([np.float32, np.float64])))
    labels = rng.integers(0, classes, (n, *rest)).astype(draw(st.sampled_from([np.int64, np.uint8])))
    ignore = draw(st.sampled_from([None, 0, 200]))
    if ignore is not None:
        labels[rng.random(labels.shape) < 0.3] = ignore
    return scores, labels, axis, ignore, sorted(draw(st.lists(st.integers(0, n), max_size=2)))


def fed(metric, scores, labels, cuts):
    metric.reset()
    for s, t in zip(np.split(scores, cuts), np.split(labels, cuts), strict=True):
        metric.add(s, t)
    return metric


def positions(scores, labels, axis, ignore):
    """The scores, as a list, and the label of each position that counts."""
    moved = np.moveaxis(scores, axis, -1)
    return [(moved[at].tolist(), int(labels[at])) for at in np.ndindex(labels.shape) if labels[at] != ignore]


def ranked(row):
    """The classes, best first; of equals the lower class."""
    return sorted(range(len(row)), key=lambda c: (-row[c], c))


@settings(max_examples=150, deadline=None)
@given(answers(), st.integers(1, 5))
def test_accuracy_and_top_k(case, k):
    scores, labels, axis, ignore, cuts = case
    there, classes = positions(scores, labels, axis, ignore), scores.shape[axis]
    accuracy = fed(Accuracy(axis, ignore), scores, labels, cuts)
    right = [ranked(row)[0] == label for row, label in there]
    assert accuracy.value == (sum(right) / len(right) if right else None)
    if k <= classes:
        right = [label in ranked(row)[:k] for row, label in there]
        assert fed(TopK(k, axis, ignore), scores, labels, cuts).value == (sum(right) / len(right) if right else None)
    assert fed(TopK(1, axis, ignore), scores, labels, cuts).value == accuracy.value
    assert fed(TopK(classes, axis, ignore), scores, labels, cuts).value == (1.0 if there else None)


@settings(max_examples=150, deadline=None)
@given(answers())
def test_confusion(case):
    scores, labels, axis, ignore, cuts = case
    classes = scores.shape[axis]
    pairs = [(label, ranked(row)[0]) for row, label in positions(scores, labels, axis, ignore)]
    confusion = fed(Confusion(axis=axis, ignore_index=ignore), scores, labels, cuts)
    assert confusion.value.tolist() == [[pairs.count((i, j)) for j in range(classes)] for i in range(classes)]
    assert confusion.value.dtype == np.int64
    for c in range(classes):
        hits, true, said = pairs.count((c, c)), [t for t, _ in pairs].count(c), [p for _, p in pairs].count(c)
        assert confusion.support[c] == true
        recall, precision = hits / true if true else math.nan, hits / said if said else math.nan
        np.testing.assert_equal([confusion.recall[c], confusion.precision[c]], [recall, precision])
        if hits:
            assert confusion.f1[c] == pytest.approx(2 / (1 / recall + 1 / precision), rel=1e-12)
        else:
            np.testing.assert_equal(confusion.f1[c], 0.0 if true or said else math.nan)


def test_scores_that_are_all_alike_have_k_in_c_right():
    scores, labels = np.zeros((10, 5)), np.repeat(np.arange(5), 2)
    for k in range(1, 6):
        assert fed(TopK(k), scores, labels, []).value == k / 5


def test_scores_with_a_nan_are_not_right():
    scores = np.array([[1.0, 0.0, np.nan], [np.nan, 1.0, 2.0], [3.0, 2.0, 1.0]])
    labels = np.array([0, 0, 0])
    for metric in (Accuracy(), TopK(1), TopK(2), TopK(3)):
        assert fed(metric, scores, labels, []).value == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="Confusion: the scores of 2 of 3 positions are nan"):
        Confusion().add(scores, labels)
    infinite = np.where(np.isnan(scores), np.inf, scores)
    assert fed(Accuracy(), infinite, labels, []).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", [Accuracy(), TopK(2), Confusion(), Confusion(["a", "b", "c"])])
class TestAnyMetric:
    scores, labels = np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 0])

    def test_reset_forgets(self, metric):
        first = copy.deepcopy(fed(metric, self.scores, self.labels, [])).value
        assert metric.value is not None
        metric.add(self.scores, self.labels[::-1])
        assert not np.array_equal(metric.value, first)
        np.testing.assert_array_equal(fed(metric, self.scores, self.labels, [1]).value, first)

    def test_writes_into_nothing_and_takes_labels_in_a_list(self, metric):
        scores, labels = self.scores.copy(), self.labels.copy()
        scores.flags.writeable = labels.flags.writeable = False
        value = fed(metric, scores, labels, []).value
        metric.reset()
        metric.add(scores, labels.tolist())
        np.testing.assert_array_equal(metric.value, value)

    def test_a_value_that_was_read_stays(self, metric):
        value = fed(metric, self.scores, self.labels, []).value
        before = copy.copy(value)
        metric.add(self.scores, self.labels)
        np.testing.assert_array_equal(value, before)

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (np.eye(3)[[0, 1, 2, 2]], "of probabilities take target.argmax(axis=1)"),
            (np.ones((4, 3), np.float32), "got float32 of shape (4, 3)"),
            (np.ones(4), "expected integer labels, got float64 of shape (4,)"),
            (np.ones(4, bool), "got bool"),
            (np.eye(3, dtype=int)[[0, 1, 2, 2]], "if they are one-hot, pass labels.argmax(axis=1)"),
            (np.array([0, 1, 3, 0]), "expected labels from 0 to 2, got 3 at position 2"),
            (np.array([0, 1, -1, 0]), "ignore_index"),
            (np.array([[0], [1], [2], [0]]), "pass labels.reshape(4,)"),
            (np.array([0, 1, 2]), "expected integer labels of shape (4,), got int64 of shape (3,)"),
        ],
    )
    def test_targets_that_are_no_labels(self, metric, target, message):
        metric.reset()
        with pytest.raises(LabelError, match=f"^{type(metric).__name__}: .*{re.escape(message)}"):
            metric.add(self.scores, target)

    def test_scores_without_classes(self, metric):
        metric.reset()
        with pytest.raises(ShapeError, match=f"^{type(metric).__name__}: expected classes on axis 1"):
            metric.add(np.zeros(4), np.zeros(4, int))

    def test_prints_as_its_constructor(self, metric):
        assert eval(repr(metric)).config() == metric.config()


def test_top_k_needs_k_classes():
    with pytest.raises(ValueError, match="TopK: expected a k of at least 1, got 0"):
        TopK(0)
    with pytest.raises(ShapeError, match="TopK: expected at least 5 classes, got 3"):
        TopK(5).add(np.zeros((2, 3)), np.zeros(2, int))


def test_the_number_of_classes_stays():
    confusion = Confusion()
    assert confusion.value.shape == (0, 0)
    confusion.add(np.zeros((2, 3)), np.zeros(2, int))
    with pytest.raises(ShapeError, match="expected scores of 3 classes, as named or as before, got 4"):
        confusion.add(np.zeros((2, 4)), np.zeros(2, int))
    confusion.reset()
    confusion.add(np.zeros((2, 4)), np.zeros(2, int))
    for names in (["a", "b", "c"], []):
        with pytest.raises(ShapeError, match=f"expected scores of {len(names)} classes"):
            Confusion(names).add(np.zeros((2, 4)), np.zeros(2, int))
    assert Confusion(["a", "b"]).value.tolist() == [[0, 0], [0, 0]]


def test_what_is_done_to_a_value_does_not_count():
    confusion = fed(Confusion(), np.eye(2), np.array([0, 1]), [])
    confusion.value[:] = 7
    assert confusion.value.tolist() == [[1, 0], [0, 1]]


def test_the_table():
    confusion = Confusion(["cat", "dog", "wolf", "yeti"])
    true, said = [0] * 4 + [1] + [2], [0, 0, 0, 1, 1, 1]
    confusion.add(np.eye(4)[said], np.array(true))
    assert str(confusion).splitlines() == [
        "class  count  found (recall)  right when said (precision)      F1",
        "-" * 65,
        "cat        4          75.0 %                      100.0 %  85.7 %",
        "dog        1         100.0 %                       33.3 %  50.0 %",
        "wolf       1           0.0 %                            -   0.0 %",
        "yeti       0               -                            -       -",
        "-" * 65,
        "all        6          66.7 %",
    ]
    assert str(Confusion()).splitlines()[-1].split() == ["all", "0", "-"]
    numbered = fed(Confusion(), np.eye(2), np.array([0, 1]), [])
    assert [line.split()[0] for line in str(numbered).splitlines() if line[0] != "-"] == ["class", "0", "1", "all"]


class Squared(Loss):
    """A loss that knows nothing of labels, but lets them pass."""

    def forward(self, scores, target, weight=None):
        return self.reduce((scores.argmax(axis=1) - target) ** 2.0, weight)


class Largest:
    """A metric of a user's own, which inherits from nothing."""

    def reset(self):
        self.value, self.batches = -np.inf, 0

    def add(self, scores, target):
        self.value, self.batches = max(self.value, float(scores.max())), self.batches + 1


class TestInEvaluate:
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)

    def net(self, loss=None):
        net = Sequential(Affine(3), loss or SoftmaxCrossEntropy()).astype(np.float64)
        net.build((4,))
        return net

    @pytest.mark.parametrize("batch_size", [1, 5, 23, 256])
    def test_metrics_are_reset_and_fed_every_sample(self, batch_size):
        net, metrics = self.net(), {"top1": Accuracy(), "top2": TopK(2), "matrix": Confusion(), "own": Largest()}
        for _ in range(2):
            loss, accuracy = net.evaluate(self.X, self.y, batch_size, metrics=metrics)
        scores = net.forward(self.X)
        assert (loss, accuracy) == net.evaluate(self.X, self.y, batch_size)
        assert metrics["top1"].value == accuracy
        assert metrics["matrix"].value.trace() / 23 == accuracy
        assert metrics["top2"].value == np.mean([y in np.argsort(-s)[:2] for s, y in zip(scores, self.y, strict=True)])
        assert metrics["own"].value == pytest.approx(scores.max(), rel=1e-12)
        assert metrics["own"].batches == -(-23 // batch_size)

    @pytest.mark.parametrize("kind", [list, tuple, iter])
    def test_metrics_in_any_collection(self, kind):
        accuracy, matrix = Accuracy(), Confusion()
        found = self.net().evaluate(self.X, self.y, 5, metrics=kind([accuracy, matrix]))
        assert found.accuracy == accuracy.value == matrix.value.trace() / 23

    def test_a_metric_alone_says_what_was_expected(self):
        with pytest.raises(TypeError, match=r"expected metrics=\[…\] or a dict, got Accuracy\(\)"):
            self.net().evaluate(self.X, self.y, metrics=Accuracy())

    def test_ignored_labels(self):
        labels, matrix = np.where(self.y == 1, 255, self.y), Confusion(ignore_index=255)
        found = self.net(SoftmaxCrossEntropy(ignore_index=255)).evaluate(self.X, labels, 4, metrics=[matrix])
        assert matrix.support.sum() == (self.y != 1).sum()
        assert found.accuracy == matrix.value.trace() / matrix.value.sum()
        with pytest.raises(LabelError, match=r"Confusion: .*got 255.*ignore_index"):
            self.net(SoftmaxCrossEntropy(ignore_index=255)).evaluate(self.X, labels, metrics=[Confusion()])

    def test_metrics_ask_nothing_of_the_loss(self):
        accuracy = Accuracy()
        assert self.net(Squared()).evaluate(self.X, self.y, metrics=[accuracy]).accuracy is None
        assert accuracy.value == np.mean(self.net().forward(self.X).argmax(axis=1) == self.y)
