"""``net.profile``: time by layer, and no trace of it."""

import copy
import time

import numpy as np
import pytest
from specimens import Noise, Running

from handbrew.layers import Affine, Layer, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Profile, Sequential

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 2, 2, 1, 0])


class Slow(Layer):
    """Takes 4 ms forward and 8 ms backward."""

    def forward(self, x):
        time.sleep(0.004)
        return x

    def backward(self, dy):
        time.sleep(0.008)
        return dy


def test_times_are_those_of_the_layers():
    net = Sequential(Affine(5).named("fc"), Slow(), Affine(3), SoftmaxCrossEntropy())
    rows = net.profile(X, Y, repeats=3)
    assert isinstance(rows, Profile)
    kinds = [("fc", "Affine"), ("slow1", "Slow"), ("affine2", "Affine")]
    assert [(row.name, row.kind) for row in rows] == [*kinds, ("softmaxcrossentropy1", "SoftmaxCrossEntropy")]
    assert 0.004 <= rows[1].forward < 0.1
    assert 0.008 <= rows[1].backward < 0.1
    for row in (rows[0], rows[2], rows[3]):
        assert 0 < row.forward < 0.004
        assert 0 < row.backward < 0.008


def test_the_net_is_as_before():
    net = Sequential(Affine(5), Noise(), Running(), Affine(3), SoftmaxCrossEntropy())
    net.forward(X, Y)
    net.backward()
    net.forward(X, Y)
    other = copy.deepcopy(net)
    attributes = [sorted(vars(part)) for _, part in net.walk()]
    for _ in range(2):
        net.profile(X[:3], Y[:3], repeats=2)
    assert [sorted(vars(part)) for _, part in net.walk()] == attributes
    for p, q in zip(net.params.values(), other.params.values(), strict=True):
        np.testing.assert_array_equal(p.grad, q.grad)
    net.backward()  # what was pending still is
    other.forward(X, Y), net.forward(X, Y)
    for (name, array), expected in zip(net.state().items(), other.state().values(), strict=True):
        np.testing.assert_array_equal(array, expected, err_msg=name)


@pytest.mark.parametrize("target", [None, Y])
def test_without_a_loss_or_without_a_target(target):
    layers = [Affine(3), ReLU()] + ([] if target is None else [SoftmaxCrossEntropy()])
    rows = Sequential(*layers).profile(X, target, repeats=1)
    assert all(row.forward > 0 for row in rows)
    assert len(Sequential(Affine(3), SoftmaxCrossEntropy()).profile(X, repeats=1)) == 2


def test_the_table():
    rows = Sequential(Affine(5), Slow(), Affine(3), SoftmaxCrossEntropy()).profile(X, Y, repeats=1)
    lines = str(rows).splitlines()
    assert lines[0].split() == ["layer", "class", "forward", "us", "backward", "us", "share"]
    assert lines[-1].split()[0] == "total"
    assert lines[-1].endswith("100 %")
    forward, backward = map(float, lines[-1].split()[1:3])
    assert forward == pytest.approx(1e6 * sum(row.forward for row in rows), abs=0.1)
    assert backward == pytest.approx(1e6 * sum(row.backward for row in rows), abs=0.1)
    assert len(lines) == 4 + 4
