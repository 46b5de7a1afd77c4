"""What every rule gets from its base class: the flat buffer, state that follows, errors."""

import copy
import pickle

import numpy as np
import pytest

from handbrew.layers import Affine, Layer, ReLU, Residual, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, NoGradientError, NonFiniteError, Solver

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


class Jitter(Layer):
    """Draws at every forward."""

    def forward(self, x):
        return x + self.rng.normal(scale=0.1, size=x.shape).astype(x.dtype)

    def backward(self, dy):
        return dy


def make_net(**options):
    return Sequential(Affine(5), ReLU(), Jitter(), Affine(3), SoftmaxCrossEntropy(), **options)


def train(net, solver, steps):
    losses = []
    for _ in range(steps):
        losses.append(net.forward(X, Y))
        net.backward()
        solver.step()
    return losses


def test_training_lowers_the_loss_and_clears_the_gradients():
    net = make_net()
    solver = SGD(net, lr=0.1, momentum=0.9)  # before build
    losses = train(net, solver, 40)
    assert losses[-1] < 0.2 * losses[0]
    assert solver.steps == 40
    assert not any(p.grad.any() for p in net.params.values())


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("steps", [0, 3])
def test_copies_of_net_and_solver_train_on_to_the_same_bits(clone, steps):
    net = make_net()
    solver = SGD(net, lr=0.1, momentum=0.9, weight_decay=0.01)
    train(net, solver, steps)
    net2, solver2 = clone((net, solver))
    assert train(net, solver, 4) == train(net2, solver2, 4)
    for p, q in zip(net.params.values(), net2.params.values(), strict=True):
        assert p is not q
        np.testing.assert_array_equal(p.data, q.data)
        assert not np.shares_memory(p.data, q.data)


def test_a_copy_made_between_backward_and_step():
    net = make_net()
    solver = SGD(net, lr=0.1, momentum=0.9)
    train(net, solver, 2)
    net.forward(X, Y)
    net.backward()
    net2, solver2 = copy.deepcopy((net, solver))
    solver.step()
    solver2.step()
    for p, q in zip(net.params.values(), net2.params.values(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_one_buffer_for_all_parameters():
    net = make_net()
    train(net, SGD(net, lr=0.1), 1)
    assert len({id(p.flat) for p in net.params.values()}) == 1


def test_no_gradient_no_step():
    net = make_net()
    solver = SGD(net, lr=0.1)
    net.build((4,))
    with pytest.raises(NoGradientError, match=r"SGD\.step: no gradient since the last step; call net\.backward"):
        solver.step()
    train(net, solver, 1)
    before = net.state()
    with pytest.raises(NoGradientError):
        solver.step()
    assert solver.steps == 1
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_users_own_addition_to_the_gradient_counts():
    net = make_net()
    net.build((4,))
    W = net.params["affine1.W"]
    before = W.data.copy()
    W.grad += 1
    SGD(net, lr=0.5).step()
    np.testing.assert_allclose(W.data, before - 0.5, rtol=1e-6)


def test_gradients_of_several_passes_add_up_until_the_step():
    net, reference = (Sequential(Affine(3), SoftmaxCrossEntropy(reduction="sum")) for _ in range(2))
    for part in (slice(0, 2), slice(2, 6)):
        net.forward(X[part], Y[part])
        net.backward()
    reference.forward(X, Y)
    reference.backward()
    np.testing.assert_allclose(net.params["affine1.W"].grad, reference.params["affine1.W"].grad, rtol=1e-5, atol=1e-6)


def test_frozen_parameters_stay_and_go_on_with_their_old_momentum():
    net = Sequential(Affine(5), ReLU(), Affine(3), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1, momentum=0.9)
    train(net, solver, 3)
    W = net.params["affine1.W"]
    velocity = solver._layout.state(W, "velocity").copy()
    assert velocity.any()
    W.trainable = False
    frozen = W.data.copy()
    train(net, solver, 3)
    np.testing.assert_array_equal(W.data, frozen)
    W.trainable = True
    net.forward(X, Y)
    net.backward()
    g = W.grad.copy()
    solver.step()
    np.testing.assert_allclose(W.data, frozen - (0.9 * velocity + np.float32(0.1) * g), rtol=1e-5, atol=1e-7)


def test_everything_frozen_is_an_error():
    net = make_net()
    net.build((4,))
    for p in net.params.values():
        p.trainable = False
    net.forward(X, Y)
    net.backward()
    with pytest.raises(ValueError, match="has no trainable parameters"):
        SGD(net, lr=0.1).step()


def test_astype_in_the_middle_carries_the_state_on():
    single, double = (Sequential(Affine(3), SoftmaxCrossEntropy()) for _ in range(2))
    one, two = SGD(single, lr=0.1, momentum=0.9), SGD(double, lr=0.1, momentum=0.9)
    train(single, one, 3)
    train(double, two, 3)
    double.astype(np.float64)
    train(single, one, 3)
    train(double, two, 3)
    W = double.params["affine1.W"]
    assert W.data.dtype == two._layout.state(W, "velocity").dtype == np.float64
    np.testing.assert_allclose(W.data, single.params["affine1.W"].data, rtol=1e-5, atol=1e-6)


def test_a_replaced_layer_is_trained_and_the_others_keep_their_momentum():
    net = Sequential(Affine(5), ReLU(), Affine(3).named("fc"), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1, momentum=0.9)
    train(net, solver, 3)
    velocity = solver._layout.state(net.params["affine1.W"], "velocity").copy()
    net.replace("fc", Affine(3))
    before = net.params["fc.W"].data.copy()
    solver.attach()
    np.testing.assert_array_equal(solver._layout.state(net.params["affine1.W"], "velocity"), velocity)
    train(net, solver, 1)
    assert not np.array_equal(net.params["fc.W"].data, before)


def test_a_child_replaced_in_a_users_container_is_trained():
    net = Sequential(Residual(Affine(4)), Affine(3), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1)
    train(net, solver, 2)
    net.layers[0].body = Affine(4)
    net.forward(X, Y)
    W = net.params["residual1.body.W"]
    before = W.data.copy()
    net.backward()
    solver.step()
    assert not np.array_equal(W.data, before)


def test_two_solvers_over_parts_of_one_net():
    net = Sequential(Affine(5), ReLU(), Affine(3), SoftmaxCrossEntropy())
    low, high = SGD(net.layers[0], lr=0.1), SGD(net.layers[2], lr=0.01)
    whole = Sequential(Affine(5), ReLU(), Affine(3), SoftmaxCrossEntropy())
    whole.build((4,))
    for p in whole.layers[2].params.values():
        p.lr_mult = 0.1
    solver = SGD(whole, lr=0.1)
    for _ in range(3):
        for n, solvers in ((net, (low, high)), (whole, (solver,))):
            n.forward(X, Y)
            n.backward()
            for s in solvers:
                s.step()
    for p, q in zip(net.params.values(), whole.params.values(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-5, atol=1e-7)


def test_two_solvers_in_turn_over_nets_that_share_a_layer():
    shared = Affine(5)
    one = Sequential(shared, Affine(3), SoftmaxCrossEntropy())
    two = Sequential(shared.tied(), Affine(2), SoftmaxCrossEntropy())
    first, second = SGD(one, lr=0.1, momentum=0.9), SGD(two, lr=0.1, momentum=0.9)
    for net, solver, y in ((one, first, Y), (two, second, Y % 2)) * 2:
        before = shared.W.data.copy() if shared.built else None
        net.forward(X, y)
        net.backward()
        solver.step()
        assert before is None or not np.array_equal(shared.W.data, before)
    assert shared.W is one.params["affine1.W"] is two.layers[0].W


def test_a_learning_rate_set_in_the_middle():
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1)
    train(net, solver, 1)
    before = net.params["affine1.W"].data.copy()
    solver.lr = 0.0
    train(net, solver, 1)
    np.testing.assert_array_equal(net.params["affine1.W"].data, before)


def test_a_rule_of_ones_own_is_fed_every_element_once_whatever_the_sizes():
    class Count(Solver):
        state_arrays = ("count",)

        def update(self, data, grad, state, lr):
            assert data.ndim == 1
            assert data.size <= 65_536
            state.count += 1
            data -= lr * grad

    net = Sequential(Affine(400), Affine(301), Affine(3), SoftmaxCrossEntropy())
    solver = Count(net, 0.1)
    reference = Sequential(Affine(400), Affine(301), Affine(3), SoftmaxCrossEntropy())
    train(net, solver, 2)
    train(reference, SGD(reference, 0.1), 2)
    for p, q in zip(net.params.values(), reference.params.values(), strict=True):
        np.testing.assert_array_equal(solver._layout.state(p, "count"), 2)
        np.testing.assert_array_equal(p.data, q.data)


def test_an_array_that_the_class_does_not_name():
    class Forgetful(Solver):
        def update(self, data, grad, state, lr):
            state.velocity += grad

    net = make_net()
    net.forward(X, Y)
    net.backward()
    with pytest.raises(AttributeError, match="keeps no array 'velocity'; name it in the class's state_arrays"):
        Forgetful(net, 0.1).step()
    with pytest.raises(NotImplementedError, match="Solver defines no update"):
        Solver(net, 0.1).step()


def test_clipping_meets_an_infinite_gradient():
    net = make_net()
    net.build((4,))
    net.params["affine1.W"].grad += np.inf
    before = net.state()
    with pytest.raises(
        NonFiniteError, match=r"gradient of affine1\.W has inf at index \(0, 0\).*nothing has been changed"
    ):
        SGD(net, lr=0.1, clip_norm=1.0).step()
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_solver_needs_a_net():
    with pytest.raises(TypeError, match=r"SGD: expected a net, got 0\.1"):
        SGD(0.1)


@pytest.mark.parametrize(
    "change",
    [
        lambda block: setattr(block, "body", Affine(4)),
        lambda block: setattr(block, "shortcut", Affine(4)),
        lambda block: setattr(block, "body", Sequential(ReLU(), Affine(4))),
    ],
)
@pytest.mark.parametrize("body", [Affine(4), ReLU()])
def test_whatever_comes_into_a_container_is_trained(change, body):
    net = Sequential(Residual(copy.deepcopy(body)), Affine(3), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1)
    train(net, solver, 2)
    change(net.layers[0])
    net.forward(X, Y)
    before = net.state()
    net.backward()
    solver.step()
    after = net.state()
    assert any(name.startswith("residual1") for name in after)
    for name in after:
        assert not np.array_equal(before[name], after[name]), name


def test_layers_in_a_list_that_is_replaced_are_trained():
    class Block(Layer):
        def __init__(self):
            self.parts = [Affine(4)]

        def forward(self, x):
            for part in self.parts:
                x = part.forward(x)
            return x

        def backward(self, dy):
            for part in reversed(self.parts):
                dy = part.backward(dy)
            return dy

    net = Sequential(Block(), Affine(3), SoftmaxCrossEntropy())
    solver = SGD(net, lr=0.1)
    train(net, solver, 2)
    net.layers[0].parts = (Affine(4), Affine(4))
    net.forward(X, Y)
    before = net.state()
    net.backward()
    solver.step()
    for name, array in net.state().items():
        assert not np.array_equal(before[name], array), name


def test_scratch_between_the_parameters_does_not_count_in_the_norm():
    class Scribble(Solver):
        def update(self, data, grad, state, lr):
            data -= lr * grad
            grad += 1

    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    solver, plain = Scribble(net, 0.1, clip_norm=0.5), Sequential(Affine(3), SoftmaxCrossEntropy())
    train(net, solver, 20)
    train(plain, SGD(plain, 0.1, clip_norm=0.5), 20)
    np.testing.assert_allclose(net.params["affine1.W"].data, plain.params["affine1.W"].data, rtol=1e-6)


def test_clipping_survives_gradients_whose_squares_overflow():
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    net.build((4,))
    W = net.params["affine1.W"]
    before = W.data.copy()
    W.grad += np.float32(1e25)
    SGD(net, lr=1.0, clip_norm=1.0).step()
    np.testing.assert_allclose(before - W.data, 1 / np.sqrt(12), rtol=1e-5)


def test_clearing_gradients_before_the_first_forward():
    net = make_net()
    net.zero_grad()
    train(net, SGD(net, lr=0.1), 1)


def test_a_step_looks_at_the_net_once_and_not_at_every_step(monkeypatch):
    attached = []
    attach = SGD.attach
    monkeypatch.setattr(SGD, "attach", lambda self: (attached.append(1), attach(self))[1])
    net = make_net()
    solver = SGD(net, lr=0.1)
    train(net, solver, 5)
    assert len(attached) == 1
    net.params["affine1.b"].trainable = False
    train(net, solver, 5)
    assert len(attached) == 2


def test_a_rule_that_returns_something_is_told_to_work_in_place():
    class Returns(Solver):
        def update(self, data, grad, state, lr):
            return data - lr * grad

    net = make_net()
    net.forward(X, Y)
    net.backward()
    with pytest.raises(TypeError, match=r"Returns\.update returned something; it has to change data in place"):
        Returns(net, 0.1).step()
