"""StochasticPool2D against loops over windows: what is drawn, how often, and the mean in use."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts

from handbrew.layers import MaxPool2D, ShapeError, StochasticPool2D


def windows(x, kernel, stride, pad, ceil_mode):
    """The pixels inside the image of each window, as indices of x."""
    n, c, *sizes = x.shape
    lines = []
    for size, k, s, p in zip(sizes, kernel, stride, pad, strict=True):
        count = (math.ceil if ceil_mode else math.floor)((size + 2 * p - k) / s) + 1
        starts = [i * s - p for i in range(count) if i * s - p < size]
        lines.append([[q for q in range(start, start + k) if 0 <= q < size] for start in starts])
    for sample, channel, i, j in itertools.product(range(n), range(c), *(range(len(line)) for line in lines)):
        yield (sample, channel, i, j), [(sample, channel, p, q) for p in lines[0][i] for q in lines[1][j]]


@given(data=st.data())
def test_against_loops(data):
    draw = data.draw
    kernel, stride = (draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(2))
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - 2 * p), 6)) for k, p in zip(kernel, pad, strict=True))
    shape, ceil_mode = (draw(st.integers(0, 3)), draw(st.integers(1, 2)), *size), draw(st.booleans())
    rng = np.random.default_rng(0)
    x = draw(layouts)(np.maximum(rng.normal(size=shape), 0).astype(draw(floats)))
    layer = StochasticPool2D(kernel, stride, pad, ceil_mode)
    y = layer.forward(x)
    assert y.shape[1:] == layer.build(shape[1:])
    assert y.dtype == x.dtype
    dy = rng.normal(size=y.shape).astype(x.dtype)
    dx = layer.backward(dy)
    expected = np.zeros_like(dx)
    for at, pixels in windows(x, kernel, stride, pad, ceil_mode):
        values = [x[p] for p in pixels]
        assert y[at] in values or not any(values)
        if y[at]:
            expected[pixels[values.index(y[at])]] += dy[at]
    moved = dx - expected  # where all are 0, the gradient goes to one of these
    assert not moved[x > 0].any() or np.abs(moved[x > 0]).max() < 1e-5
    used = layer.eval().forward(x)
    dx = layer.backward(dy)
    expected = np.zeros_like(dx)
    for at, pixels in windows(x, kernel, stride, pad, ceil_mode):
        total = sum(float(x[p]) for p in pixels)
        mean = sum(float(x[p]) ** 2 for p in pixels) / total if total else 0.0
        assert used[at] == pytest.approx(mean, rel=1e-5)
        for p in pixels:
            expected[p] += dy[at] * (2 * x[p] - mean) / (total or 1)
    close = {"rtol": 1e-4, "atol": 1e-4} if x.dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(dx, expected, **close)


def test_how_often_each_is_drawn():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    y = StochasticPool2D(2).forward(np.broadcast_to(x, (20_000, 1, 2, 2)))
    counts = [(y == value).mean() for value in (1, 2, 3, 4)]
    np.testing.assert_allclose(counts, [0.1, 0.2, 0.3, 0.4], atol=0.02)
    assert y.mean() == pytest.approx(3.0, abs=0.05)  # (1 + 4 + 9 + 16) / 10, the mean in use


def test_zeros_are_never_drawn_among_others():
    x = np.zeros((1000, 1, 3, 3), np.float32)
    x[:, :, 1, 1] = 1e-30
    assert (StochasticPool2D(3).forward(x) == x.max()).all()
    assert (StochasticPool2D(3, padding=1).forward(x)[:, 0, 0, 0] == x.max()).all()


def test_a_window_of_zeros_is_zero():
    layer = StochasticPool2D(2)
    x = np.zeros((1, 1, 2, 2), np.float32)
    assert layer.forward(x).item() == 0
    assert layer.backward(np.ones((1, 1, 1, 1), np.float32)).sum() == 1
    assert layer.eval().forward(x).item() == 0
    assert not layer.backward(np.ones((1, 1, 1, 1), np.float32)).any()


def test_sizes_are_those_of_the_other_layers():
    for options in ((3, 2), (3, 2, 1), (2, 3)):
        for ceil_mode in (False, True):
            ours, theirs = (make(*options, ceil_mode=ceil_mode) for make in (StochasticPool2D, MaxPool2D))
            assert ours.build((2, 8, 11)) == theirs.build((2, 8, 11))


def test_what_is_refused():
    layer = StochasticPool2D(2)
    with pytest.raises(ValueError, match=r"StochasticPool2D: expected activations from 0 on, .* got -0\.5"):
        layer.forward(np.array([[[[1.0, -0.5], [0.0, 2.0]]]]))
    with pytest.raises(ShapeError, match="not smaller than the kernel"):
        StochasticPool2D(2, padding=2)
    layer.forward(np.ones((1, 1, 2, 2)))
    with pytest.raises(ShapeError, match="but dy has shape"):
        layer.backward(np.ones((1, 1, 2, 2)))
    layer.input_grad = False
    assert layer.backward(np.ones((1, 1, 1, 1))) is None


def test_bytes_and_flops():
    layer = StochasticPool2D(2).eval()
    assert layer.forward(np.full((1, 1, 2, 2), 200, np.uint8)).item() == 200
    assert layer.flops() == 12
