import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import Dataset


def numbered(labels, **more):
    """Samples that carry their own number."""
    y = np.array(labels)
    return Dataset(np.arange(len(y), dtype=np.float32)[:, None], y, **more)


def test_unpacks_and_has_a_length():
    data = numbered([0, 1, 1])
    X, y = data
    assert X is data.X
    assert y is data.y
    assert len(data) == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.bool_])
def test_integer_labels_become_int64(dtype):
    assert numbered(np.array([0, 1], dtype)).y.dtype == np.int64


def test_float_targets_stay_as_they_are():
    y = np.zeros((3, 2), np.float32)
    assert Dataset(np.zeros((3, 1)), y).y is y


@pytest.mark.parametrize("shape", [(4,), (2, 3), ()])
def test_lengths_must_agree(shape):
    with pytest.raises(ValueError, match=r"X has shape \(3, 2\) and y \((4,|2, 3|)\)"):
        Dataset(np.zeros((3, 2)), np.zeros(shape))
    with pytest.raises(ValueError, match="axis 0"):
        Dataset(np.array(1.0), np.array(1.0))


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0]])
def test_every_label_needs_a_name(labels):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        numbered(labels, classes=("a", "b"))


def test_is_frozen_and_prints_in_one_line():
    data = numbered([0, 1], classes=("a", "b"), name="toy")
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.X = data.y
    assert repr(data) == "<Dataset toy: X (2, 1) float32, y (2,) int64, 2 classes>"
    assert repr(numbered([0.5])) == "<Dataset: X (1, 1) float32, y (1,) float64>"


@pytest.mark.parametrize("indices", [[2, 0], np.array([2, 0]), (2, 0)])
def test_take(indices):
    data = numbered([5, 6, 7], name="toy", features=("n",)).take(indices)
    assert data.X.ravel().tolist() == [2, 0]
    assert data.y.tolist() == [7, 5]
    assert (data.name, data.features) == ("toy", ("n",))


def test_take_with_a_mask():
    assert numbered([5, 6, 7]).take([True, False, True]).y.tolist() == [5, 7]


@settings(max_examples=60)
@given(
    labels=st.lists(st.integers(-2, 4), min_size=4, max_size=80),
    fraction=st.floats(0.15, 0.85),
    seed=st.integers(0, 5),
)
def test_split_parts_the_samples_and_is_fair_to_each_class(labels, fraction, seed):
    data = numbered(labels)
    rest, held = data.split(fraction, seed)
    numbers = rest.X.ravel().tolist(), held.X.ravel().tolist()
    assert sorted(numbers[0] + numbers[1]) == list(range(len(labels)))
    assert all(part == sorted(part) for part in numbers)
    assert len(held) == round(fraction * len(labels))
    assert np.array_equal(data.y[held.X.ravel().astype(int)], held.y)
    for label in set(labels):
        share = labels.count(label) * len(held) / len(labels)
        assert abs(held.y.tolist().count(label) - share) < 1


def test_split_depends_on_the_seed_only():
    data = numbered([0, 1] * 50)
    first, again, other = (data.split(0.2, seed)[1].X for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("y", [np.linspace(0, 1, 100), np.zeros((100, 2), int)])
def test_split_draws_everywhere_without_labels(y):
    held = Dataset(np.arange(100)[:, None], y).split(0.3)[1]
    assert len(held) == 30
    assert np.diff(held.X.ravel()).max() > 4  # not every third or fourth
    assert held.X.max() > 80
    assert held.X.min() < 20


def test_split_takes_each_sample_equally_often():
    data = numbered([0] * 10 + [1] * 5)
    counts = np.bincount(np.concatenate([data.split(0.4, seed)[1].X.ravel() for seed in range(1000)]).astype(int))
    assert counts.min() > 330  # expected 400, deviation 15
    assert counts.max() < 470


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.1, -0.5, 1.5])
def test_split_leaves_no_side_empty(fraction):
    with pytest.raises(ValueError, match="one side empty"):
        numbered([0, 1, 0]).split(fraction)


class TestWeight:
    def test_it_stays_with_its_samples(self):
        data = numbered([0, 1, 0, 1], weight=[0, 1, 2, 3.5])
        assert data.weight.dtype == np.float64
        assert len([*data]) == 2
        assert data.take([3, 0]).weight.tolist() == [3.5, 0]
        assert data.take([True, False, False, True]).weight.tolist() == [0, 3.5]
        for part in data.split(0.5):
            assert part.weight.tolist() == [data.weight[int(i)] for i in part.X.ravel()]
        assert numbered([0, 1]).take([0]).weight is None
        assert repr(data) == "<Dataset: X (4, 1) float32, y (4,) int64, weighted>"

    @pytest.mark.parametrize("weight", [[True, False], np.array([1, 2], np.uint8), np.array([0.5, 0], np.float32)])
    def test_any_numbers(self, weight):
        data = numbered([0, 1], weight=weight)
        assert data.weight.tolist() == np.asarray(weight, float).tolist()

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            ([1.0], r"weight: expected 2 numbers, one per sample, got float64 of shape \(1,\)"),
            ([[1.0], [2.0]], r"got float64 of shape \(2, 1\)"),
            (1.0, r"got float64 of shape \(\)"),
            (["a", "b"], "expected 2 numbers"),
            ([1j, 1], "expected 2 numbers"),
            ([1.0, -0.5], "at least 0, got -0.5 for sample 1"),
            ([np.nan, 1.0], "finite numbers of at least 0, got nan for sample 0"),
            ([np.inf, -1.0], r"got inf for sample 0 \(2 of 2 are wrong\)"),
        ],
    )
    def test_what_is_no_weight(self, weight, message):
        with pytest.raises(ValueError, match=message):
            numbered([0, 1], weight=weight)
