"""Initial values: their variance, bounds and special properties."""

import numpy as np
import pytest

from handbrew.layers import (
    Affine,
    CaffeMSRA,
    CaffeXavier,
    Constant,
    Glorot,
    He,
    Initializer,
    LeCun,
    Normal,
    Orthogonal,
    Uniform,
    Zeros,
)

IN, OUT = 200, 300
# name, initializer, standard deviation by its paper's formula, bound (None: normal)
CASES = [
    (He(), np.sqrt(2 / 200), None),
    (He("uniform"), np.sqrt(2 / 200), np.sqrt(6 / 200)),
    (LeCun(), np.sqrt(1 / 200), None),
    (LeCun("uniform"), np.sqrt(1 / 200), np.sqrt(3 / 200)),
    (Glorot(), np.sqrt(2 / 500), np.sqrt(6 / 500)),
    (Glorot("normal"), np.sqrt(2 / 500), None),
    (CaffeXavier(), np.sqrt(1 / 200), np.sqrt(3 / 200)),
    (CaffeXavier("fan_out"), np.sqrt(1 / 300), np.sqrt(3 / 300)),
    (CaffeXavier("average"), np.sqrt(1 / 250), np.sqrt(3 / 250)),
    (CaffeMSRA(), np.sqrt(2 / 200), None),
    (CaffeMSRA("fan_out"), np.sqrt(2 / 300), None),
    (CaffeMSRA("average"), np.sqrt(2 / 250), None),
    (Normal(std=0.3), 0.3, None),
    (Uniform(-0.6, 0.6), 0.6 / np.sqrt(3), 0.6),
]


@pytest.mark.parametrize(("init", "std", "bound"), CASES, ids=lambda v: repr(v) if isinstance(v, Initializer) else "")
def test_moments(init, std, bound):
    values = init.sample(np.random.default_rng(0), (IN, OUT), IN, OUT)
    n = values.size
    assert values.dtype == np.float64
    assert abs(values.mean()) < 5 * std / np.sqrt(n)
    assert values.std() == pytest.approx(std, rel=0.02)
    kurtosis = (values**4).mean() / values.var() ** 2  # 3 for a normal, 1.8 for a uniform distribution
    if bound is None:
        assert kurtosis == pytest.approx(3, rel=0.05)
    else:
        assert kurtosis == pytest.approx(1.8, rel=0.05)
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.999 * bound


def test_constants():
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Constant(0.25).sample(rng, (2, 3), 2, 3), np.full((2, 3), 0.25))
    np.testing.assert_array_equal(Zeros().sample(rng, (2, 3), None, None), np.zeros((2, 3)))
    mean = Normal(mean=3, std=0.1).sample(rng, (1000,), None, None).mean()
    assert mean == pytest.approx(3, abs=0.02)


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5), (4, 3, 2), (2, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    matrix = Orthogonal(gain=2).sample(np.random.default_rng(0), shape, None, None).reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_is_not_biased_by_qrs_signs():
    rng = np.random.default_rng(0)
    corner = [Orthogonal().sample(rng, (2, 2), None, None)[0, 0] for _ in range(400)]
    assert abs(np.mean(np.sign(corner))) < 0.2  # a plain QR gives one sign only


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: He("gauss"), "distribution: expected one of normal, uniform, got 'gauss'"),
        (lambda: CaffeXavier("in"), "variance_norm: expected one of fan_in, fan_out, average, got 'in'"),
        (lambda: Orthogonal().sample(np.random.default_rng(0), (3,), 3, 3), "two axes or more"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_he_for_weights_and_zeros_for_biases_by_default():
    layer = Affine(300)
    layer.build(200)
    assert layer.W.data.std() == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    assert not layer.b.data.any()


def test_float32_and_float64_start_alike():
    single, double = Affine(3), Affine(3).astype(np.float64)
    single.build(4)
    double.build(4)
    np.testing.assert_array_equal(single.W.data, double.W.data.astype(np.float32))


def test_a_users_own_initializer():
    class Checkerboard(Initializer):
        def sample(self, rng, shape, fan_in, fan_out):
            return np.indices(shape).sum(axis=0) % 2

    layer = Affine(2, weight_init=Checkerboard())
    layer.build(2)
    np.testing.assert_array_equal(layer.W.data, [[0, 1], [1, 0]])
    with pytest.raises(NotImplementedError, match="defines no sample"):
        Initializer().sample(None, (1,), 1, 1)
