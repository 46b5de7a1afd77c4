import numpy as np
import pytest

from handbrew.data import blobs, moons, spiral


@pytest.mark.parametrize(
    ("make", "shape", "classes"),
    [
        (lambda **seed: spiral(20, 4, **seed), (80, 2), 4),
        (lambda **seed: moons(31, **seed), (31, 2), 2),
        (lambda **seed: blobs(50, 5, 3, **seed), (50, 3), 5),
    ],
)
def test_shapes_labels_and_seeds(make, shape, classes):
    data = make()
    assert data.X.shape == shape
    assert data.X.dtype == np.float32
    counts = np.bincount(data.y)
    assert len(counts) == len(data.classes) == classes
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(data.X, make(seed=0).X)
    assert not np.array_equal(data.X, make(seed=1).X)


def test_the_global_generator_is_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    spiral(), moons(), blobs()
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_spiral_without_noise_lies_on_its_arms():
    X, y = spiral(50, 3, noise=0)
    r = np.hypot(*X.T)
    assert np.allclose(r.reshape(3, 50), np.linspace(0, 1, 50), atol=1e-6)
    angle = 4 * r + 2 * np.pi * y / 3
    assert np.allclose(X, np.stack([r * np.cos(angle), r * np.sin(angle)], 1), atol=1e-5)


def test_moons_without_noise_lie_on_their_half_circles():
    X, y = moons(40, noise=0)
    upper, lower = X[y == 0], X[y == 1]
    assert np.allclose(np.hypot(*upper.T), 1)
    assert upper[:, 1].min() > -1e-6
    assert np.allclose(np.hypot(*(lower - [1, 0.5]).T), 1)
    assert lower[:, 1].max() < 0.5 + 1e-6


def test_blobs_have_the_spread_asked_for():
    X, y = blobs(3000, 2, 2, spread=0.5)
    for label in (0, 1):
        assert np.allclose(X[y == label].std(axis=0), 0.5, atol=0.05)


@pytest.mark.parametrize("call", [lambda: spiral(0), lambda: spiral(5, 0), lambda: moons(0), lambda: blobs(features=0)])
def test_sizes_must_be_positive(call):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        call()
