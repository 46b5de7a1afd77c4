"""ArgMax against a loop over the elements."""

import numpy as np
import pytest
from layouts import normal

from handbrew.layers import ArgMax, ShapeError


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_against_a_loop(axis, keepdims):
    x = np.round(normal((4, 3, 5), np.float32))  # with ties
    y = ArgMax(axis, keepdims).forward(x)
    assert y.dtype == np.int64
    assert y.shape == ((4, *((1, 5) if axis == 1 else (3, 1))) if keepdims else (4, 5 if axis == 1 else 3))
    y = y if keepdims else np.expand_dims(y, axis)
    for at in np.ndindex(y.shape):
        where = list(at)
        numbers = []
        for i in range(x.shape[axis]):
            where[axis] = i
            numbers.append(x[tuple(where)])
        assert y[at] == numbers.index(max(numbers))


def test_there_is_no_gradient():
    layer = ArgMax()
    layer.forward(normal((2, 3), np.float32))
    dx = layer.backward(None)
    assert dx.shape == (2, 3)
    assert dx.dtype == np.float32
    assert not dx.any()
    layer.forward(np.array([[1, 2]]))
    assert layer.backward(None) is None


def test_axes_that_are_not_there():
    with pytest.raises(ShapeError, match="ArgMax: axis 0 is the sample"):
        ArgMax(0)
    with pytest.raises(ShapeError, match="ArgMax: axis 2 is beyond"):
        ArgMax(2).forward(np.ones((2, 3)))
