"""Matrix products in pieces, against NumPy's own on whole matrices, and how large the pieces are."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import floats, normal

from handbrew.layers import _numerics, _products, threads
from handbrew.layers._numerics import matrix_product
from handbrew.layers._products import NARROWEST, SMALL, TILE, multiply, multiply_transposed

sizes = st.integers(0, 9)
stacks = st.sampled_from([(), (1,), (3,), (2, 3), (0,)])
ORDERS = ["C", "F", "every second"]
quick = settings(max_examples=80, deadline=None)


def framed(shape, dtype):
    """An array to write into, with a frame of numbers around it that have to stay."""
    whole = np.full([n + 2 for n in shape], 7, dtype)
    return whole, whole[tuple(slice(1, -1) for _ in shape)]


def lying(a, order):
    """The same numbers, in another order in memory."""
    if order == "every second":
        larger = np.full([*a.shape[:-1], 2 * a.shape[-1]], np.nan, a.dtype)
        larger[..., ::2] = a
        return larger[..., ::2]
    return np.swapaxes(np.swapaxes(a, -1, -2).copy(), -1, -2) if order == "F" else a.copy()


def check(function, a, b, wanted):
    whole, out = framed(wanted.shape, a.dtype)
    function(a, b, out)
    tolerance = 1e-5 if a.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(out, wanted, rtol=tolerance, atol=tolerance)
    assert whole.sum(where=whole == 7) == 7 * (whole.size - out.size)


@quick
@given(
    stacks,
    st.tuples(sizes, sizes, st.integers(0, 200)),
    st.booleans(),
    floats,
    *[st.sampled_from(ORDERS)] * 2,
    st.data(),
)
def test_multiply(stack, mkn, shared, dtype, order_a, order_b, data):
    m, k, n = mkn
    a = lying(normal((() if shared else stack) + (m, k), dtype, 1), order_a)
    b = lying(normal((*stack, k, n), dtype, 2), order_b)
    small = data.draw(st.sampled_from([SMALL, 300, 3000]))
    with mock.patch.multiple(_products, SMALL=small, NARROWEST=data.draw(st.sampled_from([NARROWEST, 16]))):
        check(multiply, a, b, a.astype(float) @ b.astype(float))


@quick
@given(stacks, st.tuples(sizes, sizes, sizes), floats, *[st.sampled_from(ORDERS)] * 2, st.sampled_from([1, 2, 4, TILE]))
def test_multiply_transposed(stack, mnk, dtype, order_a, order_b, tile):
    m, n, k = mnk
    a = lying(normal((*stack, m, n), dtype, 1), order_a)
    b = lying(normal((*stack, k, n), dtype, 2), order_b)
    with mock.patch.object(_products, "TILE", tile):
        check(multiply_transposed, a, b, a.astype(float) @ b.astype(float).swapaxes(-1, -2))


@pytest.fixture
def products(monkeypatch):
    """The shapes (m, k, n) of all products that NumPy is asked for."""
    seen = []

    def matmul(a, b, out=None):
        seen.append((*a.shape[-2:], b.shape[-1]))
        return kept(a, b, out=out)

    kept = np.matmul
    monkeypatch.setattr(np, "matmul", matmul)
    return seen


@pytest.mark.parametrize("mkn", [(64, 64, 5000), (6, 6, 100_000), (3, 800, 900), (32, 576, 3000)])
def test_large_factors_are_cut_into_products_that_blas_does_at_once(products, mkn):
    m, k, n = mkn
    a, b, out = np.ones((m, k), np.float32), np.ones((k, n), np.float32), np.empty((m, n), np.float32)
    multiply(a, b, out)
    assert (out == k).all()
    assert all(m * k * n <= 1_000_000 for m, k, n in products)
    assert len(products) <= 2  # the pieces of one width in one call, and what is left over


def test_what_no_cut_makes_small_is_multiplied_whole(products):
    a, b = np.ones((200, 300), np.float32), np.ones((300, 500), np.float32)
    multiply(a, b, np.empty((200, 500), np.float32))
    assert products == [(200, 300, 500)]


@pytest.mark.parametrize(("m", "k"), [(64, 64), (33, 100), (1, 32), (31, 97)])
def test_transposed_products_have_small_results(products, m, k):
    a, b, out = np.ones((m, 50), np.float32), np.ones((k, 50), np.float32), np.empty((m, k), np.float32)
    multiply_transposed(a, b, out)
    assert (out == 50).all()
    assert all(rows * columns <= 1200 for rows, _, columns in products)


@pytest.mark.parametrize("shape", [(30, 20, 70), (70, 20, 30), (1, 200, 41), (41, 200, 1), (50, 0, 50), (0, 5, 4)])
@pytest.mark.parametrize("given_out", [False, True])
def test_matrix_product_shared_out(monkeypatch, shape, given_out):
    """Pretended to be inside worker_threads, and a product of 500 to be large."""
    m, k, n = shape
    monkeypatch.setattr(_numerics, "SHARED", 500)
    monkeypatch.setattr(_numerics, "sharing", lambda: True)
    a, b = normal((m, k), seed=1), normal((n, k), seed=2).T
    out = np.full((m, n), np.nan) if given_out else None
    y = matrix_product(a, b, out)
    assert out is None or y is out
    np.testing.assert_allclose(y, np.einsum("ij,jk", a, b), rtol=1e-12, atol=1e-12)


def test_matrix_product_of_two_dtypes(monkeypatch):
    a, b = np.ones((30, 20), np.float32), np.ones((20, 30))
    plain = matrix_product(a, b)
    monkeypatch.setattr(_numerics, "SHARED", 500)
    monkeypatch.setattr(_numerics, "sharing", lambda: True)
    assert matrix_product(a, b).dtype == plain.dtype == np.float64


def test_outside_worker_threads_nothing_is_shared_out(monkeypatch):
    monkeypatch.setattr(_numerics, "SHARED", 1)
    monkeypatch.setattr(_numerics, "share", None)
    assert not threads.sharing()
    assert matrix_product(np.ones((30, 20)), np.ones((20, 30))).sum() == 30 * 20 * 30
