"""How far down backward goes: to the lowest trainable layer, whatever is frozen or replaced."""

import numpy as np
import pytest
from specimens import Counted, Pair

from handbrew.layers import Affine, Layer, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
Y = np.array([0, 1, 2, 2, 1, 0])


def watched():
    """A net with a counter below and above each of its three Affine layers."""
    counters = [Counted() for _ in range(4)]
    net = Sequential(
        counters[0],
        Affine(5),
        counters[1],
        Affine(5),
        counters[2],
        Affine(3),
        counters[3],
        SoftmaxCrossEntropy(),
    )
    net.forward(X, Y)
    return net, counters


def passes(net, counters, **options):
    """Which counters one forward and backward pass reaches on its way down."""
    for counter in counters:
        counter.backwards = 0
    net.zero_grad()
    net.forward(X, Y)
    net.backward(**options)
    return [counter.backwards for counter in counters]


def freeze(net, *names, frozen=True):
    for name, p in net.params.items():
        if name.split(".")[0] in names:
            p.trainable = not frozen


def test_nothing_below_the_lowest_layer_with_parameters():
    net, counters = watched()
    assert passes(net, counters) == [0, 1, 1, 1]
    assert passes(net, counters, input_grad=True) == [1, 1, 1, 1]
    assert passes(net, counters) == [0, 1, 1, 1]


def test_the_plan_follows_freezing_and_unfreezing():
    net, counters = watched()
    freeze(net, "affine1")
    assert passes(net, counters) == [0, 0, 1, 1]
    freeze(net, "affine2")
    assert passes(net, counters) == [0, 0, 0, 1]
    freeze(net, "affine1", frozen=False)
    assert passes(net, counters) == [0, 1, 1, 1]
    assert np.any(net.params["affine1.W"].grad)
    assert not np.any(net.params["affine2.W"].grad)
    freeze(net, "affine1")
    net.params["affine1.b"].trainable = True
    assert passes(net, counters) == [0, 1, 1, 1]
    assert np.any(net.params["affine1.b"].grad)
    assert not np.any(net.params["affine1.W"].grad)


def test_one_frozen_parameter_of_the_lowest_layer_is_not_the_layer():
    net, counters = watched()
    passes(net, counters)
    net.params["affine1.W"].trainable = False
    assert passes(net, counters) == [0, 1, 1, 1]
    assert np.any(net.params["affine1.b"].grad)


def test_a_frozen_net_goes_nowhere():
    net, counters = watched()
    freeze(net, "affine1", "affine2", "affine3")
    assert passes(net, counters) == [0, 0, 0, 0]
    assert passes(net, counters, input_grad=True) == [1, 1, 1, 1]
    assert not any(np.any(p.grad) for p in net.params.values())
    freeze(net, "affine3", frozen=False)
    assert passes(net, counters) == [0, 0, 0, 1]


def test_frozen_parameters_change_no_other_gradient():
    net, counters = watched()
    passes(net, counters)
    whole = {name: p.grad.copy() for name, p in net.params.items()}
    freeze(net, "affine1")
    passes(net, counters)
    for name, p in net.params.items():
        np.testing.assert_array_equal(p.grad, 0 if name.startswith("affine1") else whole[name])


@pytest.mark.parametrize("change", ["replace", "inner replace", "attribute", "first parameters"])
def test_a_trainable_layer_that_comes_in_below_is_trained(change):
    inner, block, bare = Sequential(Affine(4), ReLU()), Pair(Affine(4), ReLU()), Pair(ReLU(), ReLU())
    net = Sequential(Affine(4), inner, block, bare, Affine(3), SoftmaxCrossEntropy())
    net.forward(X, Y)
    freeze(net, "affine1", "sequential1", "pair1")
    passes(net, [])
    assert not np.any(net.params["sequential1.affine1.W"].grad)
    if change == "replace":
        net.replace("affine1", Affine(4))
        name = "affine1.W"
    elif change == "inner replace":
        inner.replace("affine1", Affine(4))
        name = "sequential1.affine1.W"
    elif change == "attribute":
        block.first = Affine(4)
        block.first.build((4,))
        name = "pair1.first.W"
    else:
        bare.first = Affine(4)
        bare.first.build((4,))
        name = "pair2.first.W"
    passes(net, [])
    assert np.any(net.params[name].grad)


def test_dx_is_asked_of_the_lowest_layer_only_when_it_is_wanted():
    asked = []

    class Curious(Affine):
        def backward(self, dy):
            asked.append(self.input_grad)
            return super().backward(dy)

    net = Sequential(Curious(4), Curious(3), SoftmaxCrossEntropy())
    net.forward(X, Y)
    net.backward()
    net.backward(input_grad=True)
    assert asked == [True, False, True, True]
    assert all(layer.input_grad for layer in net.layers)


def test_input_grad_is_restored_after_an_error():
    class Failing(Layer):
        def build(self, in_shape):
            self.b = self.param("b", in_shape, Affine(1).bias_init)
            return in_shape

        def forward(self, x):
            return x + self.b.data

        def backward(self, dy):
            raise ZeroDivisionError

    net = Sequential(Failing(), SoftmaxCrossEntropy())
    net.forward(X, Y)
    with pytest.raises(ZeroDivisionError):
        net.backward()
    assert net.layers[0].input_grad


def test_nested_nets_pass_on_what_is_wanted():
    bottom, top = Counted(), Counted()
    inner = Sequential(bottom, Affine(4), Counted())
    last = Sequential(top, Affine(3), SoftmaxCrossEntropy())
    net = Sequential(inner, last)
    net.forward(X, Y)
    net.backward()
    assert (bottom.backwards, top.backwards) == (0, 1)
    net.backward(input_grad=True)
    assert (bottom.backwards, top.backwards) == (1, 2)
    freeze(net, "sequential1")
    net.backward()
    assert (bottom.backwards, top.backwards) == (1, 2), "nothing below the loss's net wants its dx"


def test_the_solver_and_the_plan_agree():
    net, _ = watched()
    freeze(net, "affine1")
    solver, before = SGD(net, lr=0.1), net.state()
    for _ in range(2):
        net.forward(X, Y)
        net.backward()
        solver.step()
    after = net.state()
    for name in after:
        assert np.array_equal(before[name], after[name]) == name.startswith("affine1")
