"""The ways in which an array may lie in memory; a layer must not care."""

import numpy as np
from hypothesis import strategies as st


def samples_last(x):
    return np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0)


def channels_last(x):
    return np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1) if x.ndim > 1 else x.copy()


def fortran(x):
    return np.array(x, order="F")


def strided(x):
    """Every second element of a larger array, along every axis, and backwards along the last."""
    larger = np.full([2 * n for n in x.shape], np.nan, x.dtype)
    view = larger[(slice(None, None, 2),) * x.ndim][..., ::-1]
    view[...] = x
    return view


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


layouts = st.sampled_from([np.copy, samples_last, channels_last, fortran, strided, read_only])
floats = st.sampled_from([np.float32, np.float64])


def lies_samples_last(x):
    return np.moveaxis(x, 0, -1).flags.c_contiguous


def normal(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
