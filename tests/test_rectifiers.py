import math

import numpy as np
import pytest

from handbrew.layers.errors import DTypeError, ShapeError
from handbrew.layers.rectifiers import ELU, SELU, PReLU, ReLU

X = np.array([[-1e4, -3.0, -0.5, -1e-8], [0.0, 1e-8, 0.5, 1e4]])


def each(function, x):
    return np.vectorize(function, otypes=[np.float64])(x)


@pytest.mark.parametrize("slope", [0, 0.01, 0.5, 1, 3, -2])
def test_relu(slope):
    layer = ReLU(negative_slope=slope)
    np.testing.assert_allclose(layer.forward(X), each(lambda v: v if v > 0 else slope * v, X))
    np.testing.assert_allclose(layer.backward(2 + X), each(lambda v: (2 + v) * (1 if v > 0 else slope), X))


def test_relu_of_infinity():
    assert ReLU().forward(np.array([-np.inf, np.inf])).tolist() == [0, np.inf]
    assert ReLU(0.5).forward(np.array([-np.inf, np.inf])).tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("make", [ReLU, ELU])
def test_numpy_numbers_as_arguments_do_not_change_the_precision(make):
    layer, x = make(np.float64(0.5)), X.astype(np.float32)
    assert layer.forward(x).dtype == layer.backward(x).dtype == np.float32


def naive_prelu(x, slope, dy):
    """Forward and backward, element by element; the slope's index is the channel."""
    y, dx, dslope = np.zeros_like(x), np.zeros_like(x), np.zeros_like(slope)
    for i in np.ndindex(x.shape):
        channel = i[1] if len(slope) > 1 else 0
        y[i] = x[i] if x[i] > 0 else slope[channel] * x[i]
        dx[i] = dy[i] if x[i] > 0 else slope[channel] * dy[i]
        dslope[channel] += 0 if x[i] > 0 else dy[i] * x[i]
    return y, dx, dslope


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (2, 3, 4, 4), (1, 2, 3, 2, 2), (0, 3)])
def test_prelu(shape, shared):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    layer = PReLU(shared=shared).astype(np.float64)
    layer.build(shape[1:])
    slope = rng.normal(size=1 if shared else shape[1])
    layer.slope.data = slope
    y, dx, dslope = naive_prelu(x, slope, dy)
    np.testing.assert_allclose(layer.forward(x), y)
    np.testing.assert_allclose(layer.backward(dy), dx)
    np.testing.assert_allclose(layer.slope.grad, dslope, atol=1e-14)


def test_prelu_starts_at_a_quarter_and_does_not_decay():
    layer = PReLU()
    layer.build((3, 4, 4))
    assert layer.slope.data.tolist() == [0.25, 0.25, 0.25]
    assert layer.slope.decay_mult == 0
    assert layer.forward(X[:, :3].astype(np.float32)).tolist()[0][1] == -0.75


def test_prelu_does_only_the_work_asked_for():
    layer = PReLU(init=0.5)
    layer.forward(X)
    layer.slope.trainable = False
    assert layer.backward(np.ones_like(X))[0].tolist() == [0.5] * 4
    assert not layer.slope.grad.any()
    layer.slope.trainable, layer.input_grad = True, False
    assert layer.backward(np.ones_like(X)) is None
    assert layer.slope.grad.any()


def test_prelu_casts_to_its_own_precision():
    assert PReLU().forward(X).dtype == np.float32
    with pytest.raises(DTypeError, match="PReLU: expected floating-point"):
        PReLU().forward(np.ones((2, 3), int))


def test_prelu_refuses_other_channels():
    layer = PReLU()
    layer.build((3, 4, 4))
    with pytest.raises(ShapeError, match=r"PReLU: expected 3 channels, got input of shape \(2, 1, 4, 4\)"):
        layer.forward(np.zeros((2, 1, 4, 4), np.float32))
    with pytest.raises(ShapeError, match="shared=True"):
        PReLU().forward(np.zeros(3, np.float32))


@pytest.mark.parametrize("alpha", [1, 0.3, 2])
def test_elu(alpha):
    layer = ELU(alpha=alpha)
    y, dx = layer.forward(X), layer.backward(2 + X)
    np.testing.assert_allclose(y, each(lambda v: v if v > 0 else alpha * math.expm1(v), X))
    np.testing.assert_allclose(dx, each(lambda v: (2 + v) * (1 if v > 0 else alpha * math.exp(v)), X))


def test_elu_of_infinity():
    layer = ELU(alpha=2)
    assert layer.forward(np.array([-np.inf, np.inf])).tolist() == [-2, np.inf]
    assert layer.backward(np.ones(2)).tolist() == [0, 1]


def test_selu():
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    layer = SELU()
    y, dx = layer.forward(X), layer.backward(2 + X)
    np.testing.assert_allclose(y, each(lambda v: scale * (v if v > 0 else alpha * math.expm1(v)), X))
    np.testing.assert_allclose(dx, each(lambda v: scale * (2 + v) * (1 if v > 0 else alpha * math.exp(v)), X))


def test_selu_keeps_mean_0_and_variance_1():
    z, dz = np.linspace(-10, 10, 20_001, retstep=True)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * dz
    y = SELU().forward(z)
    assert (y * density).sum() == pytest.approx(0, abs=1e-6)
    assert (y * y * density).sum() == pytest.approx(1, abs=1e-6)


def test_repr():
    assert repr([ReLU(), ReLU(0.1), PReLU(shared=True), ELU(alpha=2), SELU()]) == (
        "[ReLU(), ReLU(negative_slope=0.1), PReLU(shared=True), ELU(alpha=2.0), SELU()]"
    )
