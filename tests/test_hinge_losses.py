import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.errors import LabelError
from handbrew.layers.hinge_losses import MulticlassHinge, OneVsRestHinge

LAYOUTS = [((4, 3), 1), ((4, 3), -1), ((2, 3, 4), 1), ((2, 4, 3), -1), ((2, 3, 2, 2), 1), ((2, 2, 3, 2), 2)]


def multiclass(row, y, margin):
    return sum(max(0.0, s - row[y] + margin) for j, s in enumerate(row) if j != y)


def one_vs_rest(row, y, norm):
    power = {"L1": 1, "L2": 2}[norm]
    return sum(max(0.0, 1 - s if j == y else 1 + s) ** power for j, s in enumerate(row))


def reduced(function, scores, labels, axis, weight, reduction):
    moved = np.moveaxis(scores, axis, -1)
    total = count = 0.0
    for at in np.ndindex(labels.shape):
        times = 1.0 if weight is None else weight[at]
        total += times * function(moved[at].tolist(), labels[at])
        count += times
    return total if reduction == "sum" else total / count


@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_values(shape, axis):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=shape), rng.integers(0, 3, np.delete(shape, axis))
    weights = None, rng.uniform(0.5, 2, labels.shape)
    for weight, reduction in itertools.product(weights, ["mean", "sum"]):
        for margin in (0.0, 0.5, 1.0):
            expected = reduced(lambda *a, m=margin: multiclass(*a, m), scores, labels, axis, weight, reduction)
            got = MulticlassHinge(margin, axis, reduction).forward(scores, labels, weight)
            assert got == pytest.approx(expected, rel=1e-12)
        for norm in ("L1", "L2"):
            expected = reduced(lambda *a, n=norm: one_vs_rest(*a, n), scores, labels, axis, weight, reduction)
            got = OneVsRestHinge(norm, axis, reduction).forward(scores, labels, weight)
            assert got == pytest.approx(expected, rel=1e-12)


def test_the_example_of_cs231n():
    loss = MulticlassHinge(margin=10.0)
    assert loss.forward(np.array([[13.0, -7.0, 11.0]]), np.array([0])) == 8
    np.testing.assert_array_equal(loss.backward(), [[-1, 0, 1]])


def test_one_vs_rest_by_hand():
    scores, labels = np.array([[0.5, 2.0, -3.0]]), np.array([0])
    loss = OneVsRestHinge()
    assert loss.forward(scores, labels) == 0.5 + 3
    np.testing.assert_array_equal(loss.backward(), [[-1, 1, 0]])
    loss = OneVsRestHinge("L2")
    assert loss.forward(scores, labels) == 0.25 + 9
    np.testing.assert_array_equal(loss.backward(), [[-1, 6, 0]])


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_one_shift_of_all_scores_changes_no_multiclass_hinge(n, k, seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(n, k)), rng.integers(0, k, n)
    loss = MulticlassHinge()
    value = loss.forward(scores, labels)
    np.testing.assert_allclose(loss.backward().sum(axis=1), 0, atol=1e-12)
    assert loss.forward(scores + 7, labels) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores(dtype):
    scores, labels = np.array([[1e4, -1e4], [1e4, -1e4]], dtype), np.array([1, 0])
    expected = [
        (MulticlassHinge(), (2e4 + 1) / 2, [[0.5, -0.5], [0, 0]]),
        (OneVsRestHinge(), 1e4 + 1, [[0.5, -0.5], [0, 0]]),
        (OneVsRestHinge("L2"), (1e4 + 1) ** 2, [[1e4 + 1, -1e4 - 1], [0, 0]]),
    ]
    for loss, value, gradient in expected:
        assert loss.forward(scores, labels) == pytest.approx(value, rel=1e-6)
        ds = loss.backward()
        assert ds.dtype == dtype
        np.testing.assert_allclose(ds, gradient, rtol=1e-6)


@pytest.mark.parametrize("make", [MulticlassHinge, OneVsRestHinge])
def test_labels_are_integers(make):
    with pytest.raises(LabelError, match=re.escape(f"{make.__name__}: expected integer labels of shape (2,)")):
        make().forward(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(LabelError, match="got 3 at position 1"):
        make().forward(np.zeros((2, 3)), np.array([0, 3]))


@pytest.mark.parametrize("make", [MulticlassHinge, OneVsRestHinge])
def test_the_largest_score_wins(make):
    scores = np.array([[0.1, 0.3], [2.0, -1.0]])
    assert make().predict(scores) is scores
    assert make().correct(scores, np.array([1, 1])) == (1, 2)


def test_norm_is_l1_or_l2():
    with pytest.raises(ValueError, match="OneVsRestHinge: expected norm 'L1' or 'L2', got 'l2'"):
        OneVsRestHinge("l2")
    assert repr(OneVsRestHinge("L2")) == "OneVsRestHinge(norm='L2')"
