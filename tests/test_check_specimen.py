"""How passes are compared: shapes are never broadcast, and what is not finite is never equal by accident."""

import numpy as np

from handbrew.layers._check_specimen import difference_of


def test_equal_arrays_do_not_differ():
    assert not difference_of("y", np.ones((2, 3)), np.ones((2, 3)) + 1e-9)
    assert not difference_of("y", np.ones((0, 3)), np.ones((0, 3)))


def test_the_worst_element_is_named():
    got = np.ones((2, 3))
    got[1, 2], got[0, 1] = 3, 2
    assert difference_of("y", np.ones((2, 3)), got) == "y[1, 2]: expected 1, got 3"


def test_shapes_are_not_broadcast():
    assert difference_of("y", np.ones((2, 3)), np.ones(3)) == "y: expected shape (2, 3), got (3,)"


def test_nan_differs():
    assert difference_of("y", np.ones(2), np.array([1, np.nan])) == "y[1]: expected 1, got nan"
