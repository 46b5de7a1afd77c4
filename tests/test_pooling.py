"""MaxPool2D and AvgPool2D against loops over windows and pixels."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts

from handbrew.layers import AvgPool2D, MaxPool2D, ShapeError, worker_threads
from handbrew.layers._pooling import blocks


def windows(size, kernel, stride, pad, ceil_mode):
    """For each window, the positions it covers; those outside 0 … size - 1 are padding, or hang over it."""
    count = (math.ceil if ceil_mode else math.floor)((size + 2 * pad - kernel) / stride) + 1
    starts = [i * stride - pad for i in range(count)]
    return [range(start, start + kernel) for start in starts if start < size]


def naive(x, kernel, stride, pad, ceil_mode, dy_of, average=None):
    """Output, input gradient and indices, one pixel at a time; ``average`` is None or count_include_pad."""
    n, c, h, w = x.shape
    rows, columns = (windows(size, *pair, ceil_mode) for size, *pair in zip((h, w), kernel, stride, pad, strict=True))
    y = np.empty((n, c, len(rows), len(columns)), x.dtype)
    indices = np.empty(y.shape, np.int64)
    dx, dy = np.zeros_like(x), dy_of(y.shape)
    for s, ch, i, j in itertools.product(*map(range, y.shape)):
        real = [(p, q) for p in rows[i] for q in columns[j] if 0 <= p < h and 0 <= q < w]
        if average is None:
            best = real[0]
            for at in real:
                if x[s, ch, *at] > x[s, ch, *best]:
                    best = at
            y[s, ch, i, j], indices[s, ch, i, j] = x[s, ch, *best], best[0] * w + best[1]
            dx[s, ch, *best] += dy[s, ch, i, j]
        else:
            padded = [1 for p in rows[i] for q in columns[j] if p < h + pad[0] and q < w + pad[1]]
            divisor = len(padded) if average else len(real)
            y[s, ch, i, j] = sum(x[s, ch, *at] for at in real) / divisor
            for at in real:
                dx[s, ch, *at] += dy[s, ch, i, j] / divisor
    return y, dx, indices


def numbers(shape, dtype=np.float64):
    """Quarters from a small range, so that there are ties; sums of them are exact."""
    return (np.random.default_rng(3).integers(-8, 8, shape) / 4).astype(dtype)


def compare(x, kernel, stride, pad, ceil_mode):
    options = {"kernel_size": kernel, "stride": stride, "padding": pad, "ceil_mode": ceil_mode}
    close = {"rtol": 1e-5 if x.dtype == np.float32 else 1e-12, "atol": 1e-6 if x.dtype == np.float32 else 1e-12}
    y, dx, indices = naive(x, kernel, stride, pad, ceil_mode, lambda shape: numbers(shape, x.dtype))
    dy = numbers(y.shape, x.dtype)
    layer = MaxPool2D(**options, return_indices=True)
    got, got_indices = layer.forward(x)
    np.testing.assert_array_equal(got, y)
    np.testing.assert_array_equal(got_indices, indices)
    assert got_indices.dtype == np.int64
    np.testing.assert_array_equal(layer.backward((dy, None)), dx)
    layer = MaxPool2D(**options)
    np.testing.assert_array_equal(layer.forward(x), y)
    got = layer.backward(dy)
    np.testing.assert_array_equal(got, dx)
    assert got.dtype == x.dtype
    for average in (True, False):
        y, dx, _ = naive(x, kernel, stride, pad, ceil_mode, lambda shape: numbers(shape, x.dtype), average)
        layer = AvgPool2D(**options, count_include_pad=average)
        got = layer.forward(x)
        np.testing.assert_allclose(got, y, **close)
        assert got.dtype == x.dtype
        got = layer.backward(dy)
        np.testing.assert_allclose(got, dx, **close)
        assert got.dtype == x.dtype


@given(data=st.data())
def test_against_loops(data):
    draw = data.draw
    kernel, stride = (draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(2))
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - 2 * p), 7)) for k, p in zip(kernel, pad, strict=True))
    shape = (draw(st.integers(0, 3)), draw(st.integers(1, 2)), *size)
    x = draw(layouts)(numbers(shape, draw(floats)))
    compare(x, kernel, stride, pad, draw(st.booleans()))


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("pad", [(0, 0), (1, 1), (2, 0)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (4, 4)])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 2), (4, 5)])
def test_all_options_against_loops(kernel, stride, pad, ceil_mode):
    if pad[0] < kernel[0] and pad[1] < kernel[1]:
        compare(numbers((2, 2, 6, 7)), kernel, stride, pad, ceil_mode)


@pytest.mark.parametrize(
    ("size", "options", "floor", "ceiling"),
    [
        (24, (2, 2, 0), 12, 12),
        (32, (3, 2, 0), 15, 16),  # cifar10_quick
        (55, (3, 2, 0), 27, 27),  # AlexNet
        (112, (3, 2, 0), 55, 56),  # GoogLeNet
        (112, (3, 2, 1), 56, 57),
        (4, (2, 2, 1), 3, 3),
        (5, (2, 2, 1), 3, 3),  # the ceiling's fourth window would begin in the padding
        (3, (1, 3, 0), 1, 1),  # and here beyond the image
        (2, (3, 2, 1), 1, 2),
    ],
)
def test_sizes(size, options, floor, ceiling):
    kernel, stride, padding = options
    for layer in (MaxPool2D, AvgPool2D):
        assert layer(kernel, stride, padding).build((5, size, 50))[:2] == (5, floor)
        assert layer(kernel, stride, padding, ceil_mode=True).build((5, 50, size))[::2] == (5, ceiling)


def test_a_window_may_hang_over_a_small_image_in_ceil_mode():
    x = numbers((1, 1, 2, 2))
    assert MaxPool2D(3, 2, ceil_mode=True).forward(x) == x.max()
    assert AvgPool2D(3, 2, ceil_mode=True).forward(x) == x.mean()
    with pytest.raises(ShapeError):
        MaxPool2D(3, 2).forward(x)


def test_the_first_of_equals_gets_the_gradient():
    layer = MaxPool2D(2)
    layer.forward(np.array([[[[0.0, 1.0], [1.0, 1.0]]]]))
    assert layer.backward(np.ones((1, 1, 1, 1))).tolist() == [[[[0, 1], [0, 0]]]]


@pytest.mark.parametrize("padding", [0, 1])
def test_what_is_not_finite(padding):
    x = np.full((1, 1, 4, 4), -np.inf, np.float32)
    x[0, 0, 3, 3] = np.nan
    layer = MaxPool2D(2, padding=padding, return_indices=True)
    y, indices = layer.forward(x)
    assert np.isnan(y[0, 0, -1, -1])
    assert np.isneginf(y.ravel()[:-1]).all()
    assert indices.min() >= 0
    assert indices.max() <= 15
    dx = layer.backward((np.ones_like(y), None))
    # Every window's gradient goes to a pixel, but that of windows of -inf that begin in the padding.
    assert dx.sum() == (y.size if padding == 0 else 4)


def test_a_large_window_has_places_beyond_a_byte():
    x = np.random.default_rng(0).normal(size=(2, 1, 18, 20))
    layer = MaxPool2D((17, 19), stride=1)
    y = layer.forward(x)
    dx = layer.backward(np.ones_like(y))
    assert y.shape == (2, 1, 2, 2)
    for s, (i, j) in itertools.product(range(2), np.ndindex(2, 2)):
        window = x[s, 0, i : i + 17, j : j + 19]
        assert y[s, 0, i, j] == window.max()
        assert dx[s, 0, i : i + 17, j : j + 19][np.unravel_index(window.argmax(), window.shape)] >= 1
    assert dx.sum() == y.size


@pytest.mark.parametrize("shape", [(100, 8, 40, 41), (500, 1, 40, 40), (3, 2, 400, 399)])
@pytest.mark.parametrize("layer", [MaxPool2D(3, 2, 1), MaxPool2D(2), AvgPool2D(3, 2, 1), AvgPool2D(2)])
def test_blocks_and_threads_change_nothing(layer, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    y = layer.forward(x)
    dx = layer.backward(y)
    for s in (0, -1):
        for c in (0, -1):
            one = x[s:, c:][:1, :1]
            np.testing.assert_array_equal(layer.forward(one), y[s:, c:][:1, :1])
            np.testing.assert_array_equal(layer.backward(y[s:, c:][:1, :1]), dx[s:, c:][:1, :1])
    with worker_threads():
        assert layer.forward(x).tobytes() == y.tobytes()
        assert layer.backward(y).tobytes() == dx.tobytes()


@pytest.mark.parametrize(
    "shape", [(1, 900, 900, 1), (7, 300, 300, 1), (1, 90, 90, 300), (5, 80, 80, 200), (0, 4, 4, 3)]
)
def test_blocks_cover_everything_once(shape):
    count = np.zeros(shape)
    for at in blocks(count.shape):
        count[at] += 1
    assert (count == 1).all()


@pytest.mark.parametrize("make", [MaxPool2D, AvgPool2D])
def test_bad_windows(make):
    name = make.__name__
    with pytest.raises(ShapeError, match=rf"{name}: padding \(2, 0\) is not smaller than the kernel \(2, 3\)"):
        make((2, 3), padding=(2, 0))
    for wrong in (0, -1, 2.0, (1, 2, 3), "3", None, True):
        with pytest.raises(ShapeError, match=f"{name}: kernel_size: expected an integer from 1 on or a pair"):
            make(wrong)
    with pytest.raises(ShapeError, match=f"{name}: stride: expected"):
        make(2, stride=0)
    with pytest.raises(ShapeError, match=f"{name}: padding: expected an integer from 0 on"):
        make(2, padding=-1)


@pytest.mark.parametrize("make", [MaxPool2D, AvgPool2D])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_images_that_do_not_fit(make, ceil_mode):
    layer = make(5, 1, 1, ceil_mode)
    message = rf"{make.__name__}: a kernel of \(5, 5\) does not fit into the padded image: \(2, 9\) with \(1, 1\) more"
    with pytest.raises(ShapeError, match=message):
        layer.build((3, 2, 9))
    layer.forward(np.zeros((1, 3, 9, 9)))
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.zeros((1, 3, 2, 9)))
    with pytest.raises(ShapeError, match="does not fit into"):
        layer.forward(np.zeros((1, 3, 9, 0)))
    with pytest.raises(ShapeError, match="does not fit into"):  # windows there would be, but of padding only
        make(3, 1, 2, ceil_mode).forward(np.zeros((1, 3, 9, 0)))
    for shape in ((4, 9, 9), (9, 9), (1, 1, 3, 9, 9)):
        with pytest.raises(ShapeError, match=rf"{make.__name__}: expected .* of shape \(N, C, H, W\), got"):
            layer.forward(np.zeros(shape))
    with pytest.raises(ShapeError, match=r"channel .* x\[:, None\]"):
        make(2).build((9, 9))


@pytest.mark.parametrize("layer", [MaxPool2D(2), AvgPool2D(2)])
def test_sizes_may_change_from_batch_to_batch(layer):
    for shape in ((2, 3, 4, 5), (1, 2, 8, 6), (0, 3, 4, 4)):
        y = layer.forward(np.ones(shape))
        assert y.shape == (*shape[:2], shape[2] // 2, shape[3] // 2)
        assert layer.backward(y).shape == shape


def test_nothing_is_computed_where_nobody_wants_it():
    for layer in (MaxPool2D(2), AvgPool2D(2)):
        layer.input_grad = False
        assert layer.backward(layer.forward(np.ones((1, 1, 2, 2)))) is None


def test_bytes_are_averaged_as_numbers():
    assert AvgPool2D(2).forward(np.full((1, 1, 2, 2), 255, np.uint8)).item() == 255


def test_flops():
    layer = MaxPool2D(3, 2, return_indices=True)
    layer.build((4, 7, 9))
    assert layer.flops() == 4 * 3 * 4 * 8
    layer = AvgPool2D((2, 3))
    layer.build((4, 7, 9))
    assert layer.flops() == 4 * 3 * 3 * 6


def test_repr():
    assert repr(MaxPool2D(2)) == "MaxPool2D(2)"
    assert repr(MaxPool2D((2, 3), 1, ceil_mode=True)) == "MaxPool2D((2, 3), stride=1, ceil_mode=True)"
    assert repr(AvgPool2D(2, count_include_pad=False)) == "AvgPool2D(2, count_include_pad=False)"


@pytest.mark.parametrize("make", [MaxPool2D, AvgPool2D])
def test_options_may_be_set_later(make):
    layer = make(2)
    x = numbers((1, 1, 8, 8))
    layer.forward(x)
    layer.kernel_size, layer.stride = 4, 2
    assert repr(layer) == f"{make.__name__}(4, stride=2)"
    np.testing.assert_array_equal(layer.forward(x), make(4, 2).forward(x))


@pytest.mark.parametrize("make", [MaxPool2D, AvgPool2D])
@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (2, 3, 4, 1), (1, 3, 4, 4), (2, 1, 4, 4), (2, 3, 4)])
def test_a_gradient_of_another_shape_is_refused(make, shape):
    layer = make(2)
    layer.forward(numbers((2, 3, 8, 8)))
    with pytest.raises(ShapeError, match=r"forward returned shape \(2, 3, 4, 4\), but dy has shape"):
        layer.backward(np.zeros(shape, np.float32))


def test_a_gradient_beside_indices_is_checked_too():
    layer = MaxPool2D(2, return_indices=True)
    _, indices = layer.forward(numbers((2, 3, 8, 8)))
    with pytest.raises(ShapeError, match=r"forward returned shape \(2, 3, 4, 4\), but dy has shape \(2, 3, 1, 1\)"):
        layer.backward((np.zeros((2, 3, 1, 1)), indices))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_maxima_of_booleans_and_integers(dtype):
    x = np.zeros((1, 1, 2, 4), dtype)
    x[0, 0, 1, 2] = 1
    layer = MaxPool2D(2)
    y = layer.forward(x)
    assert y.tolist() == [[[[0, 1]]]]
    assert y.dtype == (np.float32 if dtype is bool else dtype)
    np.testing.assert_array_equal(np.nonzero(layer.backward(np.ones(y.shape, np.float32))[0, 0]), [[0, 1], [0, 2]])
