import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import balanced_weights
from handbrew.layers import SoftmaxCrossEntropy


@settings(max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(5, 8) | st.none())
def test_each_class_that_is_there_counts_the_same(labels, classes):
    found = balanced_weights(labels, classes)
    there = set(labels)
    assert len(found) == (classes or max(labels) + 1)
    for k, weight in enumerate(found.tolist()):
        if k in there:
            assert weight * labels.count(k) * len(there) == pytest.approx(len(labels), rel=1e-12)
        else:
            assert weight == 1.0
    assert np.mean([found[k] for k in labels]) == pytest.approx(1.0, rel=1e-12)


def test_values_of_scikit_learn():
    """compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 0, 1, 2, 2]), version 1.9."""
    np.testing.assert_allclose(balanced_weights([0, 0, 0, 0, 1, 2, 2]), [0.58333333, 2.33333333, 1.16666667], rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_of_pixels_and_of_any_kind(dtype):
    labels = np.array([[[0, 1], [1, 1]]], dtype)
    assert balanced_weights(labels).tolist() == [2.0, 2 / 3]


def test_a_rare_class_weighs_as_much_as_a_frequent_one():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [50, 5, 1])
    scores = rng.normal(size=(56, 3))
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    losses = -log_p[np.arange(56), labels]
    of_classes = [losses[labels == k].mean() for k in range(3)]
    loss = SoftmaxCrossEntropy(class_weight=balanced_weights(labels))
    assert loss.forward(scores, labels) == pytest.approx(np.mean(of_classes), rel=1e-12)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([], 3, r"expected integers, at least one, got float64 of shape \(0,\)"),
        (np.zeros(0, int), None, "at least one"),
        ([0.0, 1.0], None, "expected integers, at least one, got float64"),
        ([0, -1], None, r"from 0 on, got -1 to 0; .* labels\[labels != -1\]"),
        ([0, 3], 3, r"from 0 to 2, got 0 to 3; .* labels\[labels != 3\]"),
    ],
)
def test_what_cannot_be_balanced(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        balanced_weights(labels, classes)
