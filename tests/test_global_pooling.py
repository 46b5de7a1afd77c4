"""Pooling of whole images and pyramids against loops and stored numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts

from handbrew.layers import Affine, GlobalAvgPool2D, GlobalMaxPool2D, ShapeError, SpatialPyramidPool


def numbers(shape, dtype=np.float64):
    """Quarters from a small range, so that there are ties; sums of them are exact."""
    return (np.random.default_rng(3).integers(-8, 8, shape) / 4).astype(dtype)


@given(
    shape=st.tuples(st.integers(0, 3), *(st.integers(1, 5),) * 3),
    layout=layouts,
    dtype=floats,
    keepdims=st.booleans(),
)
def test_global_pools(shape, layout, dtype, keepdims):
    n, c, h, w = shape
    x = layout(numbers(shape, dtype))
    dy = numbers((n, c, 1, 1) if keepdims else (n, c), dtype)
    mean, maximum = np.empty((n, c)), np.empty((n, c))
    mean_dx, maximum_dx = np.zeros(shape), np.zeros(shape)
    for s, ch in itertools.product(range(n), range(c)):
        pixels = list(itertools.product(range(h), range(w)))
        best = max(pixels, key=lambda at: x[s, ch, *at])  # the first of equals
        mean[s, ch], maximum[s, ch] = sum(x[s, ch, *at] for at in pixels) / (h * w), x[s, ch, *best]
        mean_dx[s, ch] = dy[s, ch].item() / (h * w)
        maximum_dx[s, ch, *best] = dy[s, ch].item()
    for layer, y, dx in (
        (GlobalAvgPool2D(keepdims), mean, mean_dx),
        (GlobalMaxPool2D(keepdims), maximum, maximum_dx),
    ):
        got = layer.forward(x)
        assert got.dtype == dtype
        assert got.shape == dy.shape == (n, *layer.out_shape)
        np.testing.assert_allclose(got.reshape(n, c), y, rtol=1e-6)
        got = layer.backward(dy)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, dx, rtol=1e-6)


def test_a_global_pool_feeds_affine():
    y = GlobalAvgPool2D().forward(numbers((2, 3, 4, 5), np.float32))
    assert Affine(7).forward(y).shape == (2, 7)


def test_a_mean_over_a_large_image_is_exact_enough():
    x = np.random.default_rng(0).normal(1, 1, (2, 2, 224, 224)).astype(np.float32)
    for each in (x, np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)):
        np.testing.assert_allclose(GlobalAvgPool2D().forward(each), x.mean(axis=(2, 3), dtype=np.float64), rtol=1e-5)


def test_a_nan_is_a_global_maximum():
    x = numbers((1, 1, 3, 3))
    x[0, 0, 1, 2] = np.nan
    assert np.isnan(GlobalMaxPool2D().forward(x)).all()


def caffe_pooling(x, bins, average):
    """Caffe's SPPLayer::GetPoolingParam, and PoolingLayer's loops with what it gives."""
    h, w = x.shape
    kernel, pad = [-(-n // bins) for n in (h, w)], []
    for n, k in zip((h, w), kernel, strict=True):
        pad.append((k * bins - n + 1) // 2)
    counts = [-(-(n + 2 * p - k) // k) + 1 for n, k, p in zip((h, w), kernel, pad, strict=True)]
    if any(pad):
        counts = [c - ((c - 1) * k >= n + p) for c, n, k, p in zip(counts, (h, w), kernel, pad, strict=True)]
    assert counts == [bins, bins]
    y = np.empty(counts)
    for i, j in np.ndindex(*counts):
        top, left = i * kernel[0] - pad[0], j * kernel[1] - pad[1]
        bottom, right = min(top + kernel[0], h + pad[0]), min(left + kernel[1], w + pad[1])
        area = (bottom - top) * (right - left)
        window = x[max(top, 0) : min(bottom, h), max(left, 0) : min(right, w)]
        y[i, j] = window.sum() / area if average else window.max()
    return y


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize(("levels", "size"), [(1, (3, 5)), (2, (2, 7)), (3, (7, 8)), (3, (13, 13)), (3, (4, 11))])
def test_pyramid(levels, size, average):
    x = numbers((3, 2, *size))
    layer = SpatialPyramidPool(levels, average)
    y = layer.forward(x)
    assert layer.out_shape == (2 * (4**levels - 1) // 3,) == y.shape[1:]
    for sample, got in zip(x, y, strict=True):
        parts = [caffe_pooling(image, 2**level, average).ravel() for level in range(levels) for image in sample]
        np.testing.assert_allclose(got, np.concatenate(parts), rtol=1e-12)


def test_pyramid_takes_any_size():
    layer = SpatialPyramidPool(3)
    for shape in ((2, 4, 13, 13), (1, 4, 9, 16), (0, 4, 8, 8)):
        y = layer.forward(numbers(shape, np.float32))
        assert y.shape == (shape[0], 84)
        assert layer.backward(y).shape == shape


def test_too_many_bins():
    with pytest.raises(ShapeError, match=r"SpatialPyramidPool: 4 bins of 2 along an axis of 5 pixels: .* fewer levels"):
        SpatialPyramidPool(3).build((2, 9, 5))
    for levels in (0, 1.5, None):
        with pytest.raises(ShapeError, match="SpatialPyramidPool: levels: expected an integer from 1 on"):
            SpatialPyramidPool(levels)


@pytest.mark.parametrize("make", [GlobalAvgPool2D, GlobalMaxPool2D, lambda: SpatialPyramidPool(2)])
def test_what_is_no_image(make):
    layer = make()
    for shape in ((3, 4), (2, 3, 4, 4)):
        with pytest.raises(ShapeError, match=r"expected .* of shape \(N, C, H, W\), got"):
            layer.build(shape)
    layer.forward(np.ones((2, 3, 4, 4)))
    with pytest.raises(ShapeError, match=r"expected .* of shape \(N, C, H, W\), got"):
        layer.forward(np.ones((2, 3, 4)))
    with pytest.raises(ShapeError, match="have no pixels"):
        layer.forward(np.ones((2, 3, 0, 4)))


def test_nothing_is_computed_where_nobody_wants_it():
    for layer in (GlobalAvgPool2D(), GlobalMaxPool2D(), SpatialPyramidPool(1)):
        layer.input_grad = False
        assert layer.backward(layer.forward(np.ones((1, 2, 3, 3)))) is None


def test_bytes_and_flops():
    x = np.full((1, 2, 3, 4), 255, np.uint8)
    layer = GlobalAvgPool2D()
    assert layer.forward(x).tolist() == [[255, 255]]
    assert layer.flops() == 24
    layer = SpatialPyramidPool(2, average=True)
    assert layer.forward(np.full((1, 1, 4, 4), 200, np.uint8)).tolist() == [[200] * 5]
    assert layer.flops() == 32


def test_repr():
    assert repr([GlobalAvgPool2D(), GlobalMaxPool2D(keepdims=True), SpatialPyramidPool(3, average=True)]) == (
        "[GlobalAvgPool2D(), GlobalMaxPool2D(keepdims=True), SpatialPyramidPool(3, average=True)]"
    )


def test_a_large_image_loses_no_digits():
    x = np.full((16, 2, 224, 224), 0.1, np.float32)
    np.testing.assert_allclose(GlobalAvgPool2D().forward(x), x[0, 0, 0, 0].astype(np.float64), rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (GlobalAvgPool2D(), (1, 6)),
        (GlobalAvgPool2D(keepdims=True), (2, 3)),
        (GlobalMaxPool2D(), (3, 2)),
        (SpatialPyramidPool(2), (2, 16)),
    ],
    ids=repr,
)
def test_a_gradient_of_another_shape_is_refused(layer, shape):
    layer.forward(np.zeros((2, 3, 4, 4), np.float32))
    with pytest.raises(ShapeError, match=r"forward returned shape .* but dy has shape"):
        layer.backward(np.zeros(shape, np.float32))
