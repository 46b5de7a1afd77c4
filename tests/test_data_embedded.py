import numpy as np

from handbrew.data import digits


def test_digits_are_those_of_the_original_file():
    X, y = digits()
    assert X.shape == (1797, 64)
    assert X.dtype == np.float32
    assert (X.min(), X.max()) == (0, 1)
    # What the repository documents about the test part, and the first image of the file.
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (X[0, :16] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]
    assert X.sum(dtype=float) * 16 == 561718
    assert y[:10].tolist() == list(range(10))


def test_digits_are_fresh_arrays():
    digits().X[:] = 7
    assert digits().X.max() == 1


def test_the_held_out_fifth_is_fixed():
    rest, held = digits().split(0.2, seed=0)
    assert (len(rest), len(held)) == (1438, 359)
    assert np.bincount(held.y).tolist() == [35, 36, 36, 36, 36, 37, 36, 36, 35, 36]
    assert held.y[:10].tolist() == [2, 7, 9, 0, 6, 7, 0, 1, 2, 7]
    assert float(held.X.sum() * 16) == 112355
