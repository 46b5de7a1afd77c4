"""The data set that comes with handbrew."""

from pathlib import Path

import numpy as np

from .dataset import Dataset
from .npz import read_npz


def digits() -> Dataset:
    """1,797 handwritten digits: X float32 (1797, 64), 8x8 pixels from 0 to 1; y the digit.

    Each pixel counts, in sixteenths, the dark dots in a 4x4 block of a 32x32 bitmap. `X.reshape(-1, 1, 8, 8)`
    gives images; `digits().split(0.2, seed=0)` holds out the same fifth for everyone.

    From "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI Machine Learning
    Repository, https://archive.ics.uci.edu/dataset/80, licensed under CC BY 4.0: all images of its test part.

    >>> digits()
    <Dataset digits: X (1797, 64) float32, y (1797,) int64, 10 classes>
    """
    images, labels = read_npz(Path(__file__).with_name("digits.npz"))
    return Dataset(images / np.float32(16), labels, tuple("0123456789"), "digits")
