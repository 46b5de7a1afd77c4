import math

import numpy as np
import pytest

from handbrew.layers.elementwise import Abs, Clip, Exp, Log, Power, Threshold

ANY = np.array([[-2.0, -0.5, -0.1, 0.0], [0.1, 0.5, 0.7, 3.0]])
POSITIVE = np.array([[1e-4, 0.1, 0.5, 1.0], [1.5, 2.0, 10.0, 1e4]])


def sign(v):
    return (v > 0) - (v < 0)


# layer, inputs, function, derivative: of numbers
ORACLES = {
    "abs": (Abs(), ANY, abs, sign),
    "power": (Power(), ANY, lambda v: v, lambda v: 1),
    "square": (Power(2, 3, 4), ANY, lambda v: (4 + 3 * v) ** 2, lambda v: 6 * (4 + 3 * v)),
    "cube": (Power(3), ANY, lambda v: v * v * v, lambda v: 3 * v * v),
    "root": (Power(0.5, scale=2), POSITIVE, lambda v: math.sqrt(2 * v), lambda v: 1 / math.sqrt(2 * v)),
    "reciprocal": (Power(-1, shift=1), POSITIVE, lambda v: 1 / (1 + v), lambda v: -1 / (1 + v) ** 2),
    "one": (Power(0), ANY, lambda v: 1, lambda v: 0),
    "constant": (Power(3, scale=0, shift=2), ANY, lambda v: 8, lambda v: 0),
    "exp": (Exp(), ANY, math.exp, math.exp),
    "exp-options": (
        Exp(base=3, scale=-2, shift=0.5),
        ANY,
        lambda v: 3 ** (0.5 - 2 * v),
        lambda v: -2 * math.log(3) * 3 ** (0.5 - 2 * v),
    ),
    "exp-base-1": (Exp(base=1), ANY, lambda v: 1, lambda v: 0),
    "exp-small-base": (Exp(base=0.5), ANY, lambda v: 2**-v, lambda v: -math.log(2) * 2**-v),
    "log": (Log(), POSITIVE, math.log, lambda v: 1 / v),
    "log-options": (
        Log(base=2, scale=4, shift=1),
        POSITIVE,
        lambda v: math.log2(1 + 4 * v),
        lambda v: 4 / (math.log(2) * (1 + 4 * v)),
    ),
    "clip": (Clip(-0.5, 0.5), ANY, lambda v: min(max(v, -0.5), 0.5), lambda v: -0.5 <= v <= 0.5),
    "clip-point": (Clip(0, 0), ANY, lambda v: 0, lambda v: v == 0),
    "clip-one-side": (Clip(0, math.inf), ANY, lambda v: max(v, 0), lambda v: v >= 0),
    "threshold": (Threshold(), ANY, lambda v: v > 0, lambda v: 0),
    "threshold-half": (Threshold(0.5), ANY, lambda v: v > 0.5, lambda v: 0),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 3e-6)])
@pytest.mark.parametrize(("layer", "x", "function", "derivative"), ORACLES.values(), ids=ORACLES)
def test_forward_and_backward(layer, x, function, derivative, dtype, tolerance):
    dy = np.random.default_rng(0).uniform(1, 2, x.shape).astype(dtype)
    y, dx = layer.forward(x.astype(dtype)), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y, np.vectorize(function, otypes=[float])(x), rtol=tolerance, atol=tolerance)
    slope = np.vectorize(derivative, otypes=[float])(x)
    np.testing.assert_allclose(dx, dy * slope, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("layer", [Abs(), Clip(-1, 1), Threshold()])
def test_infinite_inputs(layer):
    ends = {"Abs": [math.inf, math.inf], "Clip": [-1, 1], "Threshold": [0, 1]}
    assert layer.forward(np.array([-np.inf, np.inf])).tolist() == ends[type(layer).__name__]
    assert layer.backward(np.ones(2)).tolist() == ([-1, 1] if type(layer) is Abs else [0, 0])


def test_numpy_numbers_as_arguments_do_not_change_the_precision():
    a = np.float64(2)
    x = np.ones((2, 3), np.float32)
    for layer in (Power(a, a, a), Exp(a, a, a), Log(a, a, a), Clip(-a, a), Threshold(a)):
        assert layer.forward(x).dtype == layer.backward(x).dtype == np.float32, layer


def test_outside_their_domain_they_warn_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert Log().forward(np.zeros((1, 1))) == -np.inf
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert Exp().forward(np.full((1, 1), 1e4)) == np.inf
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(Power(0.5).forward(np.full((1, 1), -1.0)))


def test_arguments_that_make_no_sense():
    with pytest.raises(ValueError, match=r"Clip: expected min <= max, got min=1 and max=0"):
        Clip(1, 0)
    for base in (0, -1, math.nan):
        with pytest.raises(ValueError, match="Exp: expected a positive base"):
            Exp(base=base)
        with pytest.raises(ValueError, match="Log: expected a positive base"):
            Log(base=base)
    with pytest.raises(ValueError, match="Log: expected a base other than 1"):
        Log(base=1)


def test_repr():
    assert repr([Abs(), Power(2), Exp(base=2.0), Log(), Clip(0, 6), Threshold(0.5)]) == (
        "[Abs(), Power(power=2.0), Exp(base=2.0), Log(), Clip(0.0, 6.0), Threshold(threshold=0.5)]"
    )
