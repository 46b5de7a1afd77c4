import copy
import pickle
import re

import numpy as np
import pytest
from cases_losses import CASES

from handbrew.layers.check import check_layer
from handbrew.layers.class_loss import ClassLoss
from handbrew.layers.embedding_losses import Contrastive, Triplet
from handbrew.layers.errors import CacheError, LabelError, ShapeError
from handbrew.layers.loss import Loss
from handbrew.layers.regression_losses import EuclideanLoss, MeanSquaredError
from handbrew.layers.softmax_loss import SoftmaxCrossEntropy


class SquaredError(Loss):
    """What a user writes."""

    def forward(self, scores, target, weight=None):
        d = self.cache.d = scores - self.check_pair(scores, target)
        return self.reduce(d * d, weight)

    def backward(self, dloss=1.0):
        ds = 2 * self.cache.d * self.scale(dloss)
        return ds, -ds


class Hardest(Loss):
    """A user's constructor that does not call ours."""

    def __init__(self, power):
        self.power = power

    def forward(self, scores, target, weight=None):
        labels = self.check_labels(target, scores.shape[:1], scores.shape[1])
        self.cache.p = p = scores[np.arange(len(labels)), labels]
        self.cache.labels, self.cache.shape = labels, scores.shape
        return self.reduce(p**self.power, weight)

    def backward(self, dloss=1.0):
        c = self.cache
        ds = np.zeros(c.shape, c.p.dtype)
        ds[np.arange(len(c.labels)), c.labels] = self.power * c.p ** (self.power - 1) * self.scale(dloss)
        return ds


def arrays(inputs, dtype=np.float64):
    """A case's inputs without weights, shapes as five normal samples."""
    rng = np.random.default_rng(1)
    made = [rng.normal(size=(5, *x)) if isinstance(x, tuple) else x for x in inputs]
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in made]


def positions(loss, scores):
    if isinstance(loss, ClassLoss):
        return loss.positions(scores)
    return scores.shape[:1] if isinstance(loss, (EuclideanLoss, Contrastive, Triplet)) else scores.shape


def gradients(loss, dloss=1.0):
    result = loss.backward(dloss)
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture(params=CASES, ids=[name for name, _, _ in CASES])
def case(request):
    """A loss, its inputs, and the shape of its weights."""
    _, make, inputs = request.param
    loss = make()
    inputs = arrays(inputs[:3] if isinstance(loss, (Contrastive, Triplet)) else inputs[:2])
    return loss, inputs, positions(loss, inputs[0])


class TestEveryLoss:
    def test_weights_of_one_are_no_weights(self, case):
        loss, inputs, shape = case
        value, expected = loss.forward(*inputs), gradients(loss)
        assert isinstance(value, float)
        assert loss.forward(*inputs, np.ones(shape)) == pytest.approx(value, rel=1e-12)
        for a, b in zip(expected, gradients(loss), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)

    def test_a_weight_of_two_is_the_sample_twice(self, case):
        loss, inputs, shape = case
        times = np.array([1, 2, 0, 3, 1])
        weight = np.broadcast_to(times.reshape(-1, *[1] * (len(shape) - 1)), shape)
        expected = loss.forward(*(np.repeat(x, times, axis=0) for x in inputs))
        assert loss.forward(*inputs, weight) == pytest.approx(expected, rel=1e-12)
        assert all(not g[2].any() for g in gradients(loss))

    def test_one_weight_per_sample_is_that_of_all_its_positions(self, case):
        loss, inputs, shape = case
        weight = np.array([1.0, 0.5, 0.0, 3.0, 1.0])
        each = np.array([np.full(shape[1:], w) for w in weight])
        expected, slopes = loss.forward(*inputs, each), gradients(loss)
        assert loss.forward(*inputs, weight) == expected
        for a, b in zip(slopes, gradients(loss), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_nothing_counted_gives_nothing(self, case):
        loss, inputs, shape = case
        for given in ((*inputs, np.zeros(shape)), [x[:0] for x in inputs]):
            assert loss.forward(*given) == 0.0
            floats = [x for x in given[: len(inputs)] if x.dtype.kind == "f"]
            for x, g in zip(floats, gradients(loss), strict=True):
                assert g.shape == x.shape
                assert not g.any()

    def test_the_gradient_is_scaled_by_dloss(self, case):
        loss, inputs, _ = case
        loss.forward(*inputs)
        once = gradients(loss)
        for a, b in zip(once, gradients(loss, np.float64(-3.0)), strict=True):
            np.testing.assert_allclose(-3 * a, b, rtol=1e-12)
        for a, b in zip(once, gradients(loss), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_float32_stays_whatever_the_weights_are(self, case):
        loss, inputs, shape = case
        value = loss.forward(*inputs)
        inputs[0] = inputs[0].astype(np.float32)
        if isinstance(loss, (Contrastive, Triplet)):
            inputs = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in inputs]
        for weight in (np.ones(shape), np.ones(shape, int), np.ones(shape, bool), np.ones(shape).tolist()):
            assert loss.forward(*inputs, weight) == pytest.approx(value, rel=1e-5, abs=1e-6)
            assert all(g.dtype == np.float32 for g in gradients(loss, np.float64(2.0)))

    def test_wrong_weights_are_refused(self, case):
        loss, inputs, shape = case
        message = re.escape(f"{type(loss).__name__}: expected weights of shape {shape}, got {(4, *shape[1:])}")
        with pytest.raises(ShapeError, match=message):
            loss.forward(*inputs, np.ones((4, *shape[1:])))

    def test_repr_and_copies_keep_the_settings(self, case):
        loss, inputs, _ = case
        value = loss.forward(*inputs)
        assert repr(copy.deepcopy(loss)) == repr(loss)
        assert pickle.loads(pickle.dumps(loss)).forward(*inputs) == value


class TestReduction:
    def test_the_mean_divides_by_the_sum_of_the_weights(self):
        loss = Loss()
        assert loss.reduce(np.array([1.0, 2.0, 6.0])) == 3.0
        assert loss.scale(6.0) == 2.0
        assert loss.reduce(np.array([1.0, 2.0, 6.0]), np.array([1.0, 0.0, 3.0])) == 19 / 4
        np.testing.assert_array_equal(loss.scale(8.0), [2.0, 0.0, 6.0])

    def test_the_count_may_differ_from_the_weights(self):
        assert Loss().reduce(np.array([1.0, 3.0]), None, np.array([1.0, 7.0])) == 0.5
        assert Loss().reduce(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.array([1.0, 7.0])) == 1.0

    def test_the_sum_does_not_divide(self):
        loss = Loss("sum")
        assert loss.reduce(np.array([[1.0, 2.0], [6.0, 0.0]])) == 9.0
        assert loss.reduce(np.array([1.0, 2.0]), np.array([3.0, 0.5])) == 4.0
        np.testing.assert_array_equal(loss.scale(2.0), [6.0, 1.0])
        assert loss.reduce(np.zeros(0)) == 0.0

    def test_sums_are_float64(self):
        losses = np.full(2**20, 0.1, np.float32)
        exact = float(np.float32(0.1)) * 2**20
        assert Loss("sum").reduce(losses) == pytest.approx(exact, rel=1e-12)
        assert Loss("sum").reduce(losses, np.ones(2**20, np.float32)) == pytest.approx(exact, rel=1e-12)
        huge = np.full(4, 3e38, np.float32)
        assert Loss("sum").reduce(huge) == pytest.approx(1.2e39)

    def test_an_infinite_loss_without_weight_does_not_count(self):
        assert Loss().reduce(np.array([1.0, np.inf, np.nan]), np.array([2.0, 0.0, 0.0])) == 1.0
        assert Loss().reduce(np.array([1.0, np.inf])) == np.inf

    def test_another_reduction_is_refused(self):
        with pytest.raises(ValueError, match="SoftmaxCrossEntropy: expected reduction 'mean' or 'sum', got 'none'"):
            SoftmaxCrossEntropy(reduction="none")

    def test_backward_needs_forward(self):
        with pytest.raises(CacheError, match="call forward before backward"):
            SoftmaxCrossEntropy().backward()

    def test_wrong_weights_say_what_else_would_do(self):
        fix = re.escape("expected weights of shape (2, 3, 4), got (3,); one per sample are (2,)")
        with pytest.raises(ShapeError, match=fix):
            MeanSquaredError().forward(np.ones((2, 3, 4)), np.ones((2, 3, 4)), np.ones(3))


SHAPE = (2, 3)
BAD_TARGETS = [
    (np.ones(2), ShapeError, "expected a target of the scores' shape (2, 3), got (2,)"),
    (np.ones((2, 1)), ShapeError, "got (2, 1)"),
    (np.ones((2, 1, 3)), ShapeError, "got (2, 1, 3); pass target.reshape(2, 3)"),
    (1.0, ShapeError, "got ()"),
    (
        np.ones(SHAPE, int),
        LabelError,
        "expected floating-point targets, got int64; if these are quantities, pass",
    ),
    (np.ones(SHAPE, bool), LabelError, "got bool"),
    ([[1, 2, 3], [4, 5, 6]], LabelError, "pass target.astype(np.float32)"),
]


class TestCheckPair:
    @pytest.mark.parametrize(("target", "error", "message"), BAD_TARGETS)
    def test_bad_targets(self, target, error, message):
        with pytest.raises(error, match="^Loss: .*" + re.escape(message)):
            Loss().check_pair(np.ones(SHAPE, np.float32), target)

    def test_columns_and_vectors_are_told_apart(self):
        with pytest.raises(ShapeError, match=re.escape("pass target.reshape(4, 1)")):
            Loss().check_pair(np.ones((4, 1)), np.ones(4))
        with pytest.raises(ShapeError, match=re.escape("pass target.reshape(4,)")):
            Loss().check_pair(np.ones(4), np.ones((4, 1)))

    def test_the_target_takes_the_scores_dtype(self):
        target = np.ones(SHAPE)
        assert Loss().check_pair(np.ones(SHAPE, np.float32), target).dtype == np.float32
        assert Loss().check_pair(np.ones(SHAPE), target) is target
        assert Loss().check_pair(np.ones(2), [1.0, 2.0]).tolist() == [1.0, 2.0]

    @pytest.mark.parametrize("bad", [-0.5, 1.5, np.nan, np.inf])
    def test_probabilities_are_from_0_to_1(self, bad):
        target = np.array([[0.2, bad, 1.0]])
        with pytest.raises(LabelError, match=f"expected probabilities from 0 to 1, got {bad:g} \\(1 of 3 are"):
            Loss().check_probabilities(np.ones((1, 3)), target)

    def test_rounded_probabilities_are_fine(self):
        target = np.array([-1e-7, 1 + 1e-7])
        assert Loss().check_probabilities(np.ones(2), target) is target


BAD_LABELS = [
    (
        np.array([0.0, 1.0]),
        "expected integer labels of shape (2,), got float64 of shape (2,); pass labels.astype(int)",
    ),
    (np.array([True, False]), "got bool of shape (2,); pass labels.astype(int)"),
    (np.array([[0], [1]]), "got int64 of shape (2, 1); pass labels.reshape(2,)"),
    (np.array([[0.0], [1.0]]), "got float64 of shape (2, 1); pass labels.reshape(2,).astype(int)"),
    (np.eye(3, dtype=int)[:2], "got int64 of shape (2, 3); if they are one-hot, pass labels.argmax(axis=1)"),
    (np.eye(3)[:2], "got float64 of shape (2, 3); if they are one-hot, pass labels.argmax(axis=1)"),
    (np.eye(3, dtype=int)[:, :2], "if they are one-hot, pass labels.argmax(axis=0)"),
    (
        np.ones((2, 4)),
        "got float64 of shape (2, 4); probabilities, for a loss that takes them, have the scores' shape",
    ),
    (np.array([0, 1, 2]), "got int64 of shape (3,)"),
    (np.array(1), "got int64 of shape ()"),
    (np.array(["cat", "dog"]), "got <U3 of shape (2,)"),
    ([0.5, 1.0], "got float64 of shape (2,)"),
    (np.array([0, -1]), "expected labels from 0 to 2, got -1 at position 1 (1 of 2 are out of range)"),
    (np.array([0, -100]), "positions to be left out by ignore_index?"),
    (np.array([0, 7], np.uint8), "got 7 at position 1 (1 of 2 are out of range); are there fewer outputs"),
    (np.array([1, 3]), "got 3 at position 1 (1 of 2 are out of range); if they begin at 1, pass labels - 1"),
    (np.array([2**63, 0], np.uint64), "got 9223372036854775808 at position 0"),
]


class TestCheckLabels:
    @pytest.mark.parametrize(("labels", "message"), BAD_LABELS)
    def test_bad_labels(self, labels, message):
        with pytest.raises(LabelError, match="^Loss: .*" + re.escape(message)):
            Loss().check_labels(labels, (2,), 3)

    def test_pixels(self):
        labels = np.zeros((2, 4, 5), int)
        labels[1, 2, 3] = 9
        with pytest.raises(LabelError, match=re.escape("got 9 at position (1, 2, 3) (1 of 40")):
            Loss().check_labels(labels, (2, 4, 5), 3)
        with pytest.raises(LabelError, match=re.escape("pass labels.reshape(2, 4, 5)")):
            Loss().check_labels(labels[:, None], (2, 4, 5), 3)
        with pytest.raises(LabelError, match=re.escape("labels.argmax(axis=1)")):
            Loss().check_labels(np.zeros((3, 3, 3, 3), int), (3, 3, 3), 3)

    def test_signs_are_not_labels(self):
        with pytest.raises(LabelError, match=re.escape("if they are -1 and 1, pass (labels + 1) // 2")):
            Loss().check_labels(np.array([-1, 1]), (2,), 2)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint64])
    def test_any_integers_will_do(self, dtype):
        labels = Loss().check_labels(np.array([2, 0], dtype), (2,), 3)
        assert labels.dtype == np.intp
        assert labels.tolist() == [2, 0]
        assert Loss().check_labels([2, 0], (2,), 3).tolist() == [2, 0]

    @pytest.mark.parametrize(("ignore", "dtype"), [(-1, int), (255, np.uint8), (-1, np.uint8), (1, int)])
    def test_ignored_labels_need_no_class(self, ignore, dtype):
        ignored = ignore if np.iinfo(dtype).min <= ignore else 0
        labels = np.array([2, ignored, 0], dtype)
        assert Loss().check_labels(labels, (3,), 3, ignore).tolist() == labels.tolist()
        with pytest.raises(LabelError, match="got 3 at position 0 \\(1 of 3"):
            Loss().check_labels(np.array([3, ignored, 0], dtype), (3,), 3, ignore)

    def test_all_ignored_or_none_there(self):
        assert Loss().check_labels(np.array([9, 9]), (2,), 3, 9).tolist() == [9, 9]
        assert Loss().check_labels(np.zeros(0, int), (0,), 3).shape == (0,)


class TestUsersOwn:
    def test_it_is_a_layer_that_takes_a_target(self):
        loss = SquaredError()
        assert loss.built
        assert loss.takes_target
        assert loss.build((3,)) == loss.out_shape == ()
        assert dict(loss.params) == {}

    def test_few_lines_are_a_loss(self):
        assert SquaredError().forward(np.array([1.0, 2.0]), np.array([0.0, 4.0])) == 2.5
        check_layer(SquaredError(), (3,), (3,))
        check_layer(SquaredError(), (3,), (3,), np.ones((5, 3)))
        check_layer(SquaredError("sum"), (3,), (3,))
        assert repr(SquaredError("sum")) == "SquaredError(reduction='sum')"

    def test_the_constructor_need_not_be_called(self):
        loss = Hardest(3)
        assert loss.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0])) == (8 + 27) / 2
        check_layer(loss, (3,), np.array([0, 2, 1, 1]))
        loss.reduction = "sum"
        assert loss.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0])) == 35

    def test_what_is_not_said_has_a_default(self):
        scores = np.ones((2, 3))
        assert SquaredError().predict(scores) is scores
        assert SquaredError().correct(scores, scores) is None
