import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_augmentation import LAYOUTS, SIZES, images

from handbrew.layers import DTypeError, Normalize, ShapeError


@settings(max_examples=60)
@given(shape=SIZES, layout=LAYOUTS, dtype=st.sampled_from("fd"), alike=st.booleans())
def test_normalize(shape, layout, dtype, alike):
    mean, std = [0.5, -1.0, 0.25, 3.0][: shape[1]], [0.5, 2.0, 4.0, 0.1][: shape[1]]
    layer = Normalize(mean[0], std[0]) if alike else Normalize(mean, std)
    x, dy = images(shape, layout, dtype), -images(shape, "plain", dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    expected, gradient = np.zeros(shape), np.zeros(shape)
    for at in np.ndindex(shape):
        channel = 0 if alike else at[1]
        expected[at] = (float(x[at]) - mean[channel]) / std[channel]
        gradient[at] = float(dy[at]) / std[channel]
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_allclose(dx, gradient, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(50, 3, 6, 5), (50, 3), (2000, 2, 30, 20)])
def test_normalize_of_a_data_set(shape, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(50, 9, shape) + 30 * np.arange(shape[1]).reshape(-1, *(1,) * (len(shape) - 2))).astype(dtype)
    layer = Normalize.of(X)
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(layer.mean, X.mean(axes, dtype=np.float64))
    np.testing.assert_allclose(layer.std, X.std(axes, dtype=np.float64))
    y = layer.forward(X)
    assert y.dtype == (np.float32 if dtype == np.uint8 else dtype)
    np.testing.assert_allclose(y.mean(axes, dtype=np.float64), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axes, dtype=np.float64), 1, atol=1e-5)


def test_normalize_of_a_channel_that_is_the_same_everywhere():
    X = np.full((7, 2, 3, 3), 0.1, np.float32)
    X[:, 1] = np.arange(9).reshape(3, 3)
    y = Normalize.of(X).forward(X)
    assert not y[:, 0].any()
    assert y[:, 1].std() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (5,), ()])
def test_normalize_of_nothing(shape):
    with pytest.raises(ShapeError, match=r"Normalize\.of: expected samples"):
        Normalize.of(np.zeros(shape))


def test_integers_that_may_be_labels_are_refused():
    with pytest.raises(DTypeError, match="Normalize: expected floating-point numbers or uint8"):
        Normalize(0, 1).forward(np.zeros((2, 3), np.int64))


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (2, 1), (2,)])
def test_normalize_refuses_other_channels(shape):
    with pytest.raises(ShapeError, match=r"Normalize: expected 3 channels on axis 1, one for each mean and std, got"):
        Normalize((1, 2, 3), 1).forward(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normalize(0, 0), "a positive std, got mean 0, std 0"),
        (lambda: Normalize((0, float("inf")), 1), "expected finite numbers"),
        (lambda: Normalize([[1, 2]], 1), r"a number or one for each channel, got shape \(1, 2\)"),
        (lambda: Normalize((), ()), r"got shape \(0,\)"),
        (lambda: Normalize((1, 2), (1, 2, 3)), "got 2 numbers for the mean and 3 for the std"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_repr_and_flops():
    layer = Normalize(np.array([0.5, 1, 2]), 2)
    layer.build((3, 4, 5))
    assert layer.flops() == 2 * 3 * 4 * 5
    assert repr(layer) == "Normalize((0.5, 1.0, 2.0), 2.0)"
