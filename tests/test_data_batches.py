import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import Batches, Dataset


def make(n=10, **options):
    """Samples i with the label -i."""
    return Batches(np.arange(n)[:, None], -np.arange(n), **({"batch_size": 3} | options))


def epoch_of(batches):
    return [X.ravel().tolist() for X, y in batches]


@settings(max_examples=60)
@given(n=st.integers(1, 40), size=st.integers(1, 45), shuffle=st.booleans(), drop_last=st.booleans())
def test_an_epoch_shows_every_sample_once(n, size, shuffle, drop_last):
    if drop_last and size > n:
        with pytest.raises(ValueError, match="no batch"):
            make(n, batch_size=size, drop_last=True)
        return
    batches = make(n, batch_size=size, shuffle=shuffle, drop_last=drop_last)
    given_ = epoch_of(batches)
    assert len(given_) == len(batches)
    assert all(len(batch) == size for batch in given_[:-1])
    seen = list(itertools.chain(*given_))
    assert len(seen) == len(set(seen)) == (n // size * size if drop_last else n)
    assert shuffle or seen == list(range(len(seen)))


def test_labels_stay_with_their_samples():
    for X, y in make():
        assert np.array_equal(X.ravel(), -y)


def test_takes_a_data_set_or_lists():
    data = Dataset(np.arange(4.0)[:, None], np.array([0, 1, 0, 1]))
    assert [y.tolist() for _, y in Batches(data, batch_size=4, shuffle=False)] == [[0, 1, 0, 1]]
    assert [y.tolist() for _, y in Batches([[1], [2]], [0, 1], shuffle=False)] == [[0, 1]]


def test_order_is_a_function_of_seed_and_epoch():
    first, second = make(), make()
    epochs = [epoch_of(first) for _ in range(3)]
    assert epochs == [epoch_of(second) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != epoch_of(make(seed=1))
    assert first.epoch == 3


@settings(max_examples=40)
@given(stop=st.integers(0, 11), shuffle=st.booleans(), drop_last=st.booleans())
def test_a_restored_loop_gives_what_was_still_to_come(stop, shuffle, drop_last):
    options = {"shuffle": shuffle, "drop_last": drop_last}
    whole = make(**options)
    expected = [epoch_of(whole) for _ in range(8)]
    per_epoch = len(whole)

    first, steps, state = make(**options), 0, None
    state = first.state()
    while steps < stop:
        for _ in first:
            steps += 1
            state = json.loads(json.dumps(first.state()))  # from inside the loop
            if steps == stop:
                break

    second = make(**options)
    second.restore(state)
    assert second.state() == state
    rest = [batch for _ in range(3) for batch in epoch_of(second)]
    assert rest == list(itertools.chain(*expected))[stop:][: len(rest)]
    assert len(rest) > per_epoch


def test_a_state_after_the_last_batch_leaves_an_empty_rest():
    batches = make()
    for _ in batches:
        state = batches.state()
    again = make()
    again.restore(state)
    assert epoch_of(again) == []
    assert again.epoch == 1
    assert epoch_of(again) == epoch_of(batches)


def test_a_state_between_epochs_begins_the_next():
    batches, again = make(), make()
    epoch_of(batches)
    again.restore(batches.state())
    assert epoch_of(again) == epoch_of(batches)


def test_a_new_loop_after_a_break_is_the_next_epoch():
    batches, whole = make(), make()
    for _ in batches:
        break
    assert batches.epoch == 0
    epoch_of(whole)
    assert epoch_of(batches) == epoch_of(whole)
    assert batches.epoch == 2


def test_a_restored_state_counts_once():
    batches = make()
    next(iter(batches))
    batches.restore(batches.state())
    for _ in batches:
        break
    assert len(epoch_of(batches)) == 4
    assert batches.epoch == 2


def test_the_state_is_plain_integers():
    state = make(batch_size=np.int64(3), seed=np.int64(1)).state()
    assert {type(value) for value in state.values()} == {int}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 1}, r"seed 1 \(here 0\)"),
        ({"n": 11}, r"samples 11 \(here 10\)"),
        ({"batch_size": 4}, r"batch_size 4 \(here 3\)"),
        ({"shuffle": False}, r"shuffle 0 \(here 1\)"),
        ({"drop_last": True}, r"drop_last 1 \(here 0\)"),
    ],
)
def test_a_state_of_other_batches_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        make().restore(make(**other).state())


@pytest.mark.parametrize("change", [{"epoch": -1}, {"batch": 5}, {"batch": -1}])
def test_a_position_that_is_not_there_is_refused(change):
    batches = make()
    with pytest.raises(ValueError, match="no such position"):
        batches.restore(batches.state() | change)
    with pytest.raises(ValueError, match="expected the keys"):
        batches.restore({"epoch": 0})


def test_wrong_arguments():
    data = Dataset(np.zeros((2, 1)), np.zeros(2))
    with pytest.raises(TypeError, match="batch_size="):
        Batches(data, 64)
    with pytest.raises(TypeError, match="without y"):
        Batches(data.X)
    with pytest.raises(ValueError, match="axis 0"):
        Batches(np.zeros((2, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        make(batch_size=0)
    with pytest.raises(ValueError, match="no batch"):
        make(n=0)


def test_weights_make_triples():
    weight = np.linspace(0, 1, 10)
    for shuffle in (False, True):
        weighted, plain = make(weight=weight, shuffle=shuffle), make(shuffle=shuffle)
        for (X, y, w), (X0, y0) in zip(weighted, plain, strict=True):
            assert np.array_equal(X, X0)
            assert np.array_equal(y, y0)
            assert np.array_equal(w, weight[X.ravel()])
        of_data = Batches(weighted.data, batch_size=3, shuffle=shuffle)
        assert [len(batch) for batch in of_data] == [3] * 4
    assert weighted.state() == plain.state()
    with pytest.raises(TypeError, match="a Dataset brings its own y and weight"):
        Batches(weighted.data, batch_size=3, weight=weight)
    with pytest.raises(ValueError, match="weight: expected 10 numbers"):
        make(weight=weight[1:])


class TestShards:
    """The parts that several processes get of every batch."""

    @settings(max_examples=100)
    @given(
        n=st.integers(1, 30),
        batch=st.integers(1, 12),
        size=st.integers(1, 7),
        shuffle=st.booleans(),
        drop_last=st.booleans(),
        weighted=st.booleans(),
    )
    def test_together_they_are_the_batch(self, n, batch, size, shuffle, drop_last, weighted):
        batch = min(batch, n)
        options = {"batch_size": batch, "shuffle": shuffle, "drop_last": drop_last}
        whole = make(n, weight=np.arange(n) if weighted else None, **options)
        shards = [whole.shard(rank, size) for rank in range(size)]
        assert {len(shard) for shard in shards} == {len(whole)}
        for _ in range(2):
            for expected, *parts in zip(whole, *shards, strict=True):
                for array, *pieces in zip(expected, *parts, strict=True):
                    assert np.array_equal(np.concatenate(pieces), array)
                    lengths = [len(piece) for piece in pieces]
                    assert lengths == sorted(lengths, reverse=True)
                    assert lengths[0] - lengths[-1] <= 1
                assert {tuple(shard.state().items()) for shard in shards} == {tuple(whole.state().items())}

    def test_a_state_goes_on_with_another_number_of_processes(self):
        whole = make(20)
        expected = [epoch_of(whole) for _ in range(2)]
        first = [make(20).shard(rank, 3) for rank in range(3)]
        loops = [iter(shard) for shard in first]
        for _ in range(2):
            for loop in loops:
                next(loop)
        state = json.loads(json.dumps(first[2].state()))
        for size in (1, 2, 5):
            again = make(20)
            again.restore(state)
            before = [again.shard(rank, size) for rank in range(size)]  # whether shared out after restoring, or before
            after = [make(20).shard(rank, size) for rank in range(size)]
            for shard in after:
                shard.restore(state)
            for shards in (before, after):
                for batches in (expected[0][2:], expected[1]):
                    parts = [epoch_of(shard) for shard in shards]
                    assert [list(itertools.chain(*p)) for p in zip(*parts, strict=True)] == batches

    def test_a_shard_has_a_position_of_its_own(self):
        whole = make()
        shard = whole.shard(1, 2)
        epoch_of(shard)
        assert (whole.epoch, shard.epoch) == (0, 1)

    def test_a_shard_of_a_shard_is_one_of_the_whole(self):
        assert epoch_of(make().shard(0, 2).shard(1, 3)) == epoch_of(make().shard(1, 3))

    @pytest.mark.parametrize(("rank", "size"), [(-1, 2), (2, 2), (0, 0)])
    def test_ranks_that_are_not_there(self, rank, size):
        with pytest.raises(ValueError, match=f"shard: expected a rank from 0 to size - 1, got rank {rank} of"):
            make().shard(rank, size)
