"""Caffe's fillers: what they make, by Caffe's own formulas and fans."""

from types import SimpleNamespace

import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.layers import (
    Affine,
    CaffeMSRA,
    CaffeXavier,
    Constant,
    Conv2D,
    ConvTranspose2D,
    Glorot,
    He,
    LeCun,
    Normal,
    Orthogonal,
    Uniform,
    Zeros,
)
from handbrew.nets.caffe.fillers import (
    Bilinear,
    ByShape,
    PositiveUnitBall,
    SparseNormal,
    Transposed,
    describe_filler,
    initializer,
)


def filler(kind="constant", **options):
    """A FillerParameter with its defaults."""
    defaults = {"value": 0, "min": 0, "max": 1, "mean": 0, "std": 1, "sparse": -1, "variance_norm": 0}
    return SimpleNamespace(type=kind, **defaults | options)


def sample(init, shape, fan_in=None, fan_out=None):
    return init.sample(np.random.default_rng(0), shape, fan_in, fan_out)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (filler(), "Zeros()"),
        (filler(value=np.float32(0.1)), "Constant(0.1)"),
        (filler("uniform", min=-2), "Uniform(low=-2.0)"),
        (filler("gaussian", std=np.float32(0.01)), "Normal()"),
        (filler("gaussian", std=3, sparse=5), "SparseNormal(5, std=3.0)"),
        (filler("positive_unitball"), "PositiveUnitBall()"),
        (filler("xavier"), "ByShape(CaffeXavier())"),
        (filler("msra", variance_norm=2), "ByShape(CaffeMSRA(variance_norm='average'))"),
        (filler("bilinear"), "Bilinear()"),
    ],
)
def test_each_has_an_initialiser_and_goes_back(given, made):
    init = initializer(given)
    assert repr(init) == made
    again = filler()
    describe_filler(init, again)
    assert repr(initializer(again)) == made


def test_an_unknown_one():
    with pytest.raises(FileFormatError, match="unknown filler type 'normal'; Caffe knows constant, uniform"):
        initializer(filler("normal"))


@pytest.mark.parametrize(
    ("init", "kind", "norm"),
    [(He(), "msra", 0), (LeCun("uniform"), "xavier", 0), (Glorot(), "xavier", 2), (Orthogonal(), "constant", 0)],
)
def test_handbrews_own_as_far_as_caffe_has_them(init, kind, norm):
    found = filler()
    describe_filler(init, found)
    assert (found.type, found.variance_norm) == (kind, norm)
    if kind == "xavier":
        a, b = (
            sample(init, (30, 20), 20, 30),
            sample(CaffeXavier(("fan_in", "fan_out", "average")[norm]), (30, 20), 20, 30),
        )
        np.testing.assert_allclose(a, b)


class TestFans:
    """size / shape[0] and size / shape[1] of the blob, whatever the layer."""

    @pytest.mark.parametrize(("norm", "fan"), [("fan_in", 3 * 4), ("fan_out", 10 * 4), ("average", 26)])
    def test_of_a_convolution(self, norm, fan):
        weights = sample(ByShape(CaffeXavier(norm)), (10, 3, 2, 2), 1, 1)
        assert abs(weights).max() == pytest.approx(np.sqrt(3 / fan), rel=0.05)

    def test_of_a_deconvolution(self):
        layer = ConvTranspose2D(4, 3, weight_init=ByShape(CaffeMSRA()))
        layer.build((100, 5, 5))
        assert layer.W.data.std() == pytest.approx(np.sqrt(2 / (4 * 9)), rel=0.05)

    def test_of_groups(self):
        layer = Conv2D(64, 3, groups=4, weight_init=ByShape(CaffeMSRA("fan_out")))
        layer.build((64, 5, 5))
        assert layer.W.data.std() == pytest.approx(np.sqrt(2 / (64 * 9)), rel=0.05)

    def test_of_an_inner_product(self):
        for init in (CaffeMSRA(), Transposed(ByShape(CaffeMSRA()))):
            layer = Affine(50, weight_init=init)
            layer.build((200,))
            assert layer.W.data.std() == pytest.approx(np.sqrt(2 / 200), rel=0.05)

    def test_of_a_vector(self):
        assert abs(sample(ByShape(CaffeXavier()), (1000,))).max() == pytest.approx(np.sqrt(3), rel=0.01)
        assert abs(sample(ByShape(CaffeXavier("fan_out")), (1000,))).max() == pytest.approx(np.sqrt(0.003), rel=0.01)


def test_sparse_keeps_so_many_of_each_input():
    weights = sample(SparseNormal(15, std=2.0), (1000, 500))
    assert np.count_nonzero(weights, axis=0).mean() == pytest.approx(15, rel=0.05)
    assert weights[weights != 0].std() == pytest.approx(2, rel=0.05)
    turned = sample(Transposed(SparseNormal(15)), (500, 1000))
    assert np.count_nonzero(turned, axis=1).mean() == pytest.approx(15, rel=0.05)


def test_the_rows_of_a_positive_unit_ball_sum_to_1():
    weights = sample(PositiveUnitBall(), (6, 3, 2, 2))
    assert weights.min() > 0
    np.testing.assert_allclose(weights.sum(axis=(1, 2, 3)), 1)
    np.testing.assert_allclose(sample(Transposed(PositiveUnitBall()), (3, 6)).sum(axis=0), 1)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_bilinear_is_the_formula(k):
    weights = sample(Bilinear(), (2, 3, k, k))
    f = -(-k // 2)
    c = (k - 1) / (2 * f)
    for (_, _, y, x), w in np.ndenumerate(weights):
        assert w == pytest.approx((1 - abs(x / f - c)) * (1 - abs(y / f - c)))


def test_bilinear_enlarges_a_ramp():
    layer = ConvTranspose2D(1, 4, 2, 1, bias=False, weight_init=Bilinear())
    layer.build((1, 6, 6))
    ramp = np.broadcast_to(np.arange(6, dtype=np.float32), (1, 1, 6, 6))
    np.testing.assert_allclose(layer.forward(ramp)[0, 0, 4, 2:-2], np.arange(0.75, 4.5, 0.5), rtol=1e-6)


def test_bilinear_is_for_square_kernels():
    with pytest.raises(ValueError, match="square kernels"):
        sample(Bilinear(), (2, 3, 4, 5))


@pytest.mark.parametrize("init", [Uniform(), Normal(), Constant(2), Zeros()])
def test_what_does_not_depend_on_the_shape_is_not_turned(init):
    found = filler()
    describe_filler(init, found)
    assert type(initializer(found, transposed=True)) in (type(init), Zeros)
