import math

import numpy as np
import pytest

from handbrew.layers._erf import erfc

oracle = np.vectorize(math.erfc, otypes=[np.float64])
POINTS = np.concatenate([np.linspace(-8, 28, 5001), np.linspace(-0.01, 0.01, 101)])


def test_float64_is_exact_to_1e_15():
    assert np.abs(erfc(POINTS) - oracle(POINTS)).max() < 1e-15


def test_float32_is_exact_to_4e_7():
    x = POINTS.astype(np.float32)
    y = erfc(x)
    assert y.dtype == np.float32
    assert np.abs(y - oracle(x)).max() < 4e-7


@pytest.mark.parametrize(("dtype", "tolerance", "end"), [(np.float64, 1e-13, 26), (np.float32, 5e-6, 9)])
def test_the_tail_keeps_its_relative_precision(dtype, tolerance, end):
    x = np.linspace(0, end, 2001).astype(dtype)
    np.testing.assert_allclose(erfc(x), oracle(x), rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends(dtype):
    x = np.array([np.inf, -np.inf, 1e30, -1e30, 28, -28, 0.0, -0.0, np.nan], dtype)
    np.testing.assert_array_equal(erfc(x)[:-3], np.array([0, 2, 0, 2, 0, 2], dtype))
    np.testing.assert_allclose(erfc(x)[-3:], np.array([1, 1, np.nan], dtype), rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4), (70_001,), (3, 50_000)])
def test_shapes_larger_and_smaller_than_a_block(shape):
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(erfc(x), oracle(x), atol=1e-15)


def test_any_memory_layout_and_no_writing():
    x = np.random.default_rng(0).normal(size=(4, 6))
    x.flags.writeable = False
    np.testing.assert_allclose(erfc(x.T[::-2]), oracle(x.T[::-2]), atol=1e-15)
