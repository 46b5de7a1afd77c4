"""The cache between forward and backward."""

import copy
import pickle

import numpy as np
import pytest

from handbrew.layers import Affine, CacheError, ReLU


def test_backward_before_forward_says_so():
    with pytest.raises(CacheError, match="ReLU: call forward before backward; nothing is cached under 'sign_of'"):
        ReLU().backward(np.ones((2, 3)))


def test_a_missing_name_is_a_missing_attribute():
    cache = ReLU().cache
    assert not hasattr(cache, "sign_of")
    assert getattr(cache, "sign_of", None) is None
    cache.positive = 1
    assert cache.positive == 1
    assert repr(cache) == "Cache(positive)"


def test_forward_replaces_what_the_last_one_left():
    layer = ReLU()
    layer.forward(np.float32([[1, -1]]))
    layer.forward(np.float32([[-1, 1], [2, -2]]))
    np.testing.assert_array_equal(layer.backward(np.ones((2, 2), np.float32)), [[0, 1], [1, 0]])


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_start_with_an_empty_cache(clone):
    layer = Affine(2)
    layer.forward(np.ones((1, 3), np.float32))
    twin = clone(layer)
    with pytest.raises(CacheError, match="Affine"):
        twin.backward(np.ones((1, 2), np.float32))
    layer.backward(np.ones((1, 2), np.float32))  # the original's is untouched
    assert not layer.W.fresh
    assert twin.W.fresh
