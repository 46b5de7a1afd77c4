import math

import numpy as np
import pytest

from handbrew.layers.sigmoids import GELU, Sigmoid, SiLU, Softplus, Tanh

X = np.concatenate([np.linspace(-12, 12, 97), [-1e4, -745, -100, 0.0, 100, 709, 1e4]])


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def softplus(v):
    return v if v > 40 else math.log1p(math.exp(v))


def normal_cdf(v):
    return math.erfc(-v / math.sqrt(2)) / 2


def normal_density(v):
    return math.exp(-v * v / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(v):
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


def gelu_tanh_slope(v):
    k = math.sqrt(2 / math.pi)
    t = math.tanh(k * (v + 0.044715 * v**3))
    return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * k * (1 + 0.134145 * v * v)


# layer, its function, its derivative: of numbers, written in another way
ORACLES = {
    "sigmoid": (Sigmoid, sigmoid, lambda v: sigmoid(v) * sigmoid(-v)),
    "tanh": (Tanh, math.tanh, lambda v: 4 * sigmoid(2 * v) * sigmoid(-2 * v)),
    "softplus": (Softplus, softplus, sigmoid),
    "silu": (SiLU, lambda v: v * sigmoid(v), lambda v: sigmoid(v) * (1 + v * sigmoid(-v))),
    "silu-beta": (
        lambda: SiLU(beta=1.7),
        lambda v: v * sigmoid(1.7 * v),
        lambda v: sigmoid(1.7 * v) * (1 + 1.7 * v * sigmoid(-1.7 * v)),
    ),
    "silu-0": (lambda: SiLU(beta=0), lambda v: v / 2, lambda v: 0.5),
    "gelu": (GELU, lambda v: v * normal_cdf(v), lambda v: normal_cdf(v) + v * normal_density(v)),
    "gelu-tanh": (lambda: GELU(approximate="tanh"), gelu_tanh, gelu_tanh_slope),
}


@pytest.fixture(params=ORACLES.values(), ids=ORACLES)
def case(request):
    make, function, derivative = request.param
    return make(), np.vectorize(function, otypes=[float]), np.vectorize(derivative, otypes=[float])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 2e-15), (np.float32, 1e-6)])
def test_forward_and_backward(case, dtype, tolerance):
    layer, function, derivative = case
    x = X.astype(dtype)
    dy = np.random.default_rng(0).uniform(1, 2, len(X)).astype(dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y, function(x), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dx, dy * derivative(x), rtol=2 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (1, 3), (2, 3, 4, 5)])
def test_any_shape(case, shape):
    layer, function, derivative = case
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(layer.forward(x), function(x))
    np.testing.assert_allclose(layer.backward(np.ones(shape)), derivative(x))


@pytest.mark.parametrize("layer", [Sigmoid(), Tanh(), Softplus()])
def test_infinite_inputs(layer):
    ends = {"Sigmoid": [0, 1], "Tanh": [-1, 1], "Softplus": [0, math.inf]}
    assert layer.forward(np.array([-np.inf, np.inf])).tolist() == ends[type(layer).__name__]
    assert layer.backward(np.ones(2)).tolist() == ([0, 1] if type(layer) is Softplus else [0, 0])


def test_softplus_and_its_slope_stay_exact_where_they_vanish():
    layer = Softplus()
    x = np.array([-40.0, -100.0, -700.0])
    np.testing.assert_allclose(layer.forward(x), np.exp(x), rtol=1e-14)
    np.testing.assert_allclose(layer.backward(np.ones(3)), np.exp(x), rtol=1e-14)


def test_gelu_stays_exact_where_it_vanishes():
    x = np.array([-5.0, -6.0], np.float32)  # 1 + erf would have no right digit here
    np.testing.assert_allclose(GELU().forward(x), [-5 * normal_cdf(-5), -6 * normal_cdf(-6)], rtol=1e-5)


def test_gelu_s_forms_differ_by_at_most_5e_4():
    x = np.linspace(-6, 6, 1001)
    difference = np.abs(GELU().forward(x) - GELU(approximate="tanh").forward(x)).max()
    assert 1e-4 < difference < 5e-4


def test_gelu_refuses_another_approximation():
    with pytest.raises(ValueError, match='expected approximate="none" or "tanh", got \'erf\''):
        GELU(approximate="erf")


def test_numpy_numbers_as_arguments_do_not_change_the_precision():
    layer, x = SiLU(beta=np.float64(2)), X.astype(np.float32)
    assert layer.forward(x).dtype == layer.backward(x).dtype == np.float32


def test_repr():
    assert repr([SiLU(), SiLU(beta=2), GELU(), GELU("tanh")]) == (
        "[SiLU(), SiLU(beta=2.0), GELU(), GELU(approximate='tanh')]"
    )
