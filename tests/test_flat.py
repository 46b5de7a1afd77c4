"""The flat buffer: views, alignment, stamps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.layers import Param, aligned_zeros, pack

SHAPES = st.lists(st.lists(st.integers(0, 7), max_size=3).map(tuple), min_size=1, max_size=6)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.sampled_from([np.float32, np.float64]))
def test_packing_keeps_values_and_makes_views_on_cache_lines(shapes, dtype):
    rng = np.random.default_rng(0)
    params = [Param(f"p{i}", rng.normal(size=s).astype(dtype)) for i, s in enumerate(shapes)]
    before = [p.data.copy() for p in params]
    for p in params:
        p.grad += 1
    pack(params)
    flat = params[0].flat
    if flat.size:
        assert flat.data.ctypes.data % 64 == flat.grad.ctypes.data % 64 == 0
    for p, values in zip(params, before, strict=True):
        assert p.flat is flat
        assert p.offset * p.data.itemsize % 64 == 0
        np.testing.assert_array_equal(p.data, values)
        np.testing.assert_array_equal(p.grad, 1)
        if p.data.size:
            assert np.shares_memory(p.data, flat.data)
            assert np.shares_memory(p.grad, flat.grad)
    assert flat.data.sum() == pytest.approx(sum(v.sum() for v in before), abs=1e-4)  # the padding is zero
    assert flat.grad.sum() == sum(v.size for v in before)


def test_dtypes_get_buffers_of_their_own_and_equal_multipliers_lie_together():
    params = [
        Param("a", np.zeros(3, np.float32), lr_mult=2),
        Param("b", np.zeros(3, np.float32)),
        Param("c", np.zeros(3, np.float64)),
        Param("d", np.zeros(3, np.float32), lr_mult=2),
        Param("e", np.zeros(3, np.float32)),
    ]
    pack(params)
    a, b, c, d, e = params
    assert a.flat is b.flat is d.flat is e.flat is not c.flat
    assert [p.name for p in sorted((a, b, d, e), key=lambda p: p.offset)] == ["b", "e", "a", "d"]


def test_what_lies_in_a_buffer_stays_there():
    p, q = Param("p", np.zeros(3, np.float32)), Param("q", np.zeros(3, np.float32))
    pack([p])
    flat, data = p.flat, p.data
    pack([p, q])
    assert p.flat is flat
    assert p.data is data
    assert q.flat is not flat


@pytest.mark.parametrize(
    "change",
    [
        lambda p: setattr(p, "lr_mult", 2),
        lambda p: setattr(p, "decay_mult", 0),
        lambda p: setattr(p, "trainable", False),
        lambda p: p.cast(np.dtype(np.float64)),
    ],
)
def test_changes_move_the_stamp(change):
    p = Param("p", np.zeros(3, np.float32))
    change(p)  # outside a buffer there is nobody to tell
    q = Param("q", np.zeros(3, np.float32))
    pack([q])
    flat, stamp = q.flat, q.flat.stamp
    change(q)
    assert flat.stamp > stamp


def test_aligned_zeros():
    for size in range(40):
        array = aligned_zeros(size, np.dtype(np.float64))
        assert array.shape == (size,)
        assert array.ctypes.data % 64 == 0 or not size
        assert not array.any()
        array += 1
