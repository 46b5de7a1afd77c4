"""Param and Buffer: arrays that nobody can detach, gradients that nobody can lose."""

import copy
import pickle

import numpy as np
import pytest

from handbrew.layers import Buffer, Param, ShapeError, pack


@pytest.fixture
def p():
    return Param("W", np.arange(6, dtype=np.float32).reshape(2, 3))


def test_assigning_data_copies_into_the_array_that_is_there(p):
    there = p.data
    p.data = np.full((2, 3), 7.0)
    assert p.data is there
    assert there.dtype == np.float32
    np.testing.assert_array_equal(there, 7)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 3), (2, 3, 1), ()])
def test_assigning_another_shape_is_refused_not_broadcast(p, shape):
    with pytest.raises(ShapeError, match=r"W\.data: expected shape \(2, 3\), got"):
        p.data = np.zeros(shape)
    with pytest.raises(ShapeError, match=r"W\.grad: expected shape \(2, 3\), got"):
        p.grad = np.zeros(shape)
    with pytest.raises(ShapeError, match="gradient of W"):
        p.add_grad(np.zeros(shape))
    np.testing.assert_array_equal(p.data, np.arange(6).reshape(2, 3))


def test_gradient_reads_as_zeros_until_something_is_added(p):
    p._grad[...] = 99  # what a cleared gradient may hold
    np.testing.assert_array_equal(p.grad, 0)


@pytest.mark.parametrize("first", ["user", "add", "product", "assign"])
@pytest.mark.parametrize("second", ["user", "add", "product", "assign"])
def test_all_ways_of_adding_add_up(p, first, second):
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[1, 0, 2], [0, 1, 3]])
    product = np.float32([[1, 2, 8], [3, 4, 18]])  # by hand
    p._grad[...] = 99

    def add(how):
        if how == "user":
            p.grad += product
        elif how == "add":
            p.add_grad(product)
        elif how == "product":
            p.add_grad_product(a, b)
        else:
            p.grad = p.grad + product

    add(first)
    np.testing.assert_array_equal(p.grad, product)
    add(second)
    np.testing.assert_array_equal(p.grad, 2 * product)
    p.zero_grad()
    add(second)
    np.testing.assert_array_equal(p.grad, product)


def test_an_empty_product_adds_zeros(p):
    p._grad[...] = 99
    p.add_grad_product(np.zeros((2, 0), np.float32), np.zeros((0, 3), np.float32))
    np.testing.assert_array_equal(p.grad, 0)


def test_a_float64_product_stays_in_the_gradients_dtype(p):
    p.add_grad_product(np.ones((2, 4)), np.ones((4, 3)))
    assert p.grad.dtype == np.float32
    np.testing.assert_array_equal(p.grad, 4)


def test_adding_does_not_keep_the_callers_array(p):
    g = np.ones((2, 3), np.float32)
    p.add_grad(g)
    p.add_grad(g)
    np.testing.assert_array_equal(g, 1)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_own_their_arrays(p, clone):
    p.lr_mult, p.trainable = 2, False
    pack([p])
    p.grad += 1
    q = clone(p)
    assert q.flat is None
    assert (q.lr_mult, q.trainable) == (2, False)
    q.data = q.data + 1
    q.grad += 1
    np.testing.assert_array_equal(p.data, np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(p.grad, 1)
    np.testing.assert_array_equal(q.grad, 2)


def test_cast(p):
    p.grad += 1
    p.cast(np.dtype(np.float64))
    assert p.data.dtype == p.grad.dtype == np.float64
    np.testing.assert_array_equal(p.grad, 1)


def test_buffers_of_integers_are_not_cast():
    count = Buffer("count", np.array([3]))
    count.cast(np.dtype(np.float64))
    assert count.data.dtype == np.int64
    mean = Buffer("mean", np.zeros(2, np.float32))
    mean.cast(np.dtype(np.float64))
    assert mean.data.dtype == np.float64


def test_repr_tells_name_shape_and_dtype(p):
    assert repr(p) == "Param('W', shape=(2, 3), dtype=float32)"
