"""Caffe's losses between two arrays against loops over the elements."""

import math

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import Contrastive, LabelError, ShapeError, check_layer
from handbrew.nets.caffe.pair_losses import CaffeContrastiveLoss, CaffeEuclideanLoss, CaffeSigmoidLoss

SIMILAR = np.array([1, 0, 0, 1, 0])


@pytest.mark.parametrize("normalization", ["VALID", "FULL", "BATCH_SIZE", "NONE"])
@pytest.mark.parametrize("ignore", [None, 0, -1])
def test_sigmoid_against_a_loop(normalization, ignore):
    rng = np.random.default_rng(0)
    scores, target = 3 * rng.normal(size=(4, 3, 2)), rng.choice([-1.0, 0.0, 0.5, 1.0, 2.5], (4, 3, 2))
    total, valid, ds, dt = 0.0, 0, np.zeros_like(scores), np.zeros_like(scores)
    for at in np.ndindex(scores.shape):
        s, t = scores[at], target[at]
        if int(t) == ignore:  # 0.5 counts as 0
            continue
        total -= s * (t - (s >= 0)) - math.log(1 + math.exp(s - 2 * s * (s >= 0)))  # as Caffe writes it
        ds[at], dt[at] = 1 / (1 + math.exp(-s)) - t, -s
        valid += 1
    by = max(1, {"VALID": valid, "FULL": 24, "BATCH_SIZE": 4, "NONE": 1}[normalization])
    layer = CaffeSigmoidLoss(ignore, normalization)
    assert layer.forward(scores, target) == pytest.approx(total / by, rel=1e-12)
    got = layer.backward()
    np.testing.assert_allclose(got[0], ds / by, atol=1e-12)
    np.testing.assert_allclose(got[1], dt / by, atol=1e-12)
    assert layer.forward(scores, target.reshape(4, 6)) == pytest.approx(total / by, rel=1e-12)
    assert layer.backward()[1].shape == (4, 6)


@pytest.mark.parametrize("ignore", [None, 1])
def test_sigmoid_gradients(ignore):
    bits = np.arange(30).reshape(5, 6) % 2
    for normalization in ("VALID", "BATCH_SIZE"):
        check_layer(CaffeSigmoidLoss(ignore, normalization), (3, 2), bits)
        check_layer(CaffeSigmoidLoss(ignore, normalization), (3, 2), normal((5, 3, 2)))
    check_layer(CaffeSigmoidLoss(ignore, "VALID"), (6,), bits, np.random.default_rng(0).uniform(0.5, 2, (5, 6)))


def test_sigmoid_divides_by_the_samples_unless_told_otherwise():
    assert CaffeSigmoidLoss().forward(np.zeros((2, 3)), np.zeros((2, 3))) == pytest.approx(3 * math.log(2))
    assert CaffeSigmoidLoss(0, "VALID").forward(np.zeros((2, 3)), np.zeros((2, 3))) == 0


def test_sigmoid_counts_what_is_right():
    scores = np.array([[1.0, -1.0, 2.0]])
    assert CaffeSigmoidLoss().correct(scores, np.array([[1, 0, 0]])) == (2, 3)
    assert CaffeSigmoidLoss(-1).correct(scores, np.array([[1, 0, -1]])) == (2, 2)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1, 1), (4, 1, 3)])
def test_euclidean(shape):
    s, t = normal((4, 3)), normal(shape, seed=1)
    layer, total = CaffeEuclideanLoss(), 0.0
    for n in range(4):
        total += sum((a - b) ** 2 for a, b in zip(s[n].tolist(), t[n].ravel().tolist(), strict=True))
    assert layer.forward(s, t) == pytest.approx(total / 8)
    ds, dt = layer.backward()
    np.testing.assert_allclose(ds, (s - t.reshape(4, 3)) / 4)
    np.testing.assert_allclose(dt, -ds.reshape(shape))


def test_euclidean_gradients():
    check_layer(CaffeEuclideanLoss(), (3, 2), (6,))
    check_layer(CaffeEuclideanLoss(), (1,), SIMILAR)  # integers are quantities too


def test_targets_of_another_size():
    for layer in (CaffeSigmoidLoss(), CaffeEuclideanLoss()):
        for shape in ((4, 2), (3, 4), (12,)):
            with pytest.raises(ShapeError, match=r"as many numbers as the scores of shape \(4, 3\) hold, got shape"):
                layer.forward(normal((4, 3)), normal(shape))


def contrastive(a, b, similar, margin, legacy):
    """Caffe's loop: the loss, and the gradient of a with its 1e-4."""
    total, da = 0.0, np.zeros_like(a)
    for n in range(len(a)):
        away = a[n] - b[n]
        square = float((away * away).sum())
        if int(similar[n]):
            total += square
            da[n] = away
        elif legacy:
            total += max(margin - square, 0)
            da[n] = -away if margin - square > 0 else 0
        else:
            d = math.sqrt(square)
            total += max(margin - d, 0) ** 2
            da[n] = -(margin - d) / (d + 1e-4) * away if margin - d > 0 else 0
    return total / len(a) / 2, da / len(a)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1, 1), (5, 2, 2)])
def test_contrastive_against_a_loop(legacy, margin, shape):
    a, b = normal(shape), normal(shape, seed=1)
    b[2] = a[2] + 1e-3 * b[2]  # near enough for the 1e-4 to show
    similar = np.array([1, 0, 0.9, 2, -0.5])
    loss, da = contrastive(a, b, similar, margin, legacy)
    layer = CaffeContrastiveLoss(margin, legacy)
    assert layer.forward(a, b, similar[:, None]) == pytest.approx(loss)
    got = layer.backward()
    np.testing.assert_allclose(got[0], da, rtol=1e-10)
    np.testing.assert_allclose(got[1], -da, rtol=1e-10)
    assert got[2].shape == (5, 1)
    assert not got[2].any()
    layer.forward(a, b, SIMILAR)
    assert len(layer.backward()) == 2


def test_contrastive_gradients():
    check_layer(CaffeContrastiveLoss(6.0, legacy_version=True), (4,), (4,), SIMILAR)
    far = 1e5 * normal((2, 5, 4))  # where 1e-4 makes no difference
    check_layer(CaffeContrastiveLoss(5e5), far[0], far[1], SIMILAR)


def test_contrastive_is_handbrews_but_for_a_small_number():
    a, b = normal((5, 4)), normal((5, 4), seed=1)
    ours, other = CaffeContrastiveLoss(4.0), Contrastive(4.0)
    assert ours.forward(a, b, SIMILAR) == pytest.approx(other.forward(a, b, SIMILAR), rel=1e-12)
    for mine, theirs in zip(ours.backward(), other.backward(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3)
        assert not np.array_equal(mine, theirs)


def test_pairs_that_are_none():
    layer = CaffeContrastiveLoss()
    for a, b, similar in (((5, 4), (5, 3), 5), ((5, 4), (5, 4), 4), ((5,), (5,), 5)):
        with pytest.raises(ShapeError, match=r"expected a and b of one shape \(N, D\) and N numbers"):
            layer.forward(normal(a), normal(b), np.zeros(similar))
    with pytest.raises(LabelError, match="finite"):
        layer.forward(normal((1, 2)), normal((1, 2)), np.array([np.nan]))
