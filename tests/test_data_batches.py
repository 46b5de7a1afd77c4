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
