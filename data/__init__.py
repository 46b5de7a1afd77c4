"""Data sets, readers for files that nobody vouches for, and batches."""

if __name__ == "data":
    raise ImportError("import it as handbrew.data: under its bare name every class would exist twice")

from .balance import balanced_weights
from .batches import Batches
from .cifar import read_cifar
from .dataset import Dataset
from .embedded import digits
from .errors import FileFormatError
from .guard import decoding
from .idx import read_idx
from .loading import load
from .npz import Npz, read_npz
from .synthetic import blobs, moons, spiral
from .table import read_csv, read_features

__all__ = [
    "Batches",
    "Dataset",
    "FileFormatError",
    "Npz",
    "balanced_weights",
    "blobs",
    "decoding",
    "digits",
    "load",
    "moons",
    "read_cifar",
    "read_csv",
    "read_features",
    "read_idx",
    "read_npz",
    "spiral",
]
