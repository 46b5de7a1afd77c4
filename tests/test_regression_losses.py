import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.errors import LabelError, ShapeError
from handbrew.layers.regression_losses import EuclideanLoss, Huber, MeanAbsoluteError, MeanSquaredError

REDUCTIONS = ["mean", "sum"]


def huber(d, delta):
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


# a loss and what it makes of one difference
ELEMENTWISE = [
    (MeanSquaredError, lambda d: d * d),
    (MeanAbsoluteError, abs),
    (Huber, lambda d: huber(d, 1.0)),
    (lambda reduction: Huber(0.3, reduction), lambda d: huber(d, 0.3)),
    (lambda reduction: Huber(5.0, reduction), lambda d: huber(d, 5.0)),
]
ALL = [MeanSquaredError, EuclideanLoss, MeanAbsoluteError, Huber]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 99))
def test_elementwise(shape, seed):
    rng = np.random.default_rng(seed)
    scores, target, weight = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.5, 2, shape)
    for (make, function), reduction in itertools.product(ELEMENTWISE, REDUCTIONS):
        losses = [function(s - t) for s, t in zip(scores.flat, target.flat, strict=True)]
        n = scores.size if reduction == "mean" else 1
        assert make(reduction=reduction).forward(scores, target) == pytest.approx(sum(losses) / n)
        weighted = sum(w * loss for w, loss in zip(weight.flat, losses, strict=True))
        n = weight.sum() if reduction == "mean" else 1
        assert make(reduction=reduction).forward(scores, target, weight) == pytest.approx(weighted / n)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 99))
def test_euclidean(shape, seed):
    rng = np.random.default_rng(seed)
    scores, target, weight = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.5, 2, shape[0])
    total = weighted = 0.0
    for at in np.ndindex(*shape):
        total += (scores[at] - target[at]) ** 2
        weighted += weight[at[0]] * (scores[at] - target[at]) ** 2
    assert EuclideanLoss().forward(scores, target) == pytest.approx(total / (2 * shape[0]))
    assert EuclideanLoss("sum").forward(scores, target) == pytest.approx(total / 2)
    assert EuclideanLoss().forward(scores, target, weight) == pytest.approx(weighted / (2 * weight.sum()))
    assert EuclideanLoss("sum").forward(scores, target, weight) == pytest.approx(weighted / 2)


@pytest.mark.parametrize(
    ("loss", "value", "slopes"),
    [
        (MeanSquaredError("sum"), 4 + 0 + 0.25, [4, 0, -1]),
        (EuclideanLoss("sum"), 2 + 0 + 0.125, [2, 0, -0.5]),
        (MeanAbsoluteError("sum"), 2.5, [1, 0, -1]),
        (Huber(1.0, "sum"), 1.5 + 0 + 0.125, [1, 0, -0.5]),
    ],
)
def test_by_hand(loss, value, slopes):
    assert loss.forward(np.array([3.0, 1, 0]), np.array([1.0, 1, 0.5])) == value
    ds, dt = loss.backward()
    np.testing.assert_array_equal(ds, slopes)
    np.testing.assert_array_equal(dt, -ds)


@pytest.mark.parametrize("make", ALL)
class TestEach:
    def test_huge_scores(self, make):
        scores = np.array([[1e4], [-1e4]], np.float32)
        loss = make()
        value = loss.forward(scores, -scores.astype(np.float64))
        assert value == pytest.approx(make().forward(scores.astype(np.float64), -scores.astype(np.float64)), rel=1e-6)
        for g in loss.backward(np.float64(1)):
            assert g.dtype == np.float32
            assert np.isfinite(g).all()

    def test_vectors_and_columns_are_not_broadcast(self, make):
        message = re.escape(
            f"{make.__name__}: expected a target of the scores' shape (4, 1), got (4,); pass target.reshape(4, 1)"
        )
        with pytest.raises(ShapeError, match=message):
            make().forward(np.zeros((4, 1)), np.zeros(4))

    def test_integers_are_no_quantities(self, make):
        with pytest.raises(LabelError, match=re.escape("got uint8; if these are quantities, pass target.astype(")):
            make().forward(np.zeros(4), np.zeros(4, np.uint8))

    def test_repr_and_defaults(self, make):
        assert repr(make()) == f"{make.__name__}()"
        assert make().correct(np.zeros(2), np.zeros(2)) is None
        scores = np.zeros(2)
        assert make().predict(scores) is scores


def test_bad_arguments():
    with pytest.raises(ValueError, match="Huber: expected delta > 0, got 0"):
        Huber(0)
    with pytest.raises(ShapeError, match="EuclideanLoss: expected scores of shape"):
        EuclideanLoss().forward(np.array(1.0), np.array(2.0))
