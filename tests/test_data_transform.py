import numpy as np
import pytest

from handbrew.data import Transform

X = np.arange(4 * 3 * 5 * 6, dtype=np.uint8).reshape(4, 3, 5, 6)


def test_scale_and_mean_values():
    kept = X.copy()
    Y = Transform(1 / 256, mean=[1, 2, 3])(X)
    assert Y.dtype == np.float32
    np.testing.assert_array_equal(Y, (X - np.array([1.0, 2, 3])[:, None, None]).astype(np.float32) / 256)
    np.testing.assert_array_equal(Transform(mean=[7])(X), X.astype(np.float32) - 7)
    np.testing.assert_array_equal(X, kept)


def test_the_mean_image_is_cropped_with_the_samples():
    mean = np.random.default_rng(0).uniform(0, 9, (3, 5, 6)).astype(np.float32)
    Y = Transform(2, mean, crop=4, training=False)(X)
    np.testing.assert_array_equal(Y, 2 * (X.astype(np.float32) - mean)[:, :, 0:4, 1:5])


def test_crops_of_training_lie_anywhere():
    many = np.broadcast_to(X[:1], (300, 3, 5, 6))
    Y = Transform(crop=3)(many)
    found = {(int(y[0, 0, 0]) // 6, int(y[0, 0, 0]) % 6) for y in Y}
    assert found == {(top, left) for top in range(3) for left in range(4)}
    for y in Y:
        top, left = divmod(int(y[0, 0, 0]), 6)
        np.testing.assert_array_equal(y, X[0, :, top : top + 3, left : left + 3])


@pytest.mark.parametrize("training", [True, False])
def test_half_are_mirrored_in_tests_too(training):
    many = np.broadcast_to(X[:1], (200, 3, 5, 6))
    Y = Transform(mirror=True, training=training)(many)
    turned = sum(np.array_equal(y, X[0, :, :, ::-1]) for y in Y)
    assert 70 < turned < 130
    assert sum(np.array_equal(y, X[0]) for y in Y) == 200 - turned


def test_the_same_numbers_again():
    transform = Transform(crop=2, mirror=True, seed=5)
    transform(X)
    state = transform.state()
    first = transform(X)
    transform.restore(state)
    np.testing.assert_array_equal(transform(X), first)
    other = Transform(crop=2, mirror=True, seed=6)
    other.restore(state)
    np.testing.assert_array_equal(other(X), first)
    with pytest.raises(ValueError, match="no state of its random numbers"):
        transform.restore({"bit_generator": "PCG64"})


def test_arrays_of_any_shape_are_scaled():
    np.testing.assert_array_equal(Transform(0.5)(np.ones((2, 7))), np.full((2, 7), 0.5, np.float32))


@pytest.mark.parametrize(
    ("settings", "array", "message"),
    [
        ({"crop": 6}, X, r"a crop of 6 does not fit samples of shape \(3, 5, 6\)"),
        ({"mean": [1, 2]}, X, r"a mean of shape \(2,\) does not fit"),
        ({"mean": np.zeros((3, 4, 6))}, X, r"a mean of shape \(3, 4, 6\) does not fit samples of shape \(3, 5, 6\)"),
        ({"crop": 2}, X[0], r"need images of shape \(N, C, H, W\), got \(3, 5, 6\)"),
    ],
)
def test_what_does_not_fit(settings, array, message):
    with pytest.raises(ValueError, match=message):
        Transform(**settings)(array)


@pytest.mark.parametrize("settings", [{"crop": -1}, {"scale": float("nan")}, {"mean": np.zeros((2, 2))}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match="Transform: expected"):
        Transform(**settings)
