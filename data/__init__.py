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
from .hdf5 import read_hdf5
from .idx import read_idx
from .lmdb import read_lmdb
from .loading import load
from .npz import Npz, read_npz
from .synthetic import blobs, moons, spiral
from .table import read_csv, read_features
from .transform import Transform

__all__ = [
    "Batches",
    "Dataset",
    "FileFormatError",
    "Npz",
    "Transform",
    "balanced_weights",
    "blobs",
    "decoding",
    "digits",
    "load",
    "moons",
    "read_cifar",
    "read_csv",
    "read_features",
    "read_hdf5",
    "read_idx",
    "read_lmdb",
    "read_npz",
    "spiral",
]
