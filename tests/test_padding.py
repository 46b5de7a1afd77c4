"""Pad2D against a loop over the padded pixels, and against numpy.pad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, lies_samples_last, normal, samples_last

from handbrew.layers import Pad2D, ShapeError

NUMPYS = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}


def original(i, size, mode):
    """The pixel that position i of an axis shows, counted in the image; None for the constant."""
    if 0 <= i < size:
        return i
    if mode == "constant":
        return None
    if mode == "replicate":
        return 0 if i < 0 else size - 1
    return -i if i < 0 else 2 * (size - 1) - i


def naive(x, dy, sides, value, mode):
    (top, bottom), (left, right) = sides
    n, channels, h, w = x.shape
    y = np.empty((n, channels, top + h + bottom, left + w + right), x.dtype)
    dx = np.zeros(x.shape)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            row, column = original(i - top, h, mode), original(j - left, w, mode)
            if row is None or column is None:
                y[:, :, i, j] = value
            else:
                y[:, :, i, j] = x[:, :, row, column]
                dx[:, :, row, column] += dy[:, :, i, j]
    return y, dx


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    mode=st.sampled_from(sorted(NUMPYS)),
    value=st.sampled_from([0.0, -1.5]),
    layout=layouts,
    dtype=floats,
    data=st.data(),
)
def test_pad(shape, mode, value, layout, dtype, data):
    widest = [n - 1 if mode == "reflect" else 6 for n in shape[2:] for _ in range(2)]
    four = tuple(data.draw(st.integers(0, n)) for n in widest)
    (top, bottom, left, right), padding = four, four
    if top == bottom and left == right and data.draw(st.booleans()):
        padding = top if top == left and data.draw(st.booleans()) else (top, left)
    x = normal(shape, dtype)
    layer = Pad2D(padding, value, mode)
    y = layer.forward(layout(x))
    dy = normal(y.shape, dtype, seed=1)
    dx = layer.backward(layout(dy))
    sides = ((top, bottom), (left, right))
    expected, expected_dx = naive(x, dy, sides, value, mode)
    options = {"constant_values": value} if mode == "constant" else {}
    np.testing.assert_array_equal(expected, np.pad(x, ((0, 0), (0, 0), *sides), NUMPYS[mode], **options))
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-5, atol=1e-5)
    assert y.shape[1:] == layer.out_shape
    assert y.dtype == dx.dtype == dtype
    assert lies_samples_last(y)


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), (1, 2, 3, -1), 1.5, "same", (1, "2"), ()])
def test_padding_that_is_none(padding):
    message = r"Pad2D: padding: expected a width from 0 on, \(height, width\) or \(top, bottom, left, right\), got"
    with pytest.raises(ShapeError, match=message):
        Pad2D(padding)


def test_a_mode_that_there_is_not():
    with pytest.raises(ValueError, match='mode: expected "constant", "replicate" or "reflect", got \'circular\''):
        Pad2D(1, mode="circular")


def test_a_mirror_needs_an_image_larger_than_the_border():
    message = "Pad2D: expected images larger than the border that mirrors them, padding=3, got 3 x 4"
    with pytest.raises(ShapeError, match=message):
        Pad2D(3, mode="reflect").build((2, 3, 4))
    layer = Pad2D(3, mode="reflect")
    layer.forward(normal((1, 2, 4, 4)))
    with pytest.raises(ShapeError, match=message):
        layer.forward(normal((1, 2, 3, 4)))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 2, 3, 4)])
def test_other_than_images(shape):
    with pytest.raises(ShapeError, match=r"Pad2D: expected .*\(N, C, H, W\)"):
        Pad2D(1).build(shape)
    with pytest.raises(ShapeError, match=r"Pad2D: expected .*\(N, C, H, W\)"):
        Pad2D(1).forward(normal((2, *shape)))


def test_sizes_may_change_from_batch_to_batch():
    layer = Pad2D((1, 2))
    for shape in ((2, 3, 4, 5), (5, 1, 2, 2)):
        y = layer.forward(samples_last(normal(shape)))
        assert layer.backward(y).shape == shape


def test_repr():
    assert repr([Pad2D(1), Pad2D((1, 2), value=3), Pad2D((0, 1, 2, 3), mode="reflect")]) == (
        "[Pad2D(1), Pad2D((1, 2), value=3.0), Pad2D((0, 1, 2, 3), mode='reflect')]"
    )


def test_options_may_be_set_later():
    layer = Pad2D(1)
    layer.padding = 2
    assert repr(layer) == "Pad2D(2)"
    y = layer.forward(np.ones((1, 1, 2, 2), np.float32))
    assert y.shape == (1, 1, 6, 6)
    with pytest.raises(ShapeError, match=r"forward returned shape \(1, 1, 6, 6\), but dy has shape \(1, 1, 4, 4\)"):
        layer.backward(np.ones((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize("padding", [True, (True, 2), np.True_, [1, 2, False, 3], ((1, 2), 3)])
def test_a_width_is_no_truth_value_and_no_pair(padding):
    with pytest.raises(ShapeError, match="Pad2D: padding: expected a width"):
        Pad2D(padding)


@pytest.mark.parametrize("padding", [np.int64(1), np.uint8(1), (np.uint8(1), 1), np.ones(4, np.uint8)])
def test_numpys_integers_are_integers(padding):
    layer = Pad2D(padding)
    assert repr(layer.build((3, 254, 255))) == "(3, 256, 257)"
    np.testing.assert_array_equal(layer.forward(normal((1, 2, 3, 3))), Pad2D(1).forward(normal((1, 2, 3, 3))))
