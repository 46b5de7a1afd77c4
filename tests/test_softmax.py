import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers.errors import ShapeError
from handbrew.layers.softmax import LogSoftmax, Softmax


def naive(x, dy, log):
    """One vector: the output, and the gradient as the product with the whole Jacobian."""
    p = [math.exp(v) / sum(math.exp(w) for w in x) for v in x]
    k = range(len(x))
    if log:
        return [math.log(v) for v in p], [sum(dy[j] * ((i == j) - p[i]) for j in k) for i in k]
    return p, [sum(dy[j] * p[j] * ((i == j) - p[i]) for j in k) for i in k]


@st.composite
def shapes_and_axes(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    return shape, draw(st.integers(1, len(shape) - 1))


@pytest.mark.parametrize("log", [False, True])
@given(case=shapes_and_axes(), seed=st.integers(0, 9), negative=st.booleans())
def test_against_the_whole_jacobian(log, case, seed, negative):
    shape, axis = case
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    layer = (LogSoftmax if log else Softmax)(axis=axis - len(shape) if negative else axis)
    y, dx = layer.forward(x), layer.backward(dy)
    others = shape[:axis] + shape[axis + 1 :]
    for i in np.ndindex(others):
        at = (*i[:axis], slice(None), *i[axis:])
        want_y, want_dx = naive(x[at].tolist(), dy[at].tolist(), log)
        np.testing.assert_allclose(y[at], want_y, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(dx[at], want_dx, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_and_masked_scores(dtype):
    x = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -np.inf]], dtype)
    layer, log = Softmax(), LogSoftmax()
    np.testing.assert_allclose(layer.forward(x), [[1, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(
        log.forward(x), [[0, -1e4, -2e4], [-math.log(2), -math.log(2), -np.inf]], atol=1e-6, rtol=1e-6
    )
    dy = np.array([[1, 2, 3], [1, 2, 3]], dtype)
    np.testing.assert_allclose(layer.backward(dy), [[0, 0, 0], [-0.25, 0.25, 0]])
    np.testing.assert_allclose(log.backward(dy), [[-5, 2, 3], [-2, -1, 3]])
    assert {a.dtype for a in (layer.backward(dy), log.backward(dy))} == {np.dtype(dtype)}


@pytest.mark.parametrize("layer", [Softmax(), LogSoftmax()])
def test_an_empty_batch(layer):
    assert layer.forward(np.zeros((0, 3))).shape == layer.backward(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("make", [Softmax, LogSoftmax])
@pytest.mark.parametrize("axis", [0, 2, -2, -3])
def test_an_axis_that_is_not_there_or_the_batch_s(make, axis):
    with pytest.raises(ShapeError, match=rf"Softmax: expected an axis {axis} .* got input of shape \(3,\)"):
        make(axis=axis).forward(np.zeros((2, 3)))


def test_repr():
    assert repr([Softmax(), LogSoftmax(axis=-1)]) == "[Softmax(), LogSoftmax(axis=-1)]"
