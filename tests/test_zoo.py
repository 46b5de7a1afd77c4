"""The ready-made nets: their sizes are those in the literature, and they learn."""

import numpy as np
import pytest

from handbrew.layers import check_layer
from handbrew.nets import cifar10_full, cifar10_quick, lenet, load_net, mlp, resnet20, vgg_small
from handbrew.solvers import SGD

DIGITS, PHOTOS = (1, 28, 28), (3, 32, 32)


def conv(channels, out, k, bias=True):
    return channels * out * k * k + bias * out


def norm(channels):
    return 2 * channels


RESNET_STAGES = [
    2 * (conv(c, c, 3, False) + norm(c)) * 3 + (0 if c == 16 else conv(c // 2, c, 3, False) - conv(c, c, 3, False))
    for c in (16, 32, 64)
]
NETS = {
    "lenet": (lenet, DIGITS, 431_080),
    "cifar10_quick": (cifar10_quick, PHOTOS, 145_578),
    "cifar10_full": (cifar10_full, PHOTOS, 89_578),
    "vgg_small": (
        vgg_small,
        PHOTOS,
        sum(conv(a, b, 3, False) + norm(b) for a, b in [(3, 64), (64, 64), (64, 128), (128, 128)])
        + (128 * 8 * 8 + 1) * 256
        + 257 * 10,
    ),
    "resnet20": (
        resnet20,
        PHOTOS,
        conv(3, 16, 3, False)
        + norm(16)
        + sum(RESNET_STAGES)
        + sum(conv(c // 2, c, 1, False) + norm(c) for c in (32, 64))
        + 65 * 10,
    ),
    "mlp": (mlp, DIGITS, 785 * 256 + 257 * 10),
}


@pytest.mark.parametrize("name", NETS)
def test_sizes(name):
    make, shape, parameters = NETS[name]
    net = make()
    net.build(shape)
    assert sum(p.data.size for p in net.params.values()) == parameters
    assert net.predict(np.zeros((2, *shape), np.float32)).shape == (2, 10)


@pytest.mark.parametrize("name", NETS)
def test_classes_and_seed(name):
    make, shape, _ = NETS[name]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    outputs = [make(classes=3, seed=seed).predict(x) for seed in (0, 0, 1)]
    assert outputs[0].shape == (2, 3)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


@pytest.mark.parametrize("name", NETS)
def test_learns_a_batch_by_heart(name):
    make, shape, _ = NETS[name]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, *shape)).astype(np.float32), rng.integers(0, 10, 4)
    net = make(seed=0)
    solver = SGD(net, lr=0.01, momentum=0.9, clip_norm=1.0)
    first = net.forward(X, y)
    for _ in range(20):
        net.forward(X, y)
        net.backward()
        solver.step()
    assert net.forward(X, y) < 0.5 * first


@pytest.mark.parametrize("name", NETS)
def test_survives_saving(name, tmp_path):
    make, shape, _ = NETS[name]
    net = make(seed=0)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    before = net.predict(x)
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(load_net(tmp_path / "net.safetensors").predict(x), before)


def test_sizes_of_the_stages():
    net = cifar10_quick()
    net.build(PHOTOS)
    pools = [layer.out_shape for layer in net.layers if "Pool" in type(layer).__name__]
    assert pools == [(32, 16, 16), (32, 8, 8), (64, 4, 4)]


def test_gradients_of_a_whole_net():
    x = np.random.default_rng(0).normal(size=(2, 1, 16, 16))  # a digit's middle
    check_layer(lenet(seed=0), x, np.array([1, 9]), max_elements=8)
