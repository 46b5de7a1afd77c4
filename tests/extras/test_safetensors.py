"""The safetensors library and handbrew read each other's files."""

import numpy as np
import pytest
import safetensors
from handbrew.data import FileFormatError
from handbrew.layers import Affine, ReLU
from handbrew.nets import Sequential, load_net, read_weights
from handbrew.nets.safetensors import DTYPES, read_safetensors, write_safetensors
from safetensors.numpy import load_file, save_file

DTYPES_OF_NUMPY = sorted(set(DTYPES.values()) - {DTYPES["BF16"]} | {"<u2"})


def samples(dtype):
    """Arrays of ordinary and of odd shapes, whose bytes take any values."""
    rng = np.random.default_rng(0)

    def sample(*shape):
        return (rng.standard_normal(shape) * 50).astype(dtype)

    return {
        "matrix": sample(3, 5),
        "fc1.W": sample(4),
        "scalar": sample().reshape(()) if False else np.asarray(sample()),
        "empty": sample(0),
        "no rows": sample(2, 0, 3),
        "ünïcödé \"'\\\n": sample(1),
    }
