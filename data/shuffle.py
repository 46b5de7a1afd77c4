"""Random order that stays the same for ever."""

import numpy as np
from numpy.typing import NDArray


def shuffled(n: int, seed: int, *key: int) -> NDArray[np.intp]:
    """A permutation of range(n), shape (n,): a pure function of its arguments.

    NumPy promises a generator's raw bits for good, `Generator.permutation` only within a version (NEP 19).
    Sorting random keys that carry the index in their low bits needs those bits alone, and knows no ties.
    """
    low = np.uint64(n.bit_length())
    keys = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)).random_raw(n) >> low << low
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    return (keys & ((np.uint64(1) << low) - np.uint64(1))).astype(np.intp)
