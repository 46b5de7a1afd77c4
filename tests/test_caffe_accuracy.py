"""CaffeAccuracy against a loop that counts as Caffe's does."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import LabelError, ShapeError, check_layer
from handbrew.nets.caffe.accuracy import CaffeAccuracy


def naive(scores, labels, top_k, axis, ignore):
    lines = np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])
    counted, right = np.zeros(lines.shape[1], int), np.zeros(lines.shape[1], int)
    for line, label in zip(lines.tolist(), labels.ravel().tolist(), strict=True):
        if int(label) == ignore:
            continue
        better = -1  # the label's own score counts as better
        for score in line:
            better += score >= line[int(label)]
        counted[int(label)] += 1
        right[int(label)] += better < top_k
    per_class = [r / c if c else 0 for r, c in zip(right, counted, strict=True)]
    return right.sum() / counted.sum() if counted.sum() else 0.0, per_class


@pytest.mark.parametrize(("shape", "axis"), [((50, 4), 1), ((50, 4), -1), ((20, 4, 2, 3), 1), ((10, 2, 4), 2)])
@pytest.mark.parametrize("top_k", [1, 2, 4])
@pytest.mark.parametrize("ignore", [None, 1, -1])
def test_against_a_loop(shape, axis, top_k, ignore):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, shape).astype(np.float32)  # with many ties
    labels = rng.integers(-1 if ignore == -1 else 0, 4, np.delete(shape, axis))
    accuracy, per_class = naive(scores, labels, top_k, axis, ignore)
    got = CaffeAccuracy(top_k, axis, ignore).forward(scores, labels)
    assert (got.shape, got.dtype) == ((), np.float32)
    assert got == pytest.approx(accuracy)
    # Labels in another shape, and of Caffe's dtype; negative ones are cut off towards zero.
    floating = labels.reshape(len(labels), -1, 1) + np.where(labels < 0, -0.25, 0.25).reshape(len(labels), -1, 1)
    got, classes = CaffeAccuracy(top_k, axis, ignore, per_class=True).forward(scores, floating)
    assert got == pytest.approx(accuracy)
    np.testing.assert_allclose(classes, per_class, rtol=1e-6)
    assert classes.dtype == np.float32


def test_ties_count_against_you():
    assert CaffeAccuracy().forward(np.ones((5, 3)), np.zeros(5)) == 0
    assert CaffeAccuracy(2).forward(np.ones((5, 3)), np.zeros(5)) == 0
    assert CaffeAccuracy(3).forward(np.ones((5, 3)), np.zeros(5)) == 1


def test_nothing_counted_is_zero():
    assert CaffeAccuracy(ignore_label=0).forward(np.ones((5, 3)), np.zeros(5)) == 0
    accuracy, classes = CaffeAccuracy(per_class=True).forward(np.ones((0, 3)), np.zeros(0))
    assert accuracy == 0
    assert not classes.any()


def test_nan_is_never_right():
    scores = np.full((2, 3), np.nan)
    scores[1, 1] = 5
    assert CaffeAccuracy(3).forward(scores, np.array([0, 1])) == 0.5


def test_there_is_no_gradient():
    labels = np.array([0, 2, 1, 1, 2])
    check_layer(CaffeAccuracy(), (3,), labels, allow_constant=True)
    layer = CaffeAccuracy(per_class=True)
    layer.forward(np.ones((5, 3), np.float32), labels.astype(np.float32))
    dx, rest = layer.backward((1.0, np.ones(3)))
    assert (dx.shape, dx.dtype) == ((5, 3), np.float32)
    assert not dx.any()
    assert not rest.any()
    assert layer.build(((3,), ())) == ((), ())


def test_what_is_refused():
    scores = normal((4, 3))
    for labels in (np.array([0, 1, 2, 3]), np.array([0, 1, 2, -1])):
        with pytest.raises(LabelError, match="CaffeAccuracy: expected labels from 0 to 2"):
            CaffeAccuracy().forward(scores, labels)
    with pytest.raises(LabelError, match="a label for each of 4 positions, got 3"):
        CaffeAccuracy().forward(scores, np.zeros(3))
    with pytest.raises(LabelError, match="expected integers or finite numbers"):
        CaffeAccuracy().forward(scores, np.full(4, np.inf))
    with pytest.raises(ShapeError, match="the best 4 of only 3 classes"):
        CaffeAccuracy(4).forward(scores, np.zeros(4))
    with pytest.raises(ShapeError, match="axis 2 is beyond"):
        CaffeAccuracy(axis=2).forward(scores, np.zeros(4))
    with pytest.raises(ShapeError, match="top_k"):
        CaffeAccuracy(0)
