"""Tile and Upsample2D against loops over the elements, and stored values of PyTorch's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import floats, layouts, lies_samples_last, normal, samples_last

from handbrew.layers import ShapeError, Tile, Upsample2D, worker_threads

IMAGES = st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))
SMALL = np.array([[[[0.0, 1.0, 4.0], [2.0, 3.0, -2.0]]]])


@given(shape=IMAGES, rank=st.integers(2, 4), layout=layouts, dtype=floats, data=st.data())
def test_tile(shape, rank, layout, dtype, data):
    shape = shape[:rank]
    axis, tiles = data.draw(st.integers(1, rank - 1)), data.draw(st.integers(1, 4))
    x = normal(shape, dtype)
    layer = Tile(tiles, axis=data.draw(st.sampled_from([axis, axis - rank])))
    y = layer.forward(layout(x))
    dy = normal(y.shape, dtype, seed=1)
    dx = layer.backward(layout(dy))
    assert y.shape == (shape[0], *layer.out_shape)
    assert y.shape[axis] == tiles * shape[axis]
    assert y.dtype == dx.dtype == dtype
    expected = np.zeros(shape)
    for at in np.ndindex(y.shape):
        source = (*at[:axis], at[axis] % shape[axis], *at[axis + 1 :])
        assert y[at] == x[source]
        expected[source] += dy[at]
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tiles", [0, -1, 1.5, "2"])
def test_tile_refuses_what_is_no_number_of_tiles(tiles):
    with pytest.raises(ShapeError, match="Tile: tiles: expected an integer from 1 on"):
        Tile(tiles)


def test_tile_refuses_axes():
    with pytest.raises(ShapeError, match="Tile: axis 0 is the sample"):
        Tile(2, axis=0)
    with pytest.raises(ShapeError, match=r"Tile: axis: expected an integer, got \(1, 2\)"):
        Tile(2, axis=(1, 2))
    with pytest.raises(ShapeError, match="Tile: axis 2 is beyond"):
        Tile(2, axis=2).forward(normal((2, 3)))


def sources(i, size, scale, mode, align_corners):
    """The input's pixels on one axis that output pixel i mixes, and how much of each."""
    if mode == "nearest":
        return [(i // scale, 1.0)]
    if align_corners:
        last = size * scale - 1
        position = i * (size - 1) / last if last else 0.0
    else:
        position = max((i + 0.5) / scale - 0.5, 0.0)
    low = int(position)
    return [(low, 1.0 - (position - low)), (min(low + 1, size - 1), position - low)]


def naive(x, dy, scales, mode, align_corners):
    y, dx = np.zeros(dy.shape), np.zeros(x.shape)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            for row, a in sources(i, x.shape[2], scales[0], mode, align_corners):
                for column, b in sources(j, x.shape[3], scales[1], mode, align_corners):
                    y[:, :, i, j] += a * b * x[:, :, row, column]
                    dx[:, :, row, column] += a * b * dy[:, :, i, j]
    return y, dx


def compare(layer, x, layout=np.copy):
    y = layer.forward(layout(x))
    n, channels, h, w = x.shape
    a, b = layer.scales
    assert y.shape == (n, channels, h * a, w * b) == (n, *layer.out_shape)
    dy = normal(y.shape, x.dtype, seed=1)
    dx = layer.backward(layout(dy))
    expected, expected_dx = naive(x, dy, layer.scales, layer.mode, layer.align_corners)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5 if x.dtype == np.float32 else 1e-13)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-5, atol=1e-4 if x.dtype == np.float32 else 1e-12)
    assert y.dtype == dx.dtype == x.dtype
    assert lies_samples_last(y)


@given(
    shape=IMAGES,
    scale=st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 4), st.integers(1, 3))),
    options=st.sampled_from([("nearest", False), ("bilinear", False), ("bilinear", True)]),
    layout=layouts,
    dtype=floats,
)
def test_upsample(shape, scale, options, layout, dtype):
    compare(Upsample2D(scale, *options), normal(shape, dtype), layout)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("threads", [False, True])
def test_images_of_several_blocks_of_rows(align_corners, threads):
    layer, x = Upsample2D((3, 2), "bilinear", align_corners), normal((2, 3, 23, 37))
    if threads:
        with worker_threads():
            compare(layer, x)
    else:
        compare(layer, x)


def test_pytorchs_values():
    """From torch.nn.functional.interpolate(x, scale_factor=…, mode="bilinear", align_corners=…) of PyTorch 2.13."""
    halves = [
        [0.0, 0.25, 0.75, 1.75, 3.25, 4.0],
        [0.5, 0.75, 1.25, 1.75, 2.25, 2.5],
        [1.5, 1.75, 2.25, 1.75, 0.25, -0.5],
        [2.0, 2.25, 2.75, 1.75, -0.75, -2.0],
    ]
    np.testing.assert_allclose(Upsample2D(2, "bilinear").forward(SMALL)[0, 0], halves, atol=1e-12)
    corners = [
        [0.0, 0.4, 0.8, 1.6, 2.8, 4.0],
        [0.4, 0.8, 1.2, 1.68, 2.24, 2.8],
        [0.8, 1.2, 1.6, 1.76, 1.68, 1.6],
        [1.2, 1.6, 2.0, 1.84, 1.12, 0.4],
        [1.6, 2.0, 2.4, 1.92, 0.56, -0.8],
        [2.0, 2.4, 2.8, 2.0, 0.0, -2.0],
    ]
    layer = Upsample2D((3, 2), "bilinear", align_corners=True)
    np.testing.assert_allclose(layer.forward(SMALL)[0, 0], corners, atol=1e-12)


def test_whole_numbers_are_interpolated_as_others():
    x = np.array([[[[0, 1], [2, 3]]]], np.uint8)
    y = Upsample2D(2, "bilinear").forward(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, Upsample2D(2, "bilinear").forward(x.astype(np.float32)))


def test_nearest_keeps_infinities_to_themselves():
    x = SMALL.copy()
    x[0, 0, 0, 0] = np.inf
    y = Upsample2D(2).forward(x)
    assert np.isinf(y).sum() == 4
    assert not np.isnan(y).any()


def test_the_same_bits_on_any_number_of_threads():
    layer, x = Upsample2D(2, "bilinear"), normal((3, 5, 30, 20), np.float32)
    alone = layer.forward(x), layer.backward(normal((3, 5, 60, 40), np.float32))
    with worker_threads():
        together = layer.forward(x), layer.backward(normal((3, 5, 60, 40), np.float32))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layer", [Upsample2D(2), Upsample2D(2, "bilinear")])
def test_other_than_images_and_other_sizes(layer):
    for shape in ((2, 3, 4, 5), (3, 1, 2, 6)):
        y = layer.forward(samples_last(normal(shape)))
        assert layer.backward(y).shape == shape
    for call in (layer.forward, lambda x: Upsample2D(2).build(x.shape[1:])):
        with pytest.raises(ShapeError, match=r"Upsample2D: expected .*\(N, C, H, W\)"):
            call(normal((2, 3, 4)))


def test_options_that_there_are_not():
    with pytest.raises(ValueError, match='mode: expected "nearest" or "bilinear", got \'cubic\''):
        Upsample2D(2, mode="cubic")
    with pytest.raises(ValueError, match='align_corners is for mode="bilinear"'):
        Upsample2D(2, align_corners=True)
    for scale in (0, 1.5, (2,), "2"):
        with pytest.raises(ShapeError, match="Upsample2D: scale: expected an integer from 1 on or a pair"):
            Upsample2D(scale)


def test_flops_and_repr():
    layer = Upsample2D((2, 3), "bilinear")
    assert layer.flops() == 0
    layer.build((4, 5, 6))
    assert layer.flops() == 2 * 4 * (10 * 5 * 6 + 10 * 6 * 18)
    assert repr([Tile(2), Upsample2D(2), layer]) == ("[Tile(2), Upsample2D(2), Upsample2D((2, 3), mode='bilinear')]")


def test_the_scale_may_be_set_later():
    layer = Upsample2D(2)
    layer.scale = 3
    assert layer.forward(np.ones((1, 1, 2, 2), np.float32)).shape == (1, 1, 6, 6)


def test_the_mode_may_be_set_later():
    layer, x = Upsample2D(2), normal((1, 2, 3, 4))
    assert not layer.uses_threads
    layer.mode, layer.align_corners = "bilinear", True
    assert layer.uses_threads
    np.testing.assert_array_equal(layer.forward(x), Upsample2D(2, "bilinear", align_corners=True).forward(x))


@pytest.mark.parametrize("tiles", [np.int64(2), np.uint8(2)])
def test_numpys_integers_are_integers(tiles):
    assert repr(Tile(tiles).build((200, 3))) == "(400, 3)"
    assert Tile(tiles).forward(normal((2, 3))).shape == (2, 6)
    assert repr(Upsample2D(tiles).build((3, 200, 200))) == "(3, 400, 400)"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Tile(2), (2, 4, 4, 5)),
        (Upsample2D(2), (2, 3, 4, 10)),
        (Upsample2D(2), (1, 3, 8, 10)),
        (Upsample2D(2, "bilinear"), (1, 3, 8, 10)),
    ],
    ids=repr,
)
def test_a_gradient_of_another_shape_is_refused(layer, shape):
    layer.forward(normal((2, 3, 4, 5)))
    with pytest.raises(ShapeError, match=r"forward returned shape .* but dy has shape"):
        layer.backward(normal(shape))
