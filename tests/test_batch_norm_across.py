"""A batch that several processes share out is normalised as one; threads stand in for the processes."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers import BatchNorm, ShapeError


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def at_once(functions):
    """Call each with an ``across`` that joins them, in a thread of its own; return the results."""
    barrier, slots = Barrier(len(functions), timeout=20), [None] * len(functions)

    def run(rank):
        def across(array):
            slots[rank] = array.copy()
            barrier.wait()
            stacked = np.stack(slots)
            barrier.wait()  # nobody overwrites what another has not read
            return stacked

        try:
            return functions[rank](across)
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, rank) for rank in range(len(functions))]]


def refuse(array):
    raise AssertionError("no message was expected")


def made(shape, dtype=np.float64, **options):
    layer = BatchNorm(momentum=0.75, **options).astype(dtype)
    layer.build(shape[1:])
    for i, p in enumerate(layer.params.values()):
        p.data = 1 + normal(shape[1], seed=i) / 2
    return layer


def passes(layer, x, dy, steps=2):
    """Outputs and gradients of some steps, and what the layer then holds."""
    found = []
    for step in range(steps):
        found += [layer.forward(x + step), layer.backward(dy)]
    return found, {name: p.grad for name, p in layer.params.items()}, {n: b.data for n, b in layer.buffers.items()}


def shared_out(x, dy, cuts, **options):
    """The same, of several layers that each have a part of the samples."""
    parts = list(zip(np.split(x, cuts), np.split(dy, cuts), strict=True))

    def process(part):
        def run(across):
            layer = made(x.shape, x.dtype, **options)
            layer.across = across
            return passes(layer, *part)

        return run

    return at_once([process(part) for part in parts])


def check(x, dy, cuts, rtol, **options):
    arrays, grads, buffers = passes(made(x.shape, x.dtype, **options), x, dy)
    found = shared_out(x, dy, cuts, **options)
    for i, whole in enumerate(arrays):
        together = np.concatenate([each[0][i] for each in found])
        assert together.dtype == whole.dtype
        np.testing.assert_allclose(together, whole, rtol=rtol, atol=rtol * np.abs(whole).max())
    for name, whole in grads.items():  # gradients add up
        np.testing.assert_allclose(sum(each[1][name] for each in found), whole, rtol=rtol, atol=rtol * np.abs(dy).sum())
    for name, whole in buffers.items():  # statistics are the same everywhere, to the bit
        np.testing.assert_allclose(found[0][2][name], whole, rtol=rtol, atol=rtol * np.abs(x).max())
        for each in found[1:]:
            np.testing.assert_array_equal(each[2][name], found[0][2][name])


@given(
    n=st.integers(2, 7),
    channels=st.integers(1, 4),
    rest=st.lists(st.integers(1, 3), max_size=2),
    cuts=st.lists(st.integers(0, 7), min_size=1, max_size=3),
    affine=st.booleans(),
    seed=st.integers(0, 99),
)
def test_parts_are_one_batch(n, channels, rest, cuts, affine, seed):
    shape = (n, channels, *rest)
    check(3 + normal(*shape, seed=seed), normal(*shape, seed=seed + 1), sorted(cuts), 1e-12, affine=affine, eps=0.01)


@pytest.mark.parametrize("cuts", [[5], [1], [0], [10], [4, 4], [9, 10]])
@pytest.mark.parametrize("shape", [(10, 4), (10, 3, 5), (10, 3, 4, 5)])
def test_uneven_and_empty_parts(shape, cuts):
    check(normal(*shape), normal(*shape, seed=1), cuts, 1e-12)
    check(normal(*shape).astype(np.float32), normal(*shape, seed=1).astype(np.float32), cuts, 2e-5)


def test_blocks_of_large_arrays():
    check(normal(70, 200, 5, 9), normal(70, 200, 5, 9, seed=1), [20, 45], 1e-11)


def test_float32_keeps_its_digits_if_the_mean_is_large():
    x = (1000 + normal(64, 3)).astype(np.float32)
    (y, *_), _, _ = passes(made(x.shape), x.astype(np.float64), x)
    found = np.concatenate([each[0][0] for each in shared_out(x, x, [10, 40])])
    np.testing.assert_allclose(found, y, atol=1e-3)


def test_parts_that_lie_far_apart():
    """The variance is that around the common mean, most of which is between the parts here."""
    x = normal(12, 3)
    x[:4] += 1e4
    check(x, normal(12, 3, seed=1), [4], 1e-12)


def test_only_statistics_of_the_batch_are_shared():
    x, dy = normal(6, 3), normal(6, 3, seed=1)
    for change in (lambda layer: layer.eval(), lambda layer: setattr(layer, "frozen_statistics", True)):
        layer, alone = made(x.shape), made(x.shape)
        layer.across = refuse
        change(layer), change(alone)
        np.testing.assert_array_equal(layer.forward(x), alone.forward(x))
        np.testing.assert_array_equal(layer.backward(dy), alone.backward(dy))


def test_a_first_layer_takes_its_gradients_without_a_message():
    x, dy = normal(6, 3), normal(6, 3, seed=1)
    layer, whole = made(x.shape), made(x.shape)
    layer.across = lambda array: array[None]
    for each in (layer, whole):
        each.input_grad = False
        each.forward(x)
    layer.across = refuse
    assert layer.backward(dy) is whole.backward(dy) is None
    for name, p in layer.params.items():
        np.testing.assert_allclose(p.grad, whole.params[name].grad, rtol=1e-12)


def test_one_number_in_all_is_refused_everywhere():
    def process(part):
        def run(across):
            layer = made((1, 3))
            layer.across = across
            with pytest.raises(ShapeError, match="expected several numbers in each channel"):
                layer.forward(part)
            return True

        return run

    assert at_once([process(np.ones((1, 3))), process(np.ones((0, 3)))]) == [True, True]


def test_no_number_at_all_changes_nothing():
    for arrays, grads, buffers in shared_out(np.ones((0, 3)), np.ones((0, 3)), [0]):
        assert [a.shape for a in arrays] == [(0, 3)] * 4
        np.testing.assert_array_equal(buffers["mean"], 0)
        np.testing.assert_array_equal(buffers["var"], 1)
        np.testing.assert_array_equal(grads["beta"], 0)


def test_copies_are_on_their_own():
    layer = made((4, 3))
    layer.across = lambda array: array[None]
    assert copy.deepcopy(layer).across is pickle.loads(pickle.dumps(layer)).across is None
    assert layer.tied().across is layer.across  # a twin stands in the same net
    assert repr(layer) == "BatchNorm(momentum=0.75)"
