"""The layers of convolution: every option against loops, and what a layer promises besides its formula."""

import re
from itertools import combinations, product

import naive_convolution as naive
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layouts import channels_last, fortran, layouts, normal, samples_last, strided

from handbrew.layers import (
    Affine,
    Constant,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    DTypeError,
    Flatten,
    Initializer,
    NotBuiltError,
    ReLU,
    ShapeError,
    SoftmaxCrossEntropy,
    _direct,
    _pointwise,
    _winograd,
)
from handbrew.nets import Sequential, load_net

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}
CHANNELS = 4
OPTIONS = {
    "kernel_size": [1, 3, (2, 4), [3, 1]],
    "stride": [1, 2, (3, 1), [1, 2]],
    "padding": [0, 2, (1, 4), [5, 0], (0, 1, 3, 2), "same"],
    "dilation": [1, 2, (1, 3)],
    "groups": [1, 2, CHANNELS],
    "multiplier": [1, 2],
    "bias": [True, False],
    "dtype": [np.float32, np.float64],
    "layout": [np.copy, samples_last, channels_last, fortran, strided],
    "samples": [2, 1, 0],
}
TRANSPOSED = {**OPTIONS, "output_padding": [0, 1, (0, 1), [1, 0]]}


def all_pairs(options, possible):
    """Choices of all options, so that any two values that can go together do so in one of them."""
    rng, seen, chosen = np.random.default_rng(0), set(), []
    for _ in range(4000):
        at = {name: int(rng.integers(len(values))) for name, values in options.items()}
        choice = {name: options[name][i] for name, i in at.items()}
        pairs = set(combinations(at.items(), 2))
        if not pairs <= seen and possible(choice):
            seen |= pairs
            chosen.append(choice)
    return chosen


def both(option):
    return (option, option) if isinstance(option, int) else tuple(option)


def plain(kernel_size, stride, padding, dilation, **_):
    """The options in the naive twin's words: pairs, and (top, bottom, left, right)."""
    kernel, stride, dilation = both(kernel_size), both(stride), both(dilation)
    if padding == "same":
        around = []
        for k, d in zip(kernel, dilation, strict=True):
            zeros = d * (k - 1)
            around += [zeros // 2, zeros - zeros // 2]
    else:
        padding = both(padding)
        around = padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])
    return kernel, stride, tuple(around), dilation


def same_has_stride_1(choice):
    return choice["padding"] != "same" or both(choice["stride"]) == (1, 1)


def something_is_left(choice):
    if not same_has_stride_1(choice):
        return False
    kernel, stride, padding, dilation = plain(**choice)
    more = both(choice["output_padding"])
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):
        return False
    return min(naive.transposed_size((4, 3), kernel, stride, padding, dilation, more)) >= 1


def of(cls, choice, in_shape):
    """A layer with these options, its bias not 0, built."""
    names = ("kernel_size", "stride", "padding", "dilation", "groups", "bias", "output_padding")
    options = {name: choice[name] for name in names if name in choice}
    layer = cls(CHANNELS * choice["multiplier"], **options, bias_init=Constant(0.5)).astype(choice["dtype"])
    layer.build(in_shape)
    if layer.bias:
        layer.b.data = normal(layer.b.shape, seed=3)
    return layer


def check(found, wanted, dtype):
    assert found.dtype == dtype
    assert found.shape == wanted.shape
    scale = max(1, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("choice", all_pairs(OPTIONS, same_has_stride_1))
def test_conv2d(choice):
    dtype, layout, groups = choice["dtype"], choice["layout"], choice["groups"]
    x = layout(normal((choice["samples"], CHANNELS, 6, 10), dtype, 1))
    layer = of(Conv2D, choice, x.shape[1:])
    kernel, *options = plain(**choice)
    W, b = layer.W.data, layer.b.data if layer.bias else None
    assert W.shape == (layer.out_channels, CHANNELS // groups, *kernel)
    y = layer.forward(x)
    check(y, naive.convolve(x, W, b, *options, groups), dtype)
    assert y.shape == (len(x), *layer.out_shape)
    if choice["padding"] == "same":
        assert y.shape[2:] == x.shape[2:]
    dy = layout(normal(y.shape, dtype, 2))
    check(layer.backward(dy), naive.input_gradient(dy, W, (6, 10), *options, groups), dtype)
    check(layer.W.grad, naive.weight_gradient(x, dy, kernel, *options, groups), dtype)
    if layer.bias:
        check(layer.b.grad, dy.astype(float).sum(axis=(0, 2, 3)), dtype)


@pytest.mark.parametrize("choice", all_pairs(TRANSPOSED, something_is_left))
def test_conv_transpose2d(choice):
    dtype, layout, groups = choice["dtype"], choice["layout"], choice["groups"]
    x = layout(normal((choice["samples"], CHANNELS, 4, 3), dtype, 1))
    layer = of(ConvTranspose2D, choice, x.shape[1:])
    kernel, *options = plain(**choice)
    W, b = layer.W.data, layer.b.data if layer.bias else None
    assert W.shape == (CHANNELS, layer.out_channels // groups, *kernel)
    y = layer.forward(x)
    check(y, naive.convolve_transposed(x, W, b, *options, groups, both(choice["output_padding"])), dtype)
    assert y.shape == (len(x), *layer.out_shape)
    dy = layout(normal(y.shape, dtype, 2))
    dx, dW = naive.transposed_gradients(x, W, dy, *options, groups)
    check(layer.backward(dy), dx, dtype)
    check(layer.W.grad, dW, dtype)
    if layer.bias:
        check(layer.b.grad, dy.astype(float).sum(axis=(0, 2, 3)), dtype)


ROWS = {
    "kernel_size": [1, 2, 5],
    "stride": [1, 3],
    "padding": [0, 2, (1, 4), [3, 0], "same"],
    "dilation": [1, 2],
    "groups": [1, 2, CHANNELS],
    "multiplier": [1, 2],
    "bias": [True, False],
    "dtype": [np.float32, np.float64],
    "layout": OPTIONS["layout"],
    "samples": [2, 1, 0],
}


@pytest.mark.parametrize("choice", all_pairs(ROWS, same_has_stride_1))
def test_conv1d(choice):
    """As images of one row."""
    dtype, layout, groups, k = choice["dtype"], choice["layout"], choice["groups"], choice["kernel_size"]
    x = layout(normal((choice["samples"], CHANNELS, 11), dtype, 1))
    layer = of(Conv1D, choice, x.shape[1:])
    assert layer.W.shape == (layer.out_channels, CHANNELS // groups, k)
    if choice["padding"] == "same":
        zeros = choice["dilation"] * (k - 1)
        around = (0, 0, zeros // 2, zeros - zeros // 2)
    else:
        around = (0, 0, *both(choice["padding"]))
    options = (1, choice["stride"]), around, (1, choice["dilation"])
    images, W, b = x[:, :, None], layer.W.data[:, :, None], layer.b.data if layer.bias else None
    y = layer.forward(x)
    check(y, naive.convolve(images, W, b, *options, groups)[:, :, 0], dtype)
    assert y.shape == (len(x), *layer.out_shape)
    dy = layout(normal(y.shape, dtype, 2))
    check(layer.backward(dy), naive.input_gradient(dy[:, :, None], W, (1, 11), *options, groups)[:, :, 0], dtype)
    check(layer.W.grad, naive.weight_gradient(images, dy[:, :, None], (1, k), *options, groups)[:, :, 0], dtype)
    if layer.bias:
        check(layer.b.grad, dy.astype(float).sum(axis=(0, 2)), dtype)


def test_all_pairs_are_there():
    chosen = all_pairs(OPTIONS, same_has_stride_1)
    for a, b in combinations(OPTIONS, 2):
        found = {(repr(choice[a]), repr(choice[b])) for choice in chosen}
        missing = set(product(map(repr, OPTIONS[a]), map(repr, OPTIONS[b]))) - found
        assert all(u != "1" and v == "'same'" for u, v in missing)  # with another stride than 1
    assert len(chosen) < 150


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
borders = st.tuples(*[st.integers(0, 5)] * 4)


@settings(max_examples=60, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 16, 20]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    kernel=pairs,
    stride=pairs,
    padding=borders,
    dilation=pairs,
    layout=layouts,
)
def test_the_transposed_layer_is_the_adjoint(samples, size, channels, kernel, stride, padding, dilation, layout):
    """<Conv2D(x), g> = <x, ConvTranspose2D(g)>, with the same weights and without bias."""
    C, O, groups = channels
    x = layout(normal((samples, C * groups, *size), seed=1))
    options = (kernel, stride, padding)
    conv = Conv2D(O * groups, *options, dilation, groups, bias=False).astype(np.float64)
    try:
        y = conv.forward(x)
        small = ConvTranspose2D(C * groups, *options, 0, dilation, groups, bias=False)
        small.build(y.shape[1:])
    except ShapeError:
        assume(False)
    more = [n - m for n, m in zip(size, small.out_shape[1:], strict=True)]
    back = ConvTranspose2D(C * groups, *options, more, dilation, groups, bias=False).astype(np.float64)
    back.build(y.shape[1:])
    back.W.data = conv.W.data
    g = layout(normal(y.shape, seed=2))
    np.testing.assert_allclose(np.vdot(y, g), np.vdot(x, back.forward(g)), rtol=1e-9, atol=1e-9)


# What a kernel does, in numbers that can be checked by hand


def test_an_edge_filter():
    """Sobel's kernel finds a step from dark to bright; as a column of (1, 2, 1) and a row of (-1, 0, 1) as well."""
    x = np.zeros((1, 1, 4, 5), np.float32)
    x[..., 3:] = 1
    sobel = Conv2D(1, 3, bias=False)
    sobel.build((1, 4, 5))
    sobel.W.data = [[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]
    assert sobel.forward(x)[0, 0].tolist() == [[0, 4, 4], [0, 4, 4]]
    column, row = Conv2D(1, (3, 1), bias=False), Conv2D(1, (1, 3), bias=False)
    column.build((1, 4, 5))
    row.build((1, 2, 5))
    column.W.data, row.W.data = [[[[1], [2], [1]]]], [[[[-1, 0, 1]]]]
    assert row.forward(column.forward(x))[0, 0].tolist() == [[0, 4, 4], [0, 4, 4]]


def test_the_kernel_is_not_turned_and_an_odd_zero_goes_behind():
    layer = Conv1D(1, 2, padding="same")
    layer.build((1, 3))
    layer.W.data = [[[10, 1]]]
    assert layer.forward(np.array([[[1.0, 2, 3]]])).tolist() == [[[12, 23, 30]]]
    dx = layer.backward(np.array([[[1.0, 0, 0]]]))
    assert dx.tolist() == [[[10, 1, 0]]]


def test_a_transposed_convolution_paints_its_kernel():
    layer = ConvTranspose2D(1, 2, stride=3, output_padding=1, bias_init=Constant(0.5))
    layer.build((1, 1, 2))
    layer.W.data = [[[[1, 2], [3, 4]]]]
    y = layer.forward(np.array([[[[1.0, 10]]]]))
    assert (y[0, 0] - 0.5).tolist() == [[1, 2, 0, 10, 20, 0], [3, 4, 0, 30, 40, 0], [0, 0, 0, 0, 0, 0]]


def test_a_kernel_of_one_pixel_reads_padding_too():
    layer = Conv2D(1, 1, stride=2, padding=(1, 0, 1, 0), bias=False, weight_init=Constant(1.0))
    y = layer.forward(np.arange(1.0, 10).reshape(1, 1, 3, 3))
    assert y[0, 0].tolist() == [[0, 0], [0, 5]]
    assert layer.backward(np.array([[[[1.0, 2], [3, 4]]]]))[0, 0].tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]
    assert layer.W.grad.tolist() == [[[[20]]]]


# Many samples, many channels: where the layers leave the short ways


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: Conv2D(64, 3, padding=1), 8),
        (lambda: Conv2D(64, 5, padding=2), 9),
        (lambda: Conv2D(64, 4, padding=(3, 0, 1, 2), groups=2), 12),
        (lambda: Conv2D(64, 5, stride=2, padding=2), 3),
        (lambda: Conv2D(64, 5, stride=2, padding=2), 4),
        (lambda: Conv2D(64, 3, stride=2, padding=1), 13),
        (lambda: ConvTranspose2D(64, 3, padding=1), 8),
        (lambda: ConvTranspose2D(64, 4, stride=2, padding=1), 5),
        (lambda: ConvTranspose2D(64, 5, stride=2, padding=2), 2),
    ],
)
def test_a_large_batch_is_its_samples_one_by_one(make, size):
    x = normal((17, 64, size, size), np.float32, 1)
    many, one = make(), make()
    one.build(x.shape[1:])
    many.build(x.shape[1:])
    many.load_state(one.state())
    y = many.forward(x)
    dy = normal(y.shape, np.float32, 2)
    dx = many.backward(dy)
    for n in range(0, 17, 4):
        one.zero_grad()
        assert np.abs(one.forward(x[n : n + 1]) - y[n]).max() <= 2e-5 * np.abs(y).max()
        assert np.abs(one.backward(dy[n : n + 1]) - dx[n]).max() <= 2e-5 * np.abs(dx).max()
    one.zero_grad()
    for n in range(17):
        one.forward(x[n : n + 1])
        one.backward(dy[n : n + 1])
    assert np.abs(one.W.grad - many.W.grad).max() <= 2e-5 * np.abs(many.W.grad).max()


# Options and sizes


@pytest.mark.parametrize("layer", [Conv2D(4, 3), ConvTranspose2D(4, 3), Conv1D(4, 3)])
def test_sizes_and_batches_may_change(layer):
    fresh = type(layer)(4, 3)
    for n, *size in [(2, 6, 5), (3, 9, 4), (1, 3, 3), (0, 5, 5)]:
        x = normal((n, 2, *size[: layer.ndim - 2]), np.float32)
        if not fresh.built:
            fresh.build(x.shape[1:])
            layer.build(x.shape[1:])
            fresh.load_state(layer.state())
        y = layer.forward(x)
        other = type(layer)(4, 3)
        other.build(x.shape[1:])
        other.load_state(layer.state())
        np.testing.assert_array_equal(y, other.forward(x))
        layer.zero_grad()
        np.testing.assert_array_equal(layer.backward(y), other.backward(y))
        np.testing.assert_array_equal(layer.W.grad, other.W.grad)


def test_options_may_be_changed_later():
    layer = Conv2D(2, 3, dilation=2)
    x = normal((1, 1, 9, 9), np.float32)
    layer.forward(x)
    for options in ({"stride": 2}, {"padding": (1, 0, 2, 5)}, {"dilation": [1, 3]}, {"stride": (1, 2)}):
        for name, value in options.items():
            setattr(layer, name, value)
        _, *plainly = plain(layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        y = layer.forward(x)
        check(y, naive.convolve(x, layer.W.data, layer.b.data, *plainly), np.float32)
        check(layer.backward(y), naive.input_gradient(y, layer.W.data, (9, 9), *plainly), np.float32)
    layer.stride = 0
    with pytest.raises(ShapeError, match="Conv2D: stride: expected an integer from 1 on"):
        layer.forward(x)


@pytest.mark.parametrize(
    ("listed", "plainly"),
    [
        (Conv2D(2, [3, 2], [2, 1], [1, 0], [1, 2]), Conv2D(2, (3, 2), (2, 1), (1, 0), (1, 2))),
        (Conv2D(2, 3, padding=[1, 2, 0, 3]), Conv2D(2, 3, padding=(1, 2, 0, 3))),
        (Conv2D(np.int64(2), np.int32(3), padding=(np.int64(1),) * 4), Conv2D(2, 3, padding=(1, 1, 1, 1))),
        (Conv1D(2, 3, padding=[1, 2]), Conv1D(2, 3, padding=(1, 2))),
        (Conv1D(2, np.int64(3), padding=np.int64(1)), Conv1D(2, 3, padding=1)),
        (ConvTranspose2D(2, 3, [2, 3], output_padding=[1, 2]), ConvTranspose2D(2, 3, (2, 3), output_padding=(1, 2))),
    ],
)
def test_lists_and_numpy_s_integers_are_taken_as_well(listed, plainly):
    x = normal((2, 3, 6, 7)[: listed.ndim], np.float32)
    listed.build(x.shape[1:])
    plainly.build(x.shape[1:])
    listed.load_state(plainly.state())
    np.testing.assert_array_equal(listed.forward(x), plainly.forward(x))


NUMBER = "expected an integer from 1 on or a pair of them"
AROUND = re.escape('expected an integer from 0 on, a pair, (top, bottom, left, right) or "same"')


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *[
            (lambda v=v: Conv2D(4, v), f"Conv2D: kernel_size: {NUMBER}, got ")
            for v in (0, 3.0, True, None, "3", (1, 2, 3))
        ],
        *[(lambda v=v: Conv2D(4, 3, stride=v), f"Conv2D: stride: {NUMBER}, got ") for v in (0, -1, (1, 0), 1.0, None)],
        *[(lambda v=v: Conv2D(4, 3, dilation=v), f"Conv2D: dilation: {NUMBER}") for v in (0, (2,), True)],
        *[
            (lambda v=v: Conv2D(4, 3, padding=v), f"Conv2D: padding: {AROUND}, got ")
            for v in (-1, (0, 1, 2), (0, 0, 0, -1), (True,) * 4, (1.0,) * 4, None, "valid", False, 1.0)
        ],
        (lambda: Conv2D(4, 3, 2, "same"), r'padding="same" keeps the size, so the stride has to be 1, got \(2, 2\)'),
        *[
            (lambda v=v: Conv2D(v, 3), "Conv2D: out_channels: expected an integer of at least 1")
            for v in (0, 4.0, True)
        ],
        *[(lambda v=v: Conv2D(4, 3, groups=v), "groups: expected an integer of at least 1") for v in (0, -2, 2.0)],
        (lambda: Conv2D(4, 3, groups=3), "Conv2D: 3 groups do not divide 4 out_channels"),
        *[
            (lambda v=v: Conv1D(4, v), "Conv1D: kernel_size: expected an integer from 1 on, got ")
            for v in (0, (3,), [3], (1, 3), 3.0, True, None)
        ],
        (lambda: Conv1D(4, 3, stride=(1, 2)), r"Conv1D: stride: expected an integer from 1 on, got \(1, 2\)"),
        (lambda: Conv1D(4, 3, dilation=0), "Conv1D: dilation: expected an integer from 1 on, got 0"),
        *[
            (
                lambda v=v: Conv1D(4, 3, padding=v),
                "Conv1D: padding: expected an integer from 0 on or a pair of them, got ",
            )
            for v in (-1, (1, 2, 3), None, 1.5, (1, 2, 3, 4))
        ],
        (lambda: Conv1D(4, 3, padding="sam"), f"Conv1D: padding: {AROUND}, got 'sam'"),
        (
            lambda: Conv1D(4, 3, 2, "same"),
            r'Conv1D: padding="same" keeps the size, so the stride has to be 1, got \(1, 2\)',
        ),
        (
            lambda: ConvTranspose2D(4, 3, output_padding=1),
            r"expected an output_padding below the stride \(1, 1\) or the",
        ),
        (lambda: ConvTranspose2D(4, 3, (2, 1), output_padding=1), r"ConvTranspose2D: .* got \(1, 1\)"),
        (lambda: ConvTranspose2D(4, 3, 2, output_padding=-1), "output_padding: expected an integer from 0 on"),
    ],
)
def test_options_that_cannot_be(make, message):
    Conv2D(4, 3)  # an earlier layer with equal numbers changes nothing: 3.0 == 3, True == 1
    Conv2D(4, 1)
    with pytest.raises(ShapeError, match=message):
        make()


@pytest.mark.parametrize("cls", [Conv2D, Conv1D, ConvTranspose2D])
def test_bias_is_yes_or_no(cls):
    with pytest.raises(TypeError, match=f"{cls.__name__}: bias is True or False, got 3"):
        cls(4, 3, bias=3)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Conv2D(4, 3),
            (2, 5),
            r"expected input of shape \(N, C, H, W\), got \(2, 5\) .* a single channel needs its axis",
        ),
        (Conv2D(4, 3), (5,), r"expected input of shape \(N, C, H, W\), got \(5,\)"),
        (Conv2D(4, 3), (1, 2, 5, 5), r"expected input of shape \(N, C, H, W\), got \(1, 2, 5, 5\)"),
        (Conv1D(4, 3), (2, 5, 5), r"expected input of shape \(N, C, L\), got \(2, 5, 5\)"),
        (Conv2D(4, 3), (2, 2, 5), r"the kernel spans \(3, 3\), more than the padded image's \(2, 5\); use a smaller"),
        (Conv2D(4, 3, dilation=2, padding=1), (2, 3, 2), r"the kernel spans \(5, 5\), more than the .* \(5, 4\)"),
        (Conv2D(4, 3), (2, 0, 5), r"got images of 0 x 5, which have no pixels"),
        (Conv1D(4, 3), (2, 2), r"the kernel spans \(1, 3\), more than the padded image's \(1, 2\)"),
        (Conv2D(4, 3, groups=2), (3, 5, 5), "2 groups do not divide the input's 3 channels"),
        (Conv2D(4, 3), (0, 5, 5), "expected at least one channel"),
        (ConvTranspose2D(4, 3, groups=2), (3, 5, 5), "2 groups do not divide the input's 3 channels"),
        (
            ConvTranspose2D(4, 1, padding=1),
            (3, 2, 4),
            r"an input of size \(2, 4\) would give one of \(0, 2\); use less",
        ),
    ],
)
def test_inputs_that_do_not_fit(layer, shape, message):
    for call in (layer.build, lambda shape: layer.forward(np.zeros((2, *shape), np.float32))):
        with pytest.raises(ShapeError, match=f"{type(layer).__name__}: {message}"):
            call(shape)
        assert not layer.built


@pytest.mark.parametrize("layer", [Conv2D(4, 3), ConvTranspose2D(4, 3, padding=2)])
def test_later_inputs_that_do_not_fit(layer):
    layer.forward(np.zeros((2, 3, 6, 6), np.float32))
    name = type(layer).__name__
    for shape, message in [
        ((2, 4, 6, 6), r"expected 3 channels, got input of shape \(2, 4, 6, 6\); did the data change after build\?"),
        ((3, 6, 6), r"expected 3 channels, got input of shape \(3, 6, 6\); expected \(N, C, H, W\)"),
        (
            (2, 3, 2, 6),
            "the kernel spans" if name == "Conv2D" else r"an input of size \(2, 6\) would give one of \(0, 4\)",
        ),
    ]:
        with pytest.raises(ShapeError, match=f"{name}: {message}"):
            layer.forward(np.zeros(shape, np.float32))


def test_the_layer_s_place_is_named():
    net = Sequential(Conv2D(4, 3), Conv2D(4, 3))
    with pytest.raises(ShapeError, match=r"Sequential > conv2d2 \(Conv2D\): the kernel spans"):
        net.forward(np.zeros((1, 1, 4, 4), np.float32))


# Parameters


class Fans(Initializer):
    """Remembers what it was told."""

    def sample(self, rng, shape, fan_in=None, fan_out=None):
        self.told = shape, fan_in, fan_out
        return np.zeros(shape)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda init: Conv2D(8, (3, 2), weight_init=init), ((8, 6, 3, 2), 36, 48)),
        (lambda init: Conv2D(8, 3, groups=2, weight_init=init), ((8, 3, 3, 3), 27, 36)),
        (lambda init: ConvTranspose2D(8, 3, groups=2, weight_init=init), ((6, 4, 3, 3), 27, 36)),
        (lambda init: Conv1D(8, 3, groups=2, weight_init=init), ((8, 3, 3), 9, 12)),
    ],
)
def test_initial_values_are_made_for_what_a_number_is_summed_of(make, told):
    init = Fans()
    layer = make(init)
    layer.build((6, 9, 9)[: layer.ndim - 1])
    assert init.told == told
    assert layer.b.data.tolist() == [0] * 8


def test_params():
    layer = Conv2D(4, 3)
    with pytest.raises(NotBuiltError):
        layer.params  # noqa: B018
    assert layer.build((2, 5, 6)) == (4, 3, 4)
    assert {name: p.shape for name, p in layer.params.items()} == {"W": (4, 2, 3, 3), "b": (4,)}
    bare = Conv2D(4, 3, bias=False)
    bare.build((2, 5, 6))
    assert list(bare.params) == ["W"]


def net_of_all():
    return Sequential(
        Conv2D(4, (3, 2), padding=(1, 0, 2, 1), weight_init=Constant(0.1)),
        ReLU(),
        Conv2D(8, 3, stride=[2, 1], padding=1, groups=4),
        ConvTranspose2D(4, 3, stride=2, output_padding=1, bias=False),
        Conv2D(2, 1, dilation=2),
        Flatten(2),
        Conv1D(3, 3, padding="same"),
        Flatten(),
        Affine(3),
        SoftmaxCrossEntropy(),
        seed=3,
    )


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_saving_and_loading(tmp_path, ending):
    net, x = net_of_all(), normal((3, 2, 6, 5), np.float32)
    y = net.predict(x)
    net.save(tmp_path / f"net{ending}")
    again = load_net(tmp_path / f"net{ending}")
    assert repr(again.layers[0]) == repr(net.layers[0])
    np.testing.assert_array_equal(again.predict(x), y)
    assert {n: p.data.tobytes() for n, p in again.params.items()} == {
        n: p.data.tobytes() for n, p in net.params.items()
    }


@pytest.mark.parametrize("make", [lambda: Conv2D(4, 3, 2, 1), lambda: ConvTranspose2D(4, 3, 2), lambda: Conv1D(4, 3)])
def test_twins_share_weights_and_add_their_gradients(make):
    layer = make()
    twin = layer.tied()
    x = normal((2, 3, 6, 7)[: layer.ndim], np.float32)
    y = layer.forward(x)
    np.testing.assert_array_equal(twin.forward(x), y)
    layer.backward(y)
    once = layer.W.grad.copy()
    twin.backward(y)
    np.testing.assert_allclose(layer.W.grad, 2 * once, rtol=1e-6)
    assert twin.W is layer.W
    other = layer.tied()
    with pytest.raises(ShapeError, match="its tied twin has W of shape"):
        other.build((5, 6, 7)[: layer.ndim - 1])


# Work that nobody wants is not done


@pytest.fixture
def work(monkeypatch):
    """The weight and input gradients that the kernels are asked for."""
    seen = []

    def watch(module, name, what):
        kept = getattr(module, name)

        def spy(*args, **options):
            result = kept(*args, **options)
            seen.extend(what(result, options))
            return result

        monkeypatch.setattr(module, name, spy)

    for module in (_direct, _pointwise, _winograd):
        watch(module, "weight_gradient", lambda result, options: ["dW"])
        watch(module, "correlate", lambda result, options: ["y"])
    watch(_winograd, "correlate_both", lambda result, options: ["y", "dW"])
    return seen


LAYERS = {
    "direct": lambda: Conv2D(4, 3, stride=2),
    "pointwise": lambda: Conv2D(4, 1),
    "depthwise": lambda: Conv2D(4, 3, groups=4),
    "groups": lambda: Conv2D(4, 3, groups=2),
    "winograd": lambda: Conv2D(64, 3, padding=1),
    "sequence": lambda: Conv1D(4, 3),
    "transposed": lambda: ConvTranspose2D(4, 3, stride=2),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("input_grad", [True, False])
def test_frozen_weights_and_unwanted_gradients_cost_nothing(work, kind, trained, input_grad):
    layer = LAYERS[kind]()
    channels = 64 if kind == "winograd" else 4
    y = layer.forward(normal((16, channels, 8, 8)[: layer.ndim], np.float32))
    layer.W.trainable, layer.input_grad = trained, input_grad
    work.clear()
    dx = layer.backward(y)
    assert ("dW" in work) == trained
    assert ("y" in work) == input_grad  # dx is computed as a convolution is
    assert (dx is not None) == input_grad
    assert layer.W.fresh != trained
    assert not layer.b.fresh


def test_a_frozen_bias_gets_no_gradient(monkeypatch):
    layer = Conv2D(4, 3)
    y = layer.forward(normal((2, 3, 5, 5), np.float32))
    layer.b.trainable = False
    monkeypatch.setattr("handbrew.layers._convolution.row_sum", None)
    layer.backward(y)
    assert layer.b.fresh
    assert not layer.W.fresh


def test_the_first_layer_of_a_net_that_ends_in_a_loss_makes_no_input_gradient(work):
    net = Sequential(Conv2D(4, 3, stride=2), Flatten(), Affine(3), SoftmaxCrossEntropy(), seed=0)
    net.forward(normal((2, 3, 7, 7), np.float32), np.array([0, 1]))
    work.clear()
    assert net.backward() is None
    assert work == ["dW"]


def test_a_net_of_frozen_layers_stops_below_the_lowest_that_is_trained(work):
    net = Sequential(Conv2D(4, 3), ReLU(), Conv2D(4, 3), Flatten(), Affine(3), SoftmaxCrossEntropy(), seed=0)
    net.forward(normal((2, 3, 7, 7), np.float32), np.array([0, 1]))
    net.layers[0].trainable = net.layers[2].trainable = False
    work.clear()
    net.backward()
    assert work == []


# Types and the rest of the contract


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, bool])
@pytest.mark.parametrize("make", [lambda: Conv2D(4, 3), lambda: ConvTranspose2D(4, 3), lambda: Conv1D(4, 3)])
def test_the_parameters_decide_the_dtype(make, dtype):
    layer = make()
    y = layer.forward(np.ones((2, 3, 6, 6)[: layer.ndim], dtype))
    assert y.dtype == np.float32
    assert layer.backward(y.astype(np.float64)).dtype == np.float32
    assert layer.W.grad.dtype == np.float32
    with pytest.raises(DTypeError, match=r"got int64; if these are quantities"):
        layer.forward(np.ones((2, 3, 6, 6)[: layer.ndim], np.int64))


@pytest.mark.parametrize("bias", [True, False])
def test_operations_are_those_that_the_definition_takes(bias):
    x, stride, no_padding, dilation = (1, 2, 5, 6), (2, 2), (0, 0, 0, 0), (1, 1)
    layer = Conv2D(4, (3, 2), stride=2, groups=2, bias=bias)
    size = layer.build(x[1:])[1:]
    products = len(list(naive.meetings(x, layer.W.shape, size, stride, no_padding, dilation, 2)))
    assert layer.flops() == 2 * products + bias * np.prod(layer.out_shape)
    layer = ConvTranspose2D(4, 3, stride=2, groups=2, bias=bias)
    size = layer.build(x[1:])[1:]
    products = len(list(naive.paintings(x, layer.W.shape, stride, no_padding, dilation, 2, size)))
    assert layer.flops() == 2 * products + bias * np.prod(layer.out_shape)


def test_results_lie_samples_last():
    """So that the next kernel takes them as they are."""
    layer = Conv2D(4, 3)
    y = layer.forward(normal((5, 3, 6, 6), np.float32))
    assert np.moveaxis(y, 0, -1).flags.c_contiguous
    assert np.moveaxis(layer.backward(y), 0, -1).flags.c_contiguous
    assert layer.backward_uses == ("input",)
    assert layer.uses_threads


def test_repr():
    layers = [Conv2D(4, 3), Conv2D(4, (3, 1), padding="same", bias=False), Conv1D(4, 3, 2), ConvTranspose2D(4, 2, 2)]
    assert repr(layers) == (
        "[Conv2D(4, 3), Conv2D(4, (3, 1), padding='same', bias=False), Conv1D(4, 3, stride=2), "
        "ConvTranspose2D(4, 2, stride=2)]"
    )


@pytest.mark.parametrize(
    ("layer", "x_shape", "dy_shape"),
    [
        (Conv2D(4, 3, padding=1), (2, 3, 8, 8), (2, 4, 7, 7)),
        (Conv2D(4, 3, padding=1), (20, 3, 8, 8), (20, 4, 1, 1)),
        (Conv2D(4, 1), (2, 3, 8, 8), (4, 4, 8, 8)),
        (Conv2D(4, 3, 2), (2, 3, 8, 8), (2, 4, 3, 4)),
        (ConvTranspose2D(4, 3), (2, 3, 8, 8), (2, 4, 8, 8)),
        (Conv1D(4, 3), (2, 3, 8), (2, 4, 8)),
    ],
    ids=repr,
)
def test_a_gradient_of_another_shape_is_refused(layer, x_shape, dy_shape):
    y = layer.forward(np.zeros(x_shape, np.float32))
    message = rf"{type(layer).__name__}: forward returned shape {re.escape(str(y.shape))}, but dy has shape "
    with pytest.raises(ShapeError, match=message + re.escape(str(dy_shape))):
        layer.backward(np.zeros(dy_shape, np.float32))


@pytest.mark.parametrize("layer", [Conv2D(4, 1), Conv2D(4, 3, padding=1), ConvTranspose2D(4, 3)], ids=repr)
def test_images_without_pixels_are_refused(layer):
    with pytest.raises(ShapeError, match="got images of 0 x 4, which have no pixels"):
        layer.forward(np.zeros((2, 3, 0, 4), np.float32))


def test_options_may_be_arrays():
    assert Conv2D(4, 3, padding=np.array([1, 2])).build((3, 5, 5)) == (4, 5, 7)
