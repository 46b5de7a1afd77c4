"""``export_numpy``: a trained net as a Python file and its weights."""

from __future__ import annotations

import copy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import Layer

from ..files import write_atomically
from ..saving import write_npz
from .writing import compose

if TYPE_CHECKING:
    from ..net import Net
