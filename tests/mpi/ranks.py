"""What ``Ranks`` offers, on two ranks or more."""

import os
import re

import numpy as np
import pytest

from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, SoftmaxCrossEntropy, StateError
from handbrew.nets import Sequential
from handbrew.solvers import parallel


def make_net(seed=0):
    net = Sequential(Affine(8), BatchNorm(), ReLU(), Dropout(), Affine(3), SoftmaxCrossEntropy(), seed=seed)
    net.build((5,))
    return net


def same_everywhere(ranks, array):
    return all(np.array_equal(array, other) for other in ranks.stack(np.asarray(array)))


def check_sums(ranks):
    for dtype in (np.float32, np.float64):
        for size in (0, 1, 5, 1000, 300_001):
            parts = np.random.default_rng(size).normal(size=(ranks.size, size)).astype(dtype)
            array = parts[ranks.rank].copy()
            ranks.sum(array)
            np.testing.assert_allclose(array, parts.sum(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-6)
            assert array.dtype == dtype
            assert same_everywhere(ranks, array)


def check_sums_in_place(ranks):
    buffer = np.full((4, 6), ranks.rank + 1.0)
    ranks.sum(buffer[1:3])
    total = ranks.size * (ranks.size + 1) / 2
    np.testing.assert_array_equal(buffer, [[ranks.rank + 1] * 6, [total] * 6, [total] * 6, [ranks.rank + 1] * 6])
    with pytest.raises(ValueError, match="has to be contiguous"):
        ranks.sum(buffer[:, 1:3])


def check_many_elements_go_in_several_messages(ranks):
    before, parallel.MOST = parallel.MOST, 7
    try:
        array = np.arange(23.0) * (ranks.rank + 1)
        ranks.sum(array)
        net = make_net(seed=ranks.rank)
        ranks.broadcast_state(net)
    finally:
        parallel.MOST = before
    np.testing.assert_array_equal(array, np.arange(23.0) * ranks.size * (ranks.size + 1) / 2)
    assert all(np.array_equal(a, make_net().state()[name]) for name, a in net.state().items())


def check_stacks_and_objects(ranks):
    stacked = ranks.stack(np.full((2, 3), ranks.rank, np.float32).T)
    assert stacked.dtype == np.float32
    np.testing.assert_array_equal(stacked, np.arange(ranks.size)[:, None, None] * np.ones((3, 2)))
    assert ranks.gather({"rank": ranks.rank}) == [{"rank": r} for r in range(ranks.size)]
    assert ranks.broadcast(f"of rank {ranks.rank}") == "of rank 0"


def check_all_start_like_rank_0(ranks):
    net = make_net(seed=ranks.rank)
    net.buffers["batchnorm1.mean"].data += ranks.rank
    ranks.broadcast_state(net)
    expected = make_net().state()
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, expected[name])


def check_another_net_is_refused(ranks):
    net = Sequential(Affine(3 + (ranks.rank == 1)), *[ReLU(), Affine(2, bias=False)][: 2 * ranks.rank])
    net.build((4,))
    before = net.state()
    message = (
        f"rank 1 of {ranks.size} has another net than rank 0\n"
        "  affine1.W: float32 (4, 3) in rank 0, float32 (4, 4) in rank 1\n"
        "  affine1.b: float32 (3,) in rank 0, float32 (4,) in rank 1\n"
        "  affine2.W: nothing in rank 0, float32 (4, 2) in rank 1"
    )
    with pytest.raises(StateError, match=f"^{re.escape(message)}$"):
        ranks.broadcast_state(net)
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def check_buffers_are_averaged(ranks):
    net = make_net()
    for i, b in enumerate(net.buffers.values()):
        b.data = np.arange(8.0) + i + ranks.rank
    W = net.params["affine1.W"].data.copy()
    ranks.average_buffers(net)
    for i, b in enumerate(net.buffers.values()):
        np.testing.assert_allclose(b.data, np.arange(8) + i + (ranks.size - 1) / 2, rtol=1e-6)
        assert b.data.dtype == np.float32
        assert same_everywhere(ranks, b.data)
    np.testing.assert_array_equal(net.params["affine1.W"].data, W)


def masks(net):
    dropout = net.layers[3]
    return np.stack([dropout.forward(np.ones(50, np.float32)) for _ in range(3)])


def check_every_rank_draws_its_own_numbers(ranks):
    net, again, alone = make_net(), make_net(), make_net()
    ranks.scatter_generators(net)
    ranks.scatter_generators(again)
    drawn = masks(net)
    np.testing.assert_array_equal(drawn, masks(again))
    assert np.array_equal(drawn, masks(alone)) == (ranks.rank == 0)
    everyone = ranks.stack(drawn)
    assert len({each.tobytes() for each in everyone}) == ranks.size


def check_generators_go_on_on_another_number_of_ranks(ranks):
    net = make_net()
    ranks.scatter_generators(net)
    masks(net)
    states = ranks.gather(net.generator_states())
    following = masks(net)
    again = make_net(seed=0)
    masks(again)
    ranks.scatter_generators(again, states, step=3)
    np.testing.assert_array_equal(following, masks(again))
    for few in range(ranks.size):
        resumed = make_net()
        ranks.scatter_generators(resumed, states[:few], step=3)
        drawn = masks(resumed)
        assert np.array_equal(drawn, following) == (ranks.rank < few)
        everyone = ranks.stack(drawn)
        assert len({each.tobytes() for each in everyone}) == ranks.size
        fresh = make_net()
        ranks.scatter_generators(fresh)
        if few <= ranks.rank and ranks.rank:  # nor what it drew in its first steps, long ago
            assert not np.array_equal(drawn, masks(fresh))


def check_cores_are_shared(ranks):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert ranks.threads == max(1, cores // ranks.size)
    assert os.environ["HANDBREW_THREADS"] == str(ranks.threads)
    from threadpoolctl import threadpool_info

    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    assert all(n <= ranks.threads for n in blas)


def check_the_world_is_found(ranks):
    assert parallel.world().Get_size() == ranks.size
