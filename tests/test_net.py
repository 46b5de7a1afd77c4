"""``Net``: predicting, and leaving no trace; building, clearing and modes of a whole net."""

import numpy as np
import pytest
from specimens import Broken, Counted, Noise, Pair, Running

from handbrew.data import Dataset
from handbrew.layers import Affine, NotBuiltError, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Net, Sequential

rng = np.random.default_rng(1)
X = rng.normal(size=(7, 4)).astype(np.float32)
Y = np.array([0, 1, 2, 2, 1, 0, 1])


def make():
    net = Sequential(Affine(8), Noise(), ReLU(), Running(), Affine(3), SoftmaxCrossEntropy(), seed=2)
    net.forward(X, Y)
    return net


def test_predict_is_the_head_applied_to_the_scores_in_evaluation_mode():
    net = make()
    scores = net.eval().forward(X).astype(np.float64)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.train().predict(X), probabilities, rtol=1e-5)
    assert net.predict(X).dtype == np.float32
    plain = Sequential(Affine(3))
    np.testing.assert_array_equal(plain.predict(X), plain.forward(X))


@pytest.mark.parametrize("use", [lambda net: net.predict(X[:3] + 1), lambda net: net.evaluate(X + 1, Y)])
def test_a_pending_backward_stays_possible(use):
    net, other = make(), make()
    net.forward(X, Y), other.forward(X, Y)
    use(net)
    net.backward(), other.backward()
    for p, q in zip(net.params.values(), other.params.values(), strict=True):
        np.testing.assert_array_equal(p.grad, q.grad)
    assert np.any(net.params["affine1.W"].grad)


@pytest.mark.parametrize("use", [lambda net: net.predict(X), lambda net: net.evaluate(X, Y)])
def test_modes_generators_and_buffers_are_as_before(use):
    net, other = make(), make()
    net.layers[3].eval(), other.layers[3].eval()  # a user's frozen statistics
    use(net)
    assert [part.training for _, part in net.walk()] == [True, True, True, True, False, True, True]
    assert net.forward(X, Y) == other.forward(X, Y)
    for b, c in zip(net.buffers.values(), other.buffers.values(), strict=True):
        np.testing.assert_array_equal(b.data, c.data)


def test_modes_and_caches_are_restored_after_an_error():
    net = Sequential(Affine(3), Broken(forward=False), SoftmaxCrossEntropy())
    net.forward(X, Y)
    net.layers[1].fails["forward"] = True
    with pytest.raises(ZeroDivisionError):
        net.predict(X)
    assert all(part.training for _, part in net.walk())
    net.backward()
    assert np.any(net.params["affine1.W"].grad)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 8, 1000, None])
def test_batches_give_equal_results(batch_size):
    net, counted = make(), Counted()
    net.replace("noise1", counted)
    np.testing.assert_allclose(net.predict(X, batch_size), net.predict(X), rtol=1e-6)
    counted.forwards = 0
    net.predict(X, batch_size)
    assert counted.forwards == (1 if batch_size is None else -(-7 // batch_size))
    assert len(counted.seen) <= (batch_size or 7)


@pytest.mark.parametrize("batch_size", [None, 3])
def test_predicting_nothing(batch_size):
    assert make().predict(X[:0], batch_size).shape == (0, 3)
    assert Sequential(Affine(3)).predict(X[:0], batch_size).shape == (0, 3)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_no_batch_is_smaller_than_one(batch_size):
    for use in (lambda: make().predict(X, batch_size), lambda: make().evaluate(X, Y, batch_size)):
        with pytest.raises(ValueError, match=f"batch_size: expected at least 1, got {batch_size}"):
            use()


def test_predict_builds_and_takes_lists_and_other_dtypes():
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    first = net.predict([[1.0, 2, 3, 4]])
    assert first.shape == (1, 3)
    np.testing.assert_array_equal(net.predict(np.array([[1, 2, 3, 4]], np.uint8)), first)
    np.testing.assert_array_equal(net.predict(np.array([[1, 2, 3, 4]], np.float64)), first)


def test_zero_grad_clears_every_gradient():
    net = make()
    net.backward()
    net.zero_grad()
    assert not any(np.any(p.grad) for p in net.params.values())


def test_an_unbuilt_net_says_how_to_build_it():
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    net.zero_grad()  # nothing to clear yet
    for ask in (lambda: net.params, net.state, net.summary):
        with pytest.raises(NotBuiltError, match=r"not built.*call build\(in_shape\)"):
            ask()


def test_modes_reach_the_deepest_layer():
    net = Sequential(Pair(Noise(), Sequential(Noise())), seed=0)
    np.testing.assert_array_equal(net.eval().forward(X), 2 * X)
    assert np.any(net.train().forward(X) != 2 * X)


def test_a_net_is_abstract():
    class Mine(Net):
        pass

    with pytest.raises(NotImplementedError):
        Mine().loss  # noqa: B018
    with pytest.raises(NotImplementedError):
        Mine().backward()


def test_evaluate_takes_a_dataset():
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    assert net.evaluate(Dataset(X, Y)) == net.evaluate(X, Y)
    with pytest.raises(TypeError, match=r"evaluate needs targets: evaluate\(X, y\), or evaluate\(dataset\)"):
        net.evaluate(X)
