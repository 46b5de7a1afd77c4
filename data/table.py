"""CSV files: a line with the names of the columns, then one sample per line."""

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handbrew.data.dataset import Dataset
from handbrew.data.errors import FileFormatError
from handbrew.data.guard import decoding
from handbrew.data.labels import MISSING, Classes, encode

_TARGETS = ("label", "target", "class", "y")
_REPORTED = 5  # problems in one error

Row = tuple[int, list[str]]  # its line in the file, its cells
