import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handbrew.layers import Affine, BatchNorm, Conv2D, Flatten, MeanSquaredError, ReLU, ShapeError, worker_threads
from handbrew.layers.threads import PIECE
from handbrew.nets import Sequential
from handbrew.solvers import SGD

SHAPES = [(7, 3), (7, 3, 4), (5, 3, 4, 2), (2, 3, 2, 1, 3)]
LAYOUTS = {
    "samples first": lambda x: x,
    "samples last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def per_channel(x):
    """The numbers of each channel, in float64."""
    return [np.asarray(x, np.float64)[:, c].ravel() for c in range(x.shape[1])]


def reference(x, gamma, beta, eps, statistics=None):
    """The output, number by number, and each channel's mean and biased variance."""
    y, found = np.empty(x.shape), []
    for c, numbers in enumerate(per_channel(x)):
        mean = sum(numbers) / len(numbers)
        var = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        found.append((mean, var))
        if statistics is not None:
            mean, var = statistics[c]
        for at in np.ndindex(x[:, c].shape):
            at = (at[0], c, *at[1:])
            y[at] = gamma[c] * (float(x[at]) - mean) / (var + eps) ** 0.5 + beta[c]
    return y, found


def made(in_shape, dtype=np.float64, **options):
    layer = BatchNorm(**options).astype(dtype)
    layer.build(in_shape)
    for i, p in enumerate(layer.params.values()):
        p.data = 1 + normal(in_shape[0], seed=i + 1) / 2
    return layer


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_modes_are_the_formula(shape, affine, layout):
    x = LAYOUTS[layout](3 + 2 * normal(*shape))
    layer = BatchNorm(momentum=0.5, eps=0.01, affine=affine).astype(np.float64)
    layer.build(shape[1:])
    gamma, beta = np.ones(3), np.zeros(3)
    if affine:
        gamma, beta = layer.gamma.data, layer.beta.data
        gamma += [0.5, -1.5, 0.0]
        beta += [1.0, 2.0, -3.0]
    want, found = reference(x, gamma, beta, 0.01)
    np.testing.assert_allclose(layer.forward(x), want, rtol=1e-12, atol=1e-12)
    count = x.size / 3
    running = [(0.5 * m, 0.5 + 0.5 * v * count / (count - 1)) for m, v in found]
    np.testing.assert_allclose(np.stack([layer.mean.data, layer.var.data], 1), running, rtol=1e-12)
    for use in (layer.eval(), layer.train()):
        use.frozen_statistics = use.training
        want, _ = reference(x, gamma, beta, 0.01, running)
        np.testing.assert_allclose(use.forward(x), want, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(np.stack([layer.mean.data, layer.var.data], 1), running, rtol=1e-12)


@pytest.mark.parametrize("shape", [(16, 5), (4, 5, 3, 3)])
def test_running_statistics_over_50_batches(shape):
    layer = BatchNorm(momentum=0.9)
    mean, var = [0.0] * 5, [1.0] * 5
    for i in range(50):
        x = (i / 10 + (1 + i % 3) * normal(*shape, seed=i)).astype(np.float32)
        layer.forward(x)
        for c, numbers in enumerate(per_channel(x)):
            m = sum(numbers) / len(numbers)
            mean[c] = 0.9 * mean[c] + 0.1 * m
            var[c] = 0.9 * var[c] + 0.1 * sum((number - m) ** 2 for number in numbers) / (len(numbers) - 1)
    np.testing.assert_allclose(layer.mean.data, mean, rtol=2e-6)
    np.testing.assert_allclose(layer.var.data, var, rtol=2e-6)
    y = layer.eval().forward(x)
    np.testing.assert_allclose(
        y, reference(x, np.ones(5), np.zeros(5), 1e-5, list(zip(mean, var, strict=True)))[0], atol=1e-5
    )


def test_numbers_of_pytorch():
    # import torch                                                                     # 2.13
    # x = torch.tensor([[[1., 2.], [-1., 4.]], [[0., 3.], [5., -2.]]], requires_grad=True)
    # bn = torch.nn.BatchNorm1d(2, eps=1e-5, momentum=0.1)
    # bn.weight.data = torch.tensor([2., -1.]); bn.bias.data = torch.tensor([0.5, 0.])
    # y = bn(x); y.backward(torch.tensor([[[1., 0.], [2., -1.]], [[0., 1.], [1., 1.]]]))
    # print(y, x.grad, bn.weight.grad, bn.bias.grad, bn.running_mean, bn.running_var)
    x = np.array([[[1, 2], [-1, 4]], [[0, 3], [5, -2]]], np.float32)
    dy = np.array([[[1, 0], [2, -1]], [[0, 1], [1, 1]]], np.float32)
    layer = BatchNorm()
    layer.build((2, 2))
    layer.gamma.data, layer.beta.data = [2, -1], [0.5, 0]
    expected = {
        "y": [[[-0.394424, 1.394423], [0.821994, -0.821994]], [[-2.183271, 3.183271], [-1.150792, 1.150792]]],
        "dx": [[[1.073307, -1.073307], [-0.244377, 0.408776]], [[-0.357774, 0.357774], [-0.315468, 0.151069]]],
        "dgamma": [0.894424, -2.465983],
        "dbeta": [2.0, 3.0],
        "mean": [0.15, 0.15],
        "var": [1.066667, 2.133333],
    }
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(layer.forward(x), expected["y"], **close)
    np.testing.assert_allclose(layer.backward(dy), expected["dx"], **close)
    np.testing.assert_allclose(layer.gamma.grad, expected["dgamma"], **close)
    np.testing.assert_allclose(layer.beta.grad, expected["dbeta"], **close)
    np.testing.assert_allclose(layer.mean.data, expected["mean"], **close)
    np.testing.assert_allclose(layer.var.data, expected["var"], **close)


def plain_backward(x, dy, gamma, eps):
    """dx = dy gamma / s, less what comes back through the mean and the variance, in float64."""
    x, dy = np.asarray(x, np.float64), np.asarray(dy, np.float64)
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    along = (1, -1, *(1,) * (x.ndim - 2))
    centred = x - x.mean(others, keepdims=True)
    var = (centred**2).mean(others, keepdims=True)
    g = dy * gamma.reshape(along)
    dvar = (g * centred).sum(others, keepdims=True) * -0.5 * (var + eps) ** -1.5
    dmean = -g.sum(others, keepdims=True) / np.sqrt(var + eps)
    dx = g / np.sqrt(var + eps) + (2 * dvar * centred + dmean) / (x.size / x.shape[1])
    return dx, (dy * centred / np.sqrt(var + eps)).sum(others), dy.sum(others)


@given(
    n=st.integers(2, 6),
    channels=st.integers(1, 5),
    rest=st.lists(st.integers(1, 4), max_size=3),
    layout=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from([np.float32, np.float64]),
    frozen=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_backward(n, channels, rest, layout, dtype, frozen, seed):
    shape = (n, channels, *rest)
    x, dy = (LAYOUTS[layout](normal(*shape, seed=seed + i).astype(dtype)) for i in range(2))
    layer = made(shape[1:], dtype, eps=0.1)
    layer.gamma.trainable, layer.beta.trainable = frozen
    y = layer.forward(x)
    dx, dgamma, dbeta = plain_backward(x, dy, layer.gamma.data, 0.1)
    close = {"rtol": 1e-9, "atol": 1e-10} if dtype == np.float64 else {"rtol": 1e-3, "atol": 1e-4}
    got = layer.backward(dy)
    assert y.dtype == got.dtype == dtype
    np.testing.assert_allclose(got, dx, **close)
    np.testing.assert_allclose(layer.gamma.grad, dgamma * frozen[0], **close)
    np.testing.assert_allclose(layer.beta.grad, dbeta * frozen[1], **close)
    layer.input_grad = False
    layer.zero_grad()
    assert layer.backward(dy) is None
    np.testing.assert_allclose(layer.gamma.grad, dgamma * frozen[0], **close)


@pytest.mark.parametrize("shape", [(64, 200, 30, 3), (4000, 150), (3, 2, 300, 301), (700, 3, 5)])
def test_blocks_and_threads_change_nothing(shape):
    x, dy = (LAYOUTS["samples last"](normal(*shape, seed=i).astype(np.float32)) for i in range(2))
    assert x.size > PIECE or shape[0] == 700
    layer, threaded = BatchNorm(), BatchNorm()
    y, dx = layer.forward(x), layer.backward(dy)
    want = plain_backward(x, dy, np.ones(shape[1]), 1e-5)
    np.testing.assert_allclose(dx, want[0], atol=2e-5)
    np.testing.assert_allclose(layer.gamma.grad, want[1], rtol=1e-4, atol=2e-3)
    with worker_threads():
        one, two = (threaded.forward(x), threaded.backward(dy)), (threaded.forward(x), threaded.backward(dy))
    np.testing.assert_allclose(one[0], y, atol=1e-5)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mean", [0.0, 1.0, 1000.0, -30000.0])
@pytest.mark.parametrize("shape", [(32, 3, 16, 16), (64, 3)])
def test_float32_keeps_its_digits_if_the_mean_is_large(shape, mean):
    x = (mean + normal(*shape)).astype(np.float32)
    want, found = reference(x, np.ones(3), np.zeros(3), 1e-5)
    layer = BatchNorm(momentum=0.0)
    y = layer.forward(x)
    lost = abs(mean) * 2**-22  # the mean itself is rounded, a few times
    assert abs(y - want).max() < 4e-6 + lost
    count = x.size / 3
    unbiased = [v * count / (count - 1) for _, v in found]
    np.testing.assert_allclose(layer.var.data, unbiased, rtol=1e-5, atol=lost**2)
    np.testing.assert_allclose(layer.mean.data, [m for m, _ in found], rtol=3e-7, atol=1e-7)


def test_a_constant_channel_gives_beta():
    layer = BatchNorm()
    y = layer.forward(np.full((8, 2, 3, 3), 7, np.float32))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), 0)


def test_frozen_statistics_learn_gamma_and_beta_and_nothing_else():
    layer = made((3,), momentum=0.5)
    layer.forward(normal(20, 3))
    layer.frozen_statistics = True
    before = {name: b.data.copy() for name, b in layer.buffers.items()}
    x, dy = normal(4, 3, seed=5), normal(4, 3, seed=6)
    layer.forward(x)
    layer.zero_grad()
    dx = layer.backward(dy)
    std = np.sqrt(before["var"] + 1e-5)
    np.testing.assert_allclose(dx, dy * layer.gamma.data / std)
    np.testing.assert_allclose(layer.gamma.grad, (dy * (x - before["mean"]) / std).sum(0))
    np.testing.assert_allclose(layer.beta.grad, dy.sum(0))
    for name, b in layer.buffers.items():
        np.testing.assert_array_equal(b.data, before[name])
    assert not layer.batch_coupled
    assert BatchNorm().batch_coupled
    assert repr(layer) == "BatchNorm(momentum=0.5, frozen_statistics=True)"
    assert layer.train().forward(x[:1]).shape == (1, 3)  # a batch of one is fine


def test_fine_tuning_moves_only_what_is_not_frozen():
    body = Sequential(Conv2D(4, 3), BatchNorm(), ReLU(), seed=0)
    net = Sequential(body, Flatten(), Affine(2), MeanSquaredError(), seed=0)
    x, target = normal(8, 2, 5, 5).astype(np.float32), normal(8, 2, seed=1).astype(np.float32)
    net.forward(x, target)
    body.trainable = False
    for layer in body.layers:
        if isinstance(layer, BatchNorm):
            layer.frozen_statistics = True
    before = net.state()
    solver = SGD(net, lr=0.1)
    for _ in range(3):
        net.forward(x, target)
        net.backward()
        solver.step()
    changed = {name for name, array in net.state().items() if not np.array_equal(array, before[name])}
    assert changed == {"affine1.W", "affine1.b"}


def test_buffers_travel():
    layer = made((3,), np.float32)
    x = normal(10, 3).astype(np.float32)
    for _ in range(3):
        layer.forward(x)
    want = layer.eval().forward(x)
    assert set(layer.state()) == {"gamma", "beta", "mean", "var"}
    twins = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.tied(), BatchNorm().eval()]
    twins[-1].build((3,))
    twins[-1].load_state(layer.state())
    for twin in twins:
        np.testing.assert_array_equal(twin.forward(x), want)
    assert twins[2].mean is layer.mean
    assert twins[0].mean is not layer.mean
    layer.astype(np.float64)
    assert layer.mean.data.dtype == layer.var.data.dtype == layer.forward(x).dtype == np.float64
    np.testing.assert_allclose(layer.forward(x), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 4), (5, 3, 0)])
def test_an_empty_batch_leaves_the_running_statistics_alone(shape):
    layer = made(shape[1:])
    x = np.empty(shape)
    assert layer.forward(x).shape == layer.backward(x).shape == shape
    np.testing.assert_array_equal(layer.mean.data, 0)
    np.testing.assert_array_equal(layer.var.data, 1)
    np.testing.assert_array_equal(layer.beta.grad, 0)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_a_single_number_is_refused_in_training_only(shape):
    layer, x = BatchNorm(), np.ones(shape, np.float32)
    message = r"BatchNorm: expected several numbers in each channel, got input of shape \(1, 3.*drop_last"
    with pytest.raises(ShapeError, match=message):
        layer.forward(x)
    np.testing.assert_array_equal(layer.mean.data, 0)
    assert layer.eval().forward(x).shape == shape


def test_other_sizes_are_welcome_and_other_channels_are_not():
    layer = BatchNorm()
    layer.forward(np.ones((2, 3, 4, 4), np.float32))
    assert layer.forward(np.ones((5, 3, 2, 7), np.float32)).shape == (5, 3, 2, 7)
    with pytest.raises(ShapeError, match=r"expected 3 channels, got input of shape \(2, 4, 4, 4\)"):
        layer.forward(np.ones((2, 4, 4, 4), np.float32))
    with pytest.raises(ShapeError, match="expected 3 channels"):
        layer.forward(np.ones(3, np.float32))
    with pytest.raises(ShapeError, match=r"expected \(N, channels, …\), got a vector"):
        BatchNorm().forward(np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"expected a momentum in \[0, 1\], got 1.5"):
        BatchNorm(momentum=1.5)


def test_flops_and_repr():
    layer = BatchNorm()
    layer.build((3, 4, 4))
    assert layer.flops() == 96
    assert repr([BatchNorm(), BatchNorm(0.99, affine=False)]) == "[BatchNorm(), BatchNorm(momentum=0.99, affine=False)]"
