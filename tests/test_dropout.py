import numpy as np
import pytest

from handbrew.layers.dropout import Dropout, Dropout2D
from handbrew.layers.errors import ShapeError


def x(*shape, dtype=np.float32):
    return np.random.default_rng(1).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_training_drops_or_scales_and_backward_does_the_same(rate, dtype):
    layer, a, dy = Dropout(rate), x(50, 20, dtype=dtype), 1 + x(50, 20, dtype=dtype)
    y, dx = layer.forward(a), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    dropped = y == 0
    np.testing.assert_allclose(y, np.where(dropped, 0, a / (1 - rate)), rtol=1e-6)
    np.testing.assert_allclose(dx, np.where(dropped, 0, dy / (1 - rate)), rtol=1e-6)
    np.testing.assert_array_equal(layer.backward(dy), dx)


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.95])
def test_the_rate_is_the_share_dropped_and_the_mean_stays(rate):
    n = 200_000
    y = Dropout(rate).forward(np.ones((n, 1), np.float32))
    deviation = (rate * (1 - rate) / n) ** 0.5
    assert abs((y == 0).mean() - rate) < 4 * deviation
    assert abs(y.mean(dtype=np.float64) - 1) < 4 * deviation / (1 - rate)


def test_elements_are_dropped_independently():
    kept = Dropout(0.5).forward(np.ones((400, 400))) > 0
    assert abs(kept.mean(axis=0) - 0.5).max() < 0.15
    assert abs(kept.mean(axis=1) - 0.5).max() < 0.15
    assert abs((kept[:, 1:] == kept[:, :-1]).mean() - 0.5) < 0.01


@pytest.mark.parametrize("layer", [Dropout(0.7).eval(), Dropout(0)])
def test_identity_in_use_and_at_rate_0(layer):
    a, dy = x(4, 3), x(4, 3)
    np.testing.assert_array_equal(layer.forward(a), a)
    np.testing.assert_array_equal(layer.backward(dy), dy)


def test_the_mask_of_an_earlier_forward_is_forgotten():
    layer, a = Dropout(0.9), np.ones((10, 10))
    layer.forward(a)
    layer.eval().forward(a)
    assert (layer.backward(a) == 1).all()


def test_randomness_is_the_layer_s_own():
    a = np.ones((10, 10), np.float32)
    np.random.seed(0)  # noqa: NPY002
    layer = Dropout()
    first, second = layer.forward(a), layer.forward(a)
    assert (first != second).any()
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(Dropout().forward(a), first)
    np.testing.assert_array_equal(Dropout().forward(a.astype(np.float64)), first)  # nor does precision matter
    other = Dropout()
    other.seed = 1
    assert (other.forward(a) != first).any()


def test_an_empty_batch():
    layer = Dropout()
    assert layer.forward(x(0, 3)).shape == layer.backward(x(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_rates_that_make_no_sense(rate):
    with pytest.raises(ValueError, match=r"Dropout: expected a rate in \[0, 1\), got"):
        Dropout(rate)


def test_repr():
    assert repr([Dropout(), Dropout(0.2)]) == "[Dropout(), Dropout(rate=0.2)]"


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 7), (40, 30, 4, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_channels_are_dropped(shape, dtype):
    layer, a, dy = Dropout2D(0.25), x(*shape, dtype=dtype), 1 + x(*shape, dtype=dtype)
    y, dx = layer.forward(a), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    kept = (y != 0).reshape(40, 30, -1)
    assert (kept.all(axis=2) == kept.any(axis=2)).all()
    factor = np.where(kept.any(axis=2), 1 / 0.75, 0).reshape(40, 30, *(1,) * (len(shape) - 2))
    np.testing.assert_allclose(y, a * factor, rtol=1e-6)
    np.testing.assert_allclose(dx, dy * factor, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 4 * (0.25 * 0.75 / 1200) ** 0.5
    assert 0.4 < kept.any(axis=2).mean(axis=0).min() < kept.any(axis=2).mean(axis=0).max() <= 1  # samples differ
    np.testing.assert_array_equal(layer.eval().forward(a), a)
    np.testing.assert_array_equal(layer.backward(dy), dy)


def test_channels_any_layout_and_no_samples():
    a = x(6, 4, 5, 3)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, -1)), -1, 0)
    np.testing.assert_array_equal(Dropout2D().forward(a), Dropout2D().forward(last))
    layer = Dropout2D()
    for other in (a, a[:0], a[:, :2, 1:]):
        assert layer.forward(other).shape == layer.backward(other).shape == other.shape


def test_channels_that_make_no_sense():
    with pytest.raises(ShapeError, match=r"Dropout2D: expected \(N, channels, …\), got a vector"):
        Dropout2D().forward(x(3))
    with pytest.raises(ValueError, match=r"Dropout2D: expected a rate in \[0, 1\), got 1"):
        Dropout2D(1)
