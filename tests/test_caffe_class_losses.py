"""Caffe's losses of class scores against loops over the positions."""

import math

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import LabelError, ShapeError, check_layer
from handbrew.nets.caffe.class_losses import CaffeHingeLoss, CaffeInfogainLoss, CaffeMultinomialLoss, CaffeSoftmaxLoss

NORMALIZATIONS = ["VALID", "FULL", "BATCH_SIZE", "NONE"]
SHAPES = [((6, 3), 1), ((4, 3, 2, 5), 1), ((4, 3), -1), ((2, 4, 3, 5), 2)]
LABELS = np.array([0, 2, 1, 1, 2])
PIXEL_LABELS = np.arange(20).reshape(5, 2, 2) % 3
H = np.array([[1.0, 0.2, 0.0], [0.1, 2.0, 0.3], [0.0, 0.5, 0.7]])


def divisor(normalization, shape, axis, valid):
    axis %= len(shape)
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    return max(1, {"VALID": valid, "FULL": outer * inner, "BATCH_SIZE": outer, "NONE": 1}[normalization])


def softmax(line):
    exp = [math.exp(s - max(line)) for s in line]
    return [e / sum(exp) for e in exp]


def naive(scores, labels, axis, ignore, normalization, matrix):
    """Loss and gradient: -sum_l matrix[label, l] log p_l, position by position."""
    moved = np.moveaxis(scores, axis, -1)
    total, valid, ds = 0.0, 0, np.zeros_like(moved)
    for at in np.ndindex(labels.shape):
        label = int(labels[at])
        if label == ignore:
            continue
        p, row = softmax(moved[at].tolist()), matrix[label]
        total -= sum(h * math.log(q) for h, q in zip(row, p, strict=True))
        ds[at] = [q * sum(row) - h for h, q in zip(row, p, strict=True)]
        valid += 1
    by = divisor(normalization, scores.shape, axis, valid)
    return total / by, np.moveaxis(ds, -1, axis) / by


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("ignore", [None, 1, -1])
def test_softmax_and_infogain_against_a_loop(shape, axis, normalization, ignore):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=shape)
    labels = rng.integers(-1 if ignore == -1 else 0, 3, np.delete(shape, axis))
    loss, ds = naive(scores, labels, axis, ignore, normalization, np.eye(3))
    layer = CaffeSoftmaxLoss(axis, ignore, normalization)
    assert layer.forward(scores, labels) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(layer.backward(), ds, atol=1e-12)
    # As Caffe has them: floating-point numbers in another shape.
    assert layer.forward(scores, labels.reshape(len(labels), -1, 1).astype(np.float32)) == pytest.approx(loss)
    got, rest = layer.backward(2.0)
    np.testing.assert_allclose(got, 2 * ds, atol=1e-12)
    assert rest.shape == (len(labels), labels[0].size, 1)
    assert not rest.any()
    loss, ds = naive(scores, labels, axis, ignore, normalization, H)
    layer = CaffeInfogainLoss(H, axis, ignore, normalization)
    assert layer.forward(scores, labels) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(layer.backward(), ds, atol=1e-12)
    layer = CaffeInfogainLoss(None, axis, ignore, normalization)
    assert layer.forward(scores, labels, H[None, None]) == pytest.approx(loss, rel=1e-12)
    got, dH = layer.backward()
    np.testing.assert_allclose(got, ds, atol=1e-12)
    assert dH.shape == (1, 1, 3, 3)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("ignore", [None, 1])
def test_gradients_and_contract(normalization, ignore):
    options = {"ignore_label": ignore, "normalization": normalization}
    check_layer(CaffeSoftmaxLoss(**options), (3,), LABELS)
    check_layer(CaffeSoftmaxLoss(**options, probabilities=True), (3, 2, 2), PIXEL_LABELS)
    check_layer(CaffeSoftmaxLoss(-1, **options), (2, 3), np.arange(10).reshape(5, 2) % 3)
    check_layer(CaffeInfogainLoss(H, **options), (3, 2, 2), PIXEL_LABELS)
    check_layer(CaffeInfogainLoss(**options), (3,), LABELS, np.random.default_rng(0).uniform(size=(3, 3)))


def test_weights():
    weights = np.random.default_rng(0).uniform(0.5, 2, 5)
    check_layer(CaffeSoftmaxLoss(ignore_label=1), (3,), LABELS, weights)
    scores = normal((5, 3))
    by_hand = [-math.log(softmax(line)[label]) for line, label in zip(scores.tolist(), LABELS, strict=True)]
    counted = LABELS != 1
    expected = (weights * by_hand)[counted].sum() / weights[counted].sum()
    assert CaffeSoftmaxLoss(ignore_label=1).forward(scores, LABELS, weights) == pytest.approx(expected)


def test_nothing_is_divided_by_less_than_one():
    layer, scores = CaffeSoftmaxLoss(), normal((1, 3))
    quarter = layer.forward(scores, np.array([1]), np.array([0.25]))
    assert quarter == pytest.approx(layer.forward(scores, np.array([1])) / 4)


def test_ignoring_each_of_the_labels_adds_up_to_the_whole():
    scores, labels = normal((4, 5, 2, 3)), np.random.default_rng(0).integers(0, 5, (4, 2, 3))
    whole = CaffeSoftmaxLoss(normalization="FULL").forward(scores, labels)
    parts = [CaffeSoftmaxLoss(ignore_label=i, normalization="FULL").forward(scores, labels) for i in range(5)]
    assert sum(parts) == pytest.approx(4 * whole)


def test_a_dead_net_shows_87():
    layer = CaffeSoftmaxLoss()
    scores = np.array([[200.0, 0.0], [0.0, 1.0]], np.float32)
    assert layer.forward(scores[:1], np.array([1])) == pytest.approx(87.3365, abs=1e-4)
    np.testing.assert_allclose(layer.backward(), [[1, -1]])  # which the gradient does not know of
    assert CaffeInfogainLoss(np.eye(2)).forward(scores[:1], np.array([1])) == pytest.approx(-math.log(1e-20), rel=1e-6)
    assert math.isnan(layer.forward(np.full((1, 2), np.nan), np.array([1])))


def test_nothing_valid_divides_by_one():
    layer = CaffeSoftmaxLoss(ignore_label=2)
    assert layer.forward(normal((3, 3)), np.full(3, 2)) == 0
    assert not layer.backward().any()
    assert CaffeSoftmaxLoss(normalization="BATCH_SIZE").forward(normal((0, 3)), np.zeros(0, int)) == 0


def test_probabilities_are_the_second_output():
    scores = normal((5, 3, 2, 2), np.float32)
    layer = CaffeSoftmaxLoss(probabilities=True)
    loss, p = layer.forward(scores, PIXEL_LABELS)
    np.testing.assert_allclose(p, layer.predict(scores), rtol=1e-6)
    assert loss == pytest.approx(CaffeSoftmaxLoss().forward(scores, PIXEL_LABELS))
    expected = CaffeSoftmaxLoss()
    expected.forward(scores, PIXEL_LABELS)
    np.testing.assert_allclose(layer.backward((1.0, None)), expected.backward(), rtol=1e-6)
    np.testing.assert_allclose(layer.backward(), expected.backward(), rtol=1e-6)
    assert layer.build(((3, 2, 2), (2, 2))) == ((), (3, 2, 2))


def test_correct_counts_the_valid():
    scores = np.eye(3)[[0, 1, 2, 0]]
    labels = np.array([0.0, 1.0, 1.0, 2.0])
    assert CaffeSoftmaxLoss().correct(scores, labels) == (2, 4)
    assert CaffeSoftmaxLoss(ignore_label=1).correct(scores, labels) == (1, 2)
    assert CaffeHingeLoss().correct(scores[:, :, None], labels[:, None]) == (2, 4)
    assert CaffeSoftmaxLoss().share(4) == 4


def test_what_is_no_label():
    scores = normal((5, 3))
    for layer in (CaffeSoftmaxLoss(), CaffeInfogainLoss(H), CaffeHingeLoss(), CaffeMultinomialLoss()):
        with pytest.raises(LabelError, match="expected labels from 0 to 2, got 3 at position 4"):
            layer.forward(scores, np.array([0, 1, 2, 2, 3.0]))
        with pytest.raises(LabelError, match=r"expected integer labels of shape \(5,\)"):
            layer.forward(scores, np.zeros(4))
        for wrong in (np.nan, np.inf, 1e30):
            with pytest.raises(LabelError, match="expected integers or finite numbers"):
                layer.forward(scores, np.full(5, wrong))
    with pytest.raises(ValueError, match=r"CaffeSoftmaxLoss: normalization: expected one of VALID, .* got 'MEAN'"):
        CaffeSoftmaxLoss(normalization="MEAN")


def test_matrices_that_are_none():
    scores = normal((5, 3))
    for layer, given, what in ((CaffeInfogainLoss(), None, "neither"), (CaffeInfogainLoss(H), H, "both")):
        with pytest.raises(ShapeError, match=f"H as an argument or as the third input, got {what}"):
            layer.forward(scores, LABELS, given)
    with pytest.raises(ShapeError, match=r"H of shape \(3, 3\), got \(2, 2\)"):
        CaffeInfogainLoss(np.eye(2)).forward(scores, LABELS)
