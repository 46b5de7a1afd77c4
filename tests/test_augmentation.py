import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.layers import (
    Affine,
    Flatten,
    Normalize,
    RandomCrop,
    RandomFlip,
    ShapeError,
    SoftmaxCrossEntropy,
)
from handbrew.nets import Sequential, load_net
from handbrew.solvers import SGD

SIZES = st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(3, 7), st.integers(3, 7))
LAYOUTS = st.sampled_from(["plain", "samples last", "channels last", "strided", "read-only"])


def images(shape, layout="plain", dtype=np.float32):
    """Pixels that are all different, none of them 0, in some layout of memory."""
    x = (1 + np.arange(np.prod(shape))).reshape(shape).astype(dtype)
    if layout == "samples last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
    if layout == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == "strided":
        wide = np.zeros([2 * n for n in shape], dtype)
        view = wide[::2, ::2, ::2, ::2]
        view[...] = x
        return view
    x.flags.writeable = layout != "read-only"
    return x


def mirrored(image):
    """Written plainly: (C, H, W) with left and right exchanged."""
    y = np.zeros_like(image)
    for c, row, column in np.ndindex(image.shape):
        y[c, row, column] = image[c, row, image.shape[2] - 1 - column]
    return y


def cut(image, padding, top, left):
    """Written plainly: the piece at (top, left), of the image's own size, of the image with a border of zeros."""
    channels, height, width = image.shape
    bordered = np.zeros((channels, height + 2 * padding, width + 2 * padding), image.dtype)
    for c, row, column in np.ndindex(image.shape):
        bordered[c, row + padding, column + padding] = image[c, row, column]
    return bordered[:, top : top + height, left : left + width]


def place_of(image, y, padding):
    """Where ``y`` was cut out of ``image``; the only place, as its pixels are all different."""
    places = itertools.product(range(2 * padding + 1), repeat=2)
    found = [(top, left) for top, left in places if np.array_equal(cut(image, padding, top, left), y)]
    assert len(found) == 1
    return found[0]


@settings(max_examples=60)
@given(shape=SIZES, layout=LAYOUTS, rate=st.sampled_from([0.0, 0.3, 0.5, 1.0]), dtype=st.sampled_from("fd"))
def test_flip_mirrors_some_images_and_their_gradients(shape, layout, rate, dtype):
    layer, x, dy = RandomFlip(rate), images(shape, layout, dtype), -images(shape, "plain", dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    assert y.shape == dx.shape == shape
    assert y.dtype == dx.dtype == dtype
    for image, out, d_in, d_out in zip(x, y, dx, dy, strict=True):
        flipped = not np.array_equal(out, image)
        assert not flipped or rate > 0
        assert flipped or rate < 1
        assert np.array_equal(out, mirrored(image) if flipped else image)
        assert np.array_equal(d_in, mirrored(d_out) if flipped else d_out)


@settings(max_examples=60)
@given(shape=SIZES, layout=LAYOUTS, padding=st.integers(0, 2), dtype=st.sampled_from("fd"))
def test_crop_cuts_a_piece_out_of_the_bordered_image(shape, layout, padding, dtype):
    layer, x, dy = RandomCrop(padding), images(shape, layout, dtype), -images(shape, "plain", dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    assert y.shape == dx.shape == shape
    assert y.dtype == dx.dtype == dtype
    for image, out, d_in, d_out in zip(x, y, dx, dy, strict=True):
        top, left = place_of(image, out, padding)
        assert np.array_equal(d_in, cut(d_out, padding, 2 * padding - top, 2 * padding - left))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_the_share_of_mirrored_images(rate):
    n = 10_000
    y = RandomFlip(rate).forward(np.tile(np.array([0, 1], np.float32), (n, 1, 1, 1)))
    assert abs(y[:, 0, 0, 0].mean() - rate) < 4 * (rate * (1 - rate) / n) ** 0.5


def test_every_place_is_as_likely_as_another():
    n, padding = 10_000, 2
    y = RandomCrop(padding).forward(np.tile(images((1, 1, 3, 3)), (n, 1, 1, 1)))
    counts = Counter(image.tobytes() for image in y)
    # 25 places with 400 expected, deviation 20; all of them show something of the image, and something else.
    assert len(counts) == 25
    assert 310 < min(counts.values()) <= max(counts.values()) < 490


@pytest.mark.parametrize("layer", [RandomFlip(1.0), RandomCrop(2)])
def test_in_use_they_change_nothing_and_draw_nothing(layer):
    x = images((4, 3, 5, 5))
    layer.forward(x)
    before = layer.rng.bit_generator.state
    layer.eval()
    assert np.array_equal(layer.forward(x), x)
    assert np.array_equal(layer.backward(x), x)
    assert layer.rng.bit_generator.state == before


@pytest.mark.parametrize("layer", [RandomFlip(), RandomCrop(2)])
def test_what_was_drawn_earlier_is_forgotten(layer):
    x = images((40, 3, 5, 5))
    layer.train().forward(x)
    layer.eval().forward(x)
    assert np.array_equal(layer.backward(x), x)


@pytest.mark.parametrize("make", [RandomFlip, lambda: RandomCrop(2)])
def test_the_generator_is_all_that_a_run_needs_to_go_on(make):
    """Equal generators give equal images, in one process or in another that goes on from where the first was."""
    batches = [images((8, 3, 5, 5)) + i for i in range(6)]
    first, second = make(), make()
    whole = [first.forward(x) for x in batches]
    for x in batches[:3]:
        second.forward(x)
    state = json.loads(json.dumps(second.rng.bit_generator.state))
    resumed = make()
    resumed.rng.bit_generator.state = state
    for x, expected in zip(batches[3:], whole[3:], strict=True):
        assert np.array_equal(resumed.forward(x), expected)
    assert any(not np.array_equal(whole[0], y - i) for i, y in enumerate(whole))  # each batch gets its own


def test_neither_layout_nor_precision_change_what_is_drawn():
    for make in (RandomFlip, lambda: RandomCrop(2)):
        expected = make().forward(images((6, 2, 5, 4)))
        for layout in ("samples last", "channels last", "strided"):
            assert np.array_equal(make().forward(images((6, 2, 5, 4), layout, np.float64)), expected)


def test_the_next_layer_gets_the_layout_that_it_wants():
    y = RandomCrop(2).forward(images((6, 2, 5, 4)))
    assert np.moveaxis(y, 0, -1).flags.c_contiguous


def small_net():
    layers = Normalize((0.5, 0.4), (0.3, 0.2)), RandomFlip(), RandomCrop(1), Flatten(), Affine(2)
    return Sequential(*layers, SoftmaxCrossEntropy(), seed=3)


def test_a_net_trains_with_them_and_is_measured_without(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = rng.random((200, 2, 4, 4), np.float32) + y[:, None, None, None] * np.float32(0.8)
    net = small_net()
    history = SGD(net, lr=0.05).fit((X, y), (X, y), epochs=10, progress=False)
    assert history[-1].validation_accuracy > 0.9
    assert net.evaluate(X, y) == net.evaluate(X, y)
    np.testing.assert_allclose(net.predict(X[:5]), net.predict(X)[:5], rtol=1e-5)
    net.save(tmp_path / "net.safetensors")
    again = load_net(tmp_path / "net.safetensors")
    assert repr(again.layers) == repr(net.layers)
    assert np.array_equal(again.predict(X), net.predict(X))


def test_in_one_net_each_draws_its_own():
    net = Sequential(RandomFlip(), RandomFlip(), seed=0)
    net.forward(images((1, 1, 3, 3)))
    first, second = net.layers
    assert first.rng.bit_generator.state != second.rng.bit_generator.state


@pytest.mark.parametrize("layer", [RandomFlip(), RandomCrop(), RandomFlip().eval()])
@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 8), (2, 3, 8, 8, 1)])
def test_what_is_no_images_is_refused(layer, shape):
    x = np.zeros(shape, np.float32)
    for action in (lambda: layer.build(shape[1:]), lambda: layer.forward(x)):
        with pytest.raises(ShapeError, match=rf"{type(layer).__name__}: expected .*\(N, C, H, W\)"):
            action()


def test_sizes_may_change_but_not_to_less_than_the_border():
    layer = RandomCrop(4)
    for size in (5, 9):
        assert layer.forward(images((2, 1, size, size))).shape == (2, 1, size, size)
    assert layer.backward(images((2, 1, 9, 9))).shape == (2, 1, 9, 9)
    with pytest.raises(ShapeError, match=r"RandomCrop: padding 4 might move all of an image out of sight"):
        layer.forward(images((2, 1, 9, 4)))
    with pytest.raises(ShapeError, match="out of sight"):
        RandomCrop(4).build((1, 4, 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomFlip(1.5), r"RandomFlip: expected a rate in \[0, 1\], got 1.5"),
        (lambda: RandomFlip(float("nan")), "RandomFlip: expected a rate"),
        (lambda: RandomCrop(-1), "RandomCrop: padding: expected an integer from 0 on, got -1"),
        (lambda: RandomCrop(2.0), "got 2.0"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_they_compute_next_to_nothing():
    for layer, flops in ((RandomFlip(), 0), (RandomCrop(1), 0)):
        layer.build((3, 4, 5))
        assert layer.flops() == flops


def test_repr():
    layers = [RandomFlip(), RandomFlip(0.3), RandomCrop(), RandomCrop(2)]
    assert repr(layers) == "[RandomFlip(), RandomFlip(rate=0.3), RandomCrop(), RandomCrop(padding=2)]"
