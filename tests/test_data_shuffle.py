import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data.shuffle import shuffled


@settings(max_examples=50)
@given(n=st.integers(0, 300), seed=st.integers(0, 2**70), key=st.lists(st.integers(0, 2**40), max_size=2))
def test_is_a_permutation_sorted_by_random_bits(n, seed, key):
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)).random_raw(n).tolist()
    order = shuffled(n, seed, *key)
    assert sorted(order.tolist()) == list(range(n))
    assert order.tolist() == sorted(range(n), key=bits.__getitem__)
    assert order.dtype == np.intp


def test_is_the_same_for_ever():
    # Stored: a change here moves everyone's held-out samples.
    assert shuffled(10, 0).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]
    assert shuffled(10, 0, 0).tolist() == [6, 3, 8, 1, 4, 5, 9, 2, 7, 0]


def test_seed_and_key_both_matter():
    orders = {tuple(shuffled(20, *arguments)) for arguments in [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]}
    assert len(orders) == 6


def test_every_item_comes_first_about_equally_often():
    first = np.bincount([shuffled(8, seed)[0] for seed in range(4000)], minlength=8)
    assert first.min() > 400  # expected 500, deviation 21
    assert first.max() < 600
