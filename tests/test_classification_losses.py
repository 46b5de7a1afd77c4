import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.classification_losses import KLDivergence, NegativeLogLikelihood, SigmoidCrossEntropy
from handbrew.layers.errors import LabelError, ShapeError
from handbrew.layers.softmax import LogSoftmax
from handbrew.layers.softmax_loss import SoftmaxCrossEntropy

LAYOUTS = [((4, 3), 1), ((4, 3), -1), ((2, 3, 4), 1), ((2, 4, 3), -1), ((2, 3, 2, 2), 1), ((2, 2, 3, 2), 2)]
REDUCTIONS = ["mean", "sum"]


def distributions(shape, axis, rng):
    return np.moveaxis(rng.dirichlet(np.ones(shape[axis]), np.delete(shape, axis)), -1, axis)


class TestSigmoidCrossEntropy:
    @staticmethod
    def naive(scores, target, weight, pos_weight, reduction):
        total = count = 0.0
        for at, s in np.ndenumerate(scores):
            p, t = 1 / (1 + math.exp(-s)), float(target[at])
            times = 1.0 if weight is None else weight[at]
            w = np.broadcast_to(pos_weight, scores.shape)[at]
            total -= times * (w * t * math.log(p) + (1 - t) * math.log(1 - p))
            count += times
        return total if reduction == "sum" else total / count

    @pytest.mark.parametrize("pos_weight", [1.0, 2.5, [0.5, 2.0, 3.0]])
    @pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 2, 3)])
    def test_value(self, shape, pos_weight):
        rng = np.random.default_rng(0)
        scores = 3 * rng.normal(size=shape)
        targets = (
            rng.uniform(size=shape),
            rng.integers(0, 2, shape),
            rng.integers(0, 2, shape).astype(np.uint8),
        )
        weights = None, rng.uniform(0.5, 2, shape)
        for target, weight, reduction in itertools.product(targets, weights, REDUCTIONS):
            loss = SigmoidCrossEntropy(pos_weight, reduction)
            expected = self.naive(scores, target, weight, pos_weight, reduction)
            assert loss.forward(scores, target, weight) == pytest.approx(expected, rel=1e-12)

    @given(st.floats(-30, 30), st.floats(0, 1))
    def test_gradient_is_p_minus_t(self, s, t):
        loss = SigmoidCrossEntropy()
        loss.forward(np.array([s]), np.array([t]))
        ds, dt = loss.backward()
        assert ds[0] == pytest.approx(1 / (1 + math.exp(-s)) - t, abs=1e-12)
        assert dt[0] == pytest.approx(-s, abs=1e-12)

    def test_labels_have_no_gradient(self):
        loss = SigmoidCrossEntropy()
        loss.forward(np.zeros((2, 1)), np.array([[0], [1]]))
        np.testing.assert_array_equal(loss.backward(), [[0.25], [-0.25]])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_huge_scores(self, dtype):
        scores = np.array([1e4, -1e4, 1e4, -1e4, 20, -20], dtype)
        labels = np.array([1, 0, 0, 1, 1, 0])
        loss = SigmoidCrossEntropy(reduction="sum")
        assert loss.forward(scores, labels) == pytest.approx(2e4)
        ds = loss.backward()
        assert ds.dtype == dtype
        np.testing.assert_allclose(ds, [0, 0, 1, -1, 0, 0], atol=1e-6)
        np.testing.assert_allclose(loss.predict(scores[:4]), [1, 0, 1, 0])
        # what is small stays exact: neither is rounded to 0 in float32
        assert loss.forward(scores[4:], labels[4:]) == pytest.approx(2 * math.exp(-20), rel=1e-5)
        assert loss.predict(scores[5:])[0] == pytest.approx(math.exp(-20), rel=1e-5)

    def test_correct_counts_elements(self):
        scores = np.array([[1.0, -2.0], [3.0, -0.1]])
        assert SigmoidCrossEntropy().correct(scores, np.array([[1, 0], [0, 1]])) == (2, 4)
        assert SigmoidCrossEntropy().correct(scores, np.array([[0.9, 0.2], [0.55, 0.45]])) == (4, 4)
        with pytest.raises(LabelError):
            SigmoidCrossEntropy().correct(scores, np.array([1, 0]))

    @pytest.mark.parametrize(
        ("target", "error", "message"),
        [
            (
                np.array([0, 1]),
                LabelError,
                "expected integer labels of shape (2, 1), got int64 of shape (2,); pass labels.reshape(2, 1)",
            ),
            (np.array([0.0, 1.0]), ShapeError, "pass target.reshape(2, 1)"),
            (np.array([[-1], [1]]), LabelError, "if they are -1 and 1, pass (labels + 1) // 2"),
            (np.array([[-1.0], [1.0]]), LabelError, "-1 and 1 by (target + 1) / 2"),
            (np.array([[0], [2]]), LabelError, "expected labels from 0 to 1, got 2 at position (1, 0)"),
            (np.array([[True], [False]]), LabelError, "pass labels.astype(int)"),
        ],
    )
    def test_bad_targets(self, target, error, message):
        with pytest.raises(error, match="^SigmoidCrossEntropy: .*" + re.escape(message)):
            SigmoidCrossEntropy().forward(np.zeros((2, 1)), target)

    def test_a_pos_weight_that_does_not_fit(self):
        message = re.escape("broadcasts to the scores' shape (4, 2), got shape (3,)")
        with pytest.raises(ShapeError, match=message):
            SigmoidCrossEntropy([1, 2, 3]).forward(np.zeros((4, 2)), np.zeros((4, 2)))
        with pytest.raises(ShapeError, match="got shape"):
            SigmoidCrossEntropy(np.ones((5, 4, 2))).forward(np.zeros((4, 2)), np.zeros((4, 2)))


class TestNegativeLogLikelihood:
    @staticmethod
    def naive(log_p, labels, axis, weight, class_weight, ignore_index, reduction):
        total = count = 0.0
        for at in np.ndindex(labels.shape):
            if labels[at] != ignore_index:
                times = (1.0 if weight is None else weight[at]) * (class_weight or [1, 1, 1])[labels[at]]
                total -= times * np.moveaxis(log_p, axis, -1)[at][labels[at]]
                count += times
        if reduction == "sum":
            return total
        return total / count if count else 0.0

    @pytest.mark.parametrize("ignore_index", [None, 2, -100])
    @pytest.mark.parametrize("class_weight", [None, [0.5, 2.0, 1.5]])
    @pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
    def test_value(self, shape, axis, class_weight, ignore_index):
        rng = np.random.default_rng(0)
        log_p = np.log(distributions(shape, axis, rng))
        labels = rng.integers(0, 3, np.delete(shape, axis))
        labels[0] = ignore_index or 0
        for weight, reduction in itertools.product([None, rng.uniform(0.5, 2, labels.shape)], REDUCTIONS):
            loss = NegativeLogLikelihood(axis, class_weight, ignore_index, reduction)
            expected = self.naive(log_p, labels, axis, weight, class_weight, ignore_index, reduction)
            assert loss.forward(log_p, labels, weight) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("ignore_index", [None, 1])
    def test_after_log_softmax_it_is_cross_entropy(self, ignore_index):
        rng = np.random.default_rng(0)
        scores, labels = rng.normal(size=(4, 3, 5)), rng.integers(0, 3, (4, 5))
        together = SoftmaxCrossEntropy(class_weight=[1, 2, 3], ignore_index=ignore_index)
        first, second = LogSoftmax(), NegativeLogLikelihood(class_weight=[1, 2, 3], ignore_index=ignore_index)
        expected = together.forward(scores, labels)
        assert second.forward(first.forward(scores), labels) == pytest.approx(expected)
        np.testing.assert_allclose(first.backward(second.backward()), together.backward(), atol=1e-12)

    def test_what_is_ignored_may_be_impossible(self):
        log_p = np.array([[-np.inf, 0.0], [-1.0, -2.0]])
        loss = NegativeLogLikelihood(ignore_index=255)
        assert loss.forward(log_p, np.array([255, 1], np.uint8)) == 2.0
        np.testing.assert_array_equal(loss.backward(), [[0, 0], [0, -1]])
        assert NegativeLogLikelihood().forward(log_p, np.array([0, 1])) == math.inf

    def test_predict_and_correct(self):
        p = np.array([[0.25, 0.75], [0.5, 0.5]])
        np.testing.assert_allclose(NegativeLogLikelihood().predict(np.log(p)), p)
        assert NegativeLogLikelihood().correct(np.log(p), np.array([1, 1])) == (1, 2)

    def test_probabilities_are_refused(self):
        with pytest.raises(LabelError, match=re.escape("if they are one-hot, pass labels.argmax(axis=1)")):
            NegativeLogLikelihood().forward(np.zeros((2, 3)), np.eye(3)[:2])


class TestKLDivergence:
    @staticmethod
    def naive(log_q, p, axis, weight, reduction):
        log_q, p = np.moveaxis(log_q, axis, -1), np.moveaxis(p, axis, -1)
        total = count = 0.0
        for at in np.ndindex(p.shape[:-1]):
            times = 1.0 if weight is None else weight[at]
            pairs = zip(p[at], log_q[at], strict=True)
            total += times * sum(a * (math.log(a) - b) for a, b in pairs if a > 0)
            count += times
        return total if reduction == "sum" else total / count

    @pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
    def test_value(self, shape, axis):
        rng = np.random.default_rng(0)
        log_q, p = np.log(distributions(shape, axis, rng)), distributions(shape, axis, rng)
        p[0] = 0
        weights = None, rng.uniform(0.5, 2, np.delete(shape, axis))
        for weight, reduction in itertools.product(weights, REDUCTIONS):
            expected = self.naive(log_q, p, axis, weight, reduction)
            got = KLDivergence(axis, reduction).forward(log_q, p, weight)
            assert got == pytest.approx(expected, rel=1e-12)

    def test_equal_distributions_do_not_diverge(self):
        p = np.array([[0.2, 0.8], [1.0, 0.0]])
        log_q = np.log(p, where=p > 0, out=np.full_like(p, -np.inf))
        loss = KLDivergence()
        assert loss.forward(log_q, p) == 0
        dlog_q, dp = loss.backward()
        np.testing.assert_allclose(dlog_q, -p / 2)
        np.testing.assert_allclose(dp, [[0.5, 0.5], [0.5, 0]])  # log p + 1 - log q, and 0 where p = 0

    def test_the_impossible_diverges(self):
        assert KLDivergence().forward(np.array([[-np.inf, 0.0]]), np.array([[0.5, 0.5]])) == math.inf

    def test_huge_scores(self):
        log_q = np.array([[0.0, -1e4]], np.float32)
        loss = KLDivergence()
        assert loss.forward(log_q, np.array([[0.5, 0.5]])) == pytest.approx(5e3 - math.log(2))
        assert all(g.dtype == np.float32 for g in loss.backward())

    def test_bad_targets(self):
        with pytest.raises(ShapeError, match="expected a target of the scores' shape"):
            KLDivergence().forward(np.zeros((2, 3)), np.zeros(2))
        with pytest.raises(LabelError, match="expected floating-point targets, got int64"):
            KLDivergence().forward(np.zeros((2, 3)), np.zeros((2, 3), int))
        with pytest.raises(ShapeError, match="expected classes on axis 1"):
            KLDivergence().forward(np.zeros(3), np.zeros(3))

    def test_predict_and_correct(self):
        p = np.array([[0.25, 0.75], [0.9, 0.1]])
        np.testing.assert_allclose(KLDivergence().predict(np.log(p)), p)
        assert KLDivergence().correct(np.log(p), np.array([[0.1, 0.9], [0.2, 0.8]])) == (1, 2)
