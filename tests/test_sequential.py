"""``Sequential``: chains, losses at their end, names, nesting, errors, replacing."""

import copy
import pickle

import numpy as np
import pytest
from specimens import Broken, Counted, Noise, Pair, Running

from handbrew.layers import (
    Affine,
    CacheError,
    Constant,
    Conv2D,
    DTypeError,
    Flatten,
    Layer,
    LayerReuseError,
    Loss,
    ReLU,
    Residual,
    ShapeError,
    Softmax,
    SoftmaxCrossEntropy,
    sharing,
)
from handbrew.nets import EmptyNetError, Sequential
from handbrew.solvers import SGD

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 4)).astype(np.float32)
Y = np.array([0, 2, 1, 1, 0])
DY = rng.normal(size=(5, 3)).astype(np.float32)


def mlp(seed=0, **extra):
    return Sequential(Affine(10), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=seed, **extra)


def by_hand(W1, b1, W2, b2, x, y):
    """Loss and gradients of a 4-10-3 net, written out."""
    z = x @ W1 + b1
    h = np.where(z > 0, z, 0)
    s = h @ W2 + b2
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    ds = (p - np.eye(3)[y]) / len(y)
    dz = np.where(z > 0, ds @ W2.T, 0)
    return loss, s, p, (x.T @ dz, dz.sum(0), h.T @ ds, ds.sum(0)), dz @ W1.T


def data(net):
    return [p.data for p in net.params.values()]


def grads(net):
    return [p.grad for p in net.params.values()]


def assert_all_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# ---- forward and backward


def test_loss_scores_and_every_gradient_are_those_of_the_formulas():
    net = mlp().astype(np.float64)
    x = X.astype(np.float64)
    loss = net.forward(x, Y)
    dx = net.backward(input_grad=True)
    expected, scores, probabilities, gradients, dx_expected = by_hand(*data(net), x, Y)
    assert isinstance(loss, float)
    assert loss == pytest.approx(expected, rel=1e-12)
    for found, gradient in zip(grads(net), gradients, strict=True):
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(dx, dx_expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(net.forward(x), scores, rtol=1e-12)
    np.testing.assert_allclose(net.predict(x), probabilities, rtol=1e-12)


def test_without_a_target_the_scores_come_out_and_backward_starts_there():
    net = mlp()
    net.forward(X, Y)
    net.backward()
    whole = [g.copy() for g in grads(net)]
    net.zero_grad()
    scores = net.forward(X)
    assert scores.shape == (5, 3)
    loss = SoftmaxCrossEntropy()
    loss.forward(scores, Y)
    net.backward(loss.backward())
    assert_all_equal(grads(net), whole)


def test_a_stale_loss_is_refused():
    net = mlp()
    net.forward(X, Y)
    net.forward(X)
    with pytest.raises(ShapeError, match="Sequential: forward returned an output of shape \\(5, 3\\), not a loss"):
        net.backward()
    with pytest.raises(CacheError):
        net.loss.backward()


def test_the_gradient_of_the_loss_scales_everything():
    net = mlp()
    net.forward(X, Y)
    net.backward()
    once = [g.copy() for g in grads(net)]
    net.zero_grad()
    net.forward(X, Y)
    net.backward(np.float32(-2))
    for found, gradient in zip(grads(net), once, strict=True):
        np.testing.assert_allclose(found, -2 * gradient, rtol=1e-6)
    with pytest.raises(ShapeError, match=r"Sequential: forward returned the loss.*got shape \(5, 3\)"):
        net.backward(DY)


def test_weights_reach_the_loss():
    weight = np.array([1, 0, 0, 2, 0], np.float32)
    net = mlp().astype(np.float64)
    loss = net.forward(X, Y, weight)
    each = [net.forward(X[i : i + 1], Y[i : i + 1]) for i in range(5)]
    assert loss == pytest.approx((each[0] + 2 * each[3]) / 3)


def test_backward_twice_gives_the_same_dx_and_twice_the_gradient():
    net = Sequential(Affine(10), ReLU(), Affine(3))
    net.forward(X)
    first = net.backward(DY)
    once = [g.copy() for g in grads(net)]
    np.testing.assert_array_equal(net.backward(DY), first)
    assert_all_equal(grads(net), [2 * g for g in once])


def test_a_loss_alone_is_a_net():
    net = Sequential(SoftmaxCrossEntropy())
    loss = net.forward(DY, Y)
    assert loss == SoftmaxCrossEntropy().forward(DY, Y)
    assert net.backward() is None
    assert net.backward(input_grad=True).shape == DY.shape


def test_soft_targets():
    net, q = mlp(), rng.dirichlet(np.ones(3), 5).astype(np.float32)
    net.forward(X, q)
    net.backward()
    scores = net.forward(X).astype(np.float64)
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(net.params["affine2.b"].grad, ((p - q) / 5).sum(0), rtol=1e-5, atol=1e-7)


def test_backward_before_forward():
    with pytest.raises(CacheError, match=r"Sequential.*call forward before backward"):
        mlp().backward()
    net = Sequential(Affine(3))
    net.build((4,))
    with pytest.raises(CacheError, match="call forward before backward"):
        net.backward(DY)


@pytest.mark.parametrize("shape", [(5, 4), (4, 3), (3,), (), (5, 3, 1)])
def test_a_gradient_of_another_shape(shape):
    net = Sequential(Affine(3))
    net.forward(X)
    with pytest.raises(ShapeError) as error:
        net.backward(np.ones(shape, np.float32))
    assert str(error.value) == f"Sequential: forward returned shape (5, 3), but dy has shape {shape}"


def test_the_gradient_is_cast_at_the_entry_like_the_input():
    net = Sequential(Affine(3), Counted(), Affine(3))
    net.forward(X)
    for dy in (DY.astype(np.float64), np.ones((5, 3), int), DY.tolist()):
        assert net.backward(dy).dtype == np.float32
        assert net.layers[1].gradient.dtype == np.float32


def test_a_target_for_a_net_without_a_loss():
    net = Sequential(Affine(3))
    with pytest.raises(TypeError, match="Sequential: got a target, but the net does not end in a loss"):
        net.forward(X, Y)


def test_dx_is_for_whom_it_may_concern():
    net = mlp()
    assert net.input_grad is False
    net.forward(X, Y)
    assert net.backward() is None
    assert net.backward(input_grad=True).shape == X.shape
    scores_net = Sequential(Affine(3))
    assert scores_net.input_grad is True
    scores_net.forward(X)
    assert scores_net.backward(DY).shape == X.shape
    assert scores_net.backward(DY, input_grad=False) is None
    assert np.any(scores_net.params["affine1.W"].grad)


@pytest.mark.parametrize("where", ["body", "entry", "first time"])
def test_after_a_failed_forward_no_backward(where):
    net = Sequential(Affine(4), Broken(forward=False), Affine(3), SoftmaxCrossEntropy())
    if where != "first time":
        net.forward(X, Y)
    net.layers[1].fails["forward"] = where != "entry"
    with pytest.raises((ZeroDivisionError, ShapeError)):
        net.forward(X[:2] if where != "entry" else X[:, :2], Y)
    with pytest.raises(CacheError):
        net.backward()
    net.layers[1].fails["forward"] = False
    net.forward(X, Y)
    net.backward()


def test_a_loss_that_fails_leaves_no_backward_either():
    net = mlp()
    net.forward(X, Y)
    with pytest.raises(ValueError, match="Sequential > softmaxcrossentropy1"):
        net.forward(X, Y + 5)
    with pytest.raises(CacheError):
        net.backward()


# ---- nesting


def nested():
    return Sequential(Sequential(Affine(10), ReLU()).named("features"), Sequential(Affine(3), SoftmaxCrossEntropy()))


def test_nested_nets_compute_what_the_flat_one_does():
    inner, flat = nested(), mlp()
    flat.forward(X), inner.forward(X)
    assert list(inner.params) == [
        "features.affine1.W", "features.affine1.b", "sequential2.affine1.W", "sequential2.affine1.b",
    ]  # fmt: skip
    for p, q in zip(inner.params.values(), flat.params.values(), strict=True):
        p.data = q.data
    assert inner.takes_target
    assert isinstance(inner.loss, SoftmaxCrossEntropy)
    assert inner.forward(X, Y) == flat.forward(X, Y)
    assert inner.backward() is None
    flat.backward()
    assert_all_equal(grads(inner), grads(flat))
    np.testing.assert_array_equal(inner.backward(input_grad=True), flat.backward(input_grad=True))
    np.testing.assert_array_equal(inner.predict(X), flat.predict(X))
    assert inner.evaluate(X, Y) == flat.evaluate(X, Y)
    inner.zero_grad(), flat.zero_grad()
    np.testing.assert_array_equal(inner.forward(X), flat.forward(X))
    inner.backward(DY), flat.backward(DY)
    assert_all_equal(grads(inner), grads(flat))
    inner.forward(X, Y), inner.forward(X)
    with pytest.raises(ShapeError, match="not a loss; backward needs its gradient"):
        inner.backward()


def test_an_inner_net_returns_dx():
    inner = Sequential(Affine(4), ReLU())
    net = Sequential(Affine(4), inner, SoftmaxCrossEntropy())
    assert inner.input_grad
    net.forward(X, Y % 4)
    net.backward()
    assert np.any(net.params["affine1.W"].grad)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [SoftmaxCrossEntropy(), Affine(3)],
        lambda: [Sequential(Affine(3), SoftmaxCrossEntropy()), ReLU()],
        lambda: [Affine(3), SoftmaxCrossEntropy(), SoftmaxCrossEntropy()],
    ],
)
def test_a_loss_stands_last(layers):
    with pytest.raises(ShapeError, match="ends in a loss, so it must be the last layer, not number"):
        Sequential(*layers())


# ---- names, objects, what is no net


def test_names_are_counted_per_class_or_given():
    net = Sequential(Affine(2), ReLU(), Affine(2).named("fc"), Running(), Affine(2), ReLU())
    assert list(net.children) == ["affine1", "relu1", "fc", "running1", "affine3", "relu2"]
    net.build((4,))
    assert list(net.params) == [
        "affine1.W", "affine1.b", "fc.W", "fc.b", "running1.scale", "affine3.W", "affine3.b",
    ]  # fmt: skip
    assert list(net.buffers) == ["running1.mean"]
    assert net.params["fc.W"] is net.layers[2].W
    net.layers[0].named("input")
    assert next(iter(net.params)) == "input.W"


def test_a_name_twice():
    with pytest.raises(ValueError, match="two layers are called fc, relu1"):
        Sequential(Affine(1).named("fc"), ReLU(), Affine(1).named("fc"), Affine(2).named("relu1"))


def test_repr_reads_like_the_call():
    net = Sequential(Affine(10, bias=False), Sequential(ReLU(0.1), seed=2), SoftmaxCrossEntropy(), seed=3)
    assert repr(net) == (
        "Sequential(Affine(10, bias=False), Sequential(ReLU(negative_slope=0.1), seed=2), "
        "SoftmaxCrossEntropy(), seed=3)"
    )
    assert repr(eval(repr(net))) == repr(net)


def test_a_net_without_layers():
    with pytest.raises(EmptyNetError, match="a net needs at least one layer, like Sequential"):
        Sequential()


@pytest.mark.parametrize(
    ("layer", "fix"),
    [(ReLU, "write it with parentheses"), ([ReLU()], "unpack them"), (3, ""), (None, "")],
)
def test_what_is_no_layer(layer, fix):
    with pytest.raises(TypeError, match=f"Sequential: expected layers, got .* in place 1.*{fix}"):
        Sequential(Affine(3), layer)


@pytest.mark.parametrize("seed", [-1, 1.5, "0"])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="expected a seed that is an integer from 0 on, got"):
        Sequential(ReLU(), seed=seed)


def test_one_object_in_two_places():
    a, r = Affine(4), ReLU()
    twice = {
        "plain": lambda: Sequential(a, r, a),
        "nested": lambda: Sequential(Sequential(r, Sequential(a)), a),
        "deep on both sides": lambda: Sequential(Sequential(Sequential(r)), Sequential(Residual(r))),
        "in a container": lambda: Sequential(a, Residual(a)),
        "in a container of one's own": lambda: Sequential(Pair(a, r), Pair(Affine(4), a)),
        "inside one container": lambda: Sequential(Pair(a, a)),
    }
    for name, make in twice.items():
        with pytest.raises(LayerReuseError, match=r"one \w+ object stands at .* and at .*tied"):
            pytest.fail(f"{name}: {make()}")
    Sequential(a, r, a.tied())


# ---- errors carry the path


def test_shape_errors_begin_with_the_path():
    net = Sequential(Sequential(ReLU(), Affine(3)).named("head"), SoftmaxCrossEntropy())
    net.forward(X, Y)
    for x in (X[:, :3], np.ones((5, 4, 4, 4))):
        with pytest.raises(ShapeError) as error:
            net.forward(x, Y)
        assert str(error.value).startswith("Sequential > head (Sequential) > affine1 (Affine): expected 4 features")
        assert not getattr(error.value, "__notes__", [])


@pytest.mark.parametrize("verb", ["forward", "backward"])
def test_foreign_errors_keep_their_type_and_get_the_path_once(verb):
    net = Sequential(Sequential(Affine(4), Sequential(Broken(verb == "forward", verb == "backward"))))
    with pytest.raises(ZeroDivisionError, match="an accident") as error:
        net.backward(net.forward(X))
    place = "Sequential > sequential1 (Sequential) > sequential1 (Sequential) > broken1 (Broken)"
    assert str(error.value) == "an accident"
    assert error.value.__notes__ == [f"in {place}, given shape (5, 4)"]


def test_a_layer_that_is_wrong_about_its_shape_after_building_by_hand():
    class Sum(Layer):
        def forward(self, x):
            return x.sum(axis=1, keepdims=True)

    by_first_forward = Sequential(Sum(), Affine(3))
    assert by_first_forward.forward(X).shape == (5, 3)
    assert by_first_forward.params["affine1.W"].shape == (1, 3)
    net = Sequential(Sum(), Affine(3))
    net.build((4,))
    with pytest.raises(ShapeError, match=r"^Sequential > sum1 \(Sum\): build said .* \(4,\), forward made \(1,\)"):
        net.forward(X)


# ---- building


def test_built_by_hand_and_by_first_forward():
    by_hand, by_forward = mlp(), mlp()
    assert by_hand.build((4,)) == (3,)
    by_forward.forward(X, Y)
    assert by_hand.in_shape == by_forward.in_shape == (4,)
    assert by_hand.out_shape == by_forward.out_shape == (3,)
    assert_all_equal(data(by_hand), data(by_forward))
    by_hand.build((4,))
    with pytest.raises(ShapeError, match=r"already built for input of shape \(4,\), got \(5,\)"):
        by_hand.build((5,))
    assert nested().build((4,)) == (3,)


@pytest.mark.parametrize("when", ["before", "after", "after solver"])
def test_astype_before_and_after_build(when):
    net = mlp()
    if when != "before":
        net.forward(X, Y)
    if when == "after solver":
        solver = SGD(net, lr=0.1)
        net.backward()
        solver.step()
    assert net.astype(np.float64) is net
    assert isinstance(net.forward(X, Y), float)
    net.backward()
    assert {a.dtype for a in data(net) + grads(net)} == {np.dtype(np.float64)}
    assert net.forward(X).dtype == np.float64
    assert net.predict(X).dtype == np.float64


def test_floats_and_bytes_are_cast_once_at_the_entry():
    first, second = Counted(), Counted()
    net = Sequential(first, Affine(3), second)
    for x in (X.astype(np.float64), X.astype(np.float16), np.ones((5, 4), np.uint8), X.tolist()):
        assert net.forward(x).dtype == np.float32
        assert first.seen.dtype == np.float32
        np.testing.assert_array_equal(first.seen, np.asarray(x).astype(np.float32))
    net.forward(X)
    assert first.seen is X, "what needs no cast is not copied"


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_integers_may_be_tokens(dtype):
    with pytest.raises(DTypeError, match=r"^Sequential > affine1 \(Affine\): .*pass x.astype\(np.float32\)"):
        Sequential(Affine(3)).forward(np.ones((5, 4), dtype))
    counted = Counted()
    Sequential(counted).forward(np.ones((5, 4), dtype))
    assert counted.seen.dtype == dtype


# ---- seeds


def weights(net, in_shape=(4,)):
    net.build(in_shape)
    return {name: p.data for name, p in net.params.items()}


def test_same_seed_same_bits():
    first, again, other = weights(mlp(7)), weights(mlp(7)), weights(mlp(8))
    assert_all_equal(list(first.values()), list(again.values()))
    for name in ("affine1.W", "affine2.W"):
        assert not np.any(first[name] == other[name])
    assert_all_equal(list(weights(mlp(None)).values()), list(weights(mlp(0)).values()))


def test_inserting_a_relu_changes_nobody():
    plain = weights(Sequential(Affine(6), Affine(6), Sequential(Affine(3)), seed=1))
    inserted = weights(Sequential(ReLU(), Affine(6), ReLU(), Affine(6), Sequential(ReLU(), Affine(3)), seed=1))
    assert plain.keys() == inserted.keys()
    assert_all_equal(list(plain.values()), list(inserted.values()))
    assert not np.any(weights(Sequential(Affine(4), Affine(4)))["affine1.W"] == weights(
        Sequential(Affine(4), Affine(4)))["affine2.W"])  # fmt: skip


def test_an_inner_net_with_a_seed_keeps_it():
    def outer(seed, inner_seed):
        return weights(Sequential(Affine(4), Sequential(Affine(4), seed=inner_seed), seed=seed))

    a, b, c = outer(1, 5), outer(2, 5), outer(1, None)
    np.testing.assert_array_equal(a["sequential1.affine1.W"], b["sequential1.affine1.W"])
    np.testing.assert_array_equal(a["sequential1.affine1.W"], weights(Sequential(Affine(4), seed=5))["affine1.W"])
    assert not np.any(a["affine1.W"] == b["affine1.W"])
    assert not np.any(a["sequential1.affine1.W"] == c["sequential1.affine1.W"])


# ---- tied


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_tied_layer_in_a_chain(by_hand):
    first = Affine(4)
    net = Sequential(first, ReLU(), first.tied(), SoftmaxCrossEntropy()).astype(np.float64)
    if by_hand:
        net.build((4,))
    x, labels = X.astype(np.float64), Y % 4
    net.forward(x, labels)
    assert list(net.params) == ["affine1.W", "affine1.b"]
    net.backward()
    # The gradient is the sum of what two separate layers with these weights would get.
    apart = Sequential(Affine(4), ReLU(), Affine(4), SoftmaxCrossEntropy()).astype(np.float64)
    apart.build((4,))
    for p, q in zip(apart.params.values(), [*net.params.values()] * 2, strict=True):
        p.data = q.data
    apart.forward(x, labels)
    apart.backward()
    for name in ("W", "b"):
        total = apart.params[f"affine1.{name}"].grad + apart.params[f"affine2.{name}"].grad
        np.testing.assert_allclose(net.params[f"affine1.{name}"].grad, total, rtol=1e-12)
    before = first.W.data.copy()
    SGD(net, lr=0.5).step()
    np.testing.assert_allclose(net.layers[2].W.data, before - 0.5 * (
        apart.params["affine1.W"].grad + apart.params["affine2.W"].grad), rtol=1e-12)  # fmt: skip
    assert net.layers[2].W is first.W


@pytest.mark.parametrize("by_hand", [True, False])
def test_twins_of_other_shapes(by_hand):
    first = Affine(3)
    net = Sequential(first, first.tied())
    with pytest.raises(ShapeError, match=r"Sequential > affine2 \(Affine\): its tied twin has W of shape \(4, 3\)"):
        net.build((4,)) if by_hand else net.forward(X)


def test_a_tied_net_shares_every_parameter_and_no_cache():
    net = Sequential(Affine(6).named("fc"), Sequential(Noise(), Affine(3)), Running())
    twin = net.tied()
    assert list(twin.children) == list(net.children)
    a, b = net.forward(X), twin.forward(2 * X)
    assert list(net.params.values()) == list(twin.params.values())
    assert list(net.buffers.values()) == list(twin.buffers.values())
    assert all(p is not q for (_, p), (_, q) in zip(net.walk(), twin.walk(), strict=True))
    assert not np.any(a == b)
    net.backward(DY)
    once = [g.copy() for g in grads(net)]
    twin.backward(DY)
    assert np.any(net.params["fc.W"].grad != once[0])
    siamese = Sequential(Pair(net, twin))
    siamese.forward(X)
    assert len(siamese.params) == 5


def test_tying_deeply_nested_nets_costs_no_more_than_their_layers():
    made = []

    class Watched(ReLU):
        def tied(self):
            made.append(self)
            return super().tied()

    net = Watched()
    for _ in range(30):
        net = Sequential(net)
    net.tied()
    assert len(made) == 1


# ---- copies


def trained(steps=3):
    net = Sequential(Affine(10), Noise(), ReLU(), Running(), Pair(Affine(3), Affine(3)), SoftmaxCrossEntropy(), seed=4)
    solver = SGD(net, lr=0.1, momentum=0.9)
    train(net, solver, steps)
    return net, solver


def train(net, solver, steps):
    for _ in range(steps):
        net.forward(X, Y)
        net.backward()
        solver.step()


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
@pytest.mark.parametrize("steps", [0, 3])
def test_copies_train_on_to_the_same_bits(clone, steps):
    net, solver = trained(steps)
    other, other_solver = clone((net, solver))
    train(net, solver, 4)
    train(other, other_solver, 4)
    assert_all_equal(list(net.state().values()), list(other.state().values()))
    for p, q in zip(net.params.values(), other.params.values(), strict=True):
        assert not np.shares_memory(p.data, q.data)
        assert not np.shares_memory(p.grad, q.grad)
    assert not np.shares_memory(net.buffers["running1.mean"].data, other.buffers["running1.mean"].data)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_of_a_net_goes_its_own_way(clone):
    net, _ = trained()
    before = net.state()
    other = clone(net)
    with pytest.raises(CacheError):
        other.backward()
    train(other, SGD(other, lr=0.1), 1)
    assert_all_equal(list(net.state().values()), list(before.values()))
    net.backward()


# ---- containers of one's own


def test_a_users_container_in_a_net():
    net = Sequential(Pair(Affine(3), Sequential(Affine(5), ReLU(), Affine(3))), SoftmaxCrossEntropy())
    net.forward(X, Y)
    net.backward()
    assert list(net.params) == [
        "pair1.first.W", "pair1.first.b", "pair1.second.affine1.W", "pair1.second.affine1.b",
        "pair1.second.affine2.W", "pair1.second.affine2.b",
    ]  # fmt: skip
    assert all(np.any(g) for g in grads(net))
    with pytest.raises(ShapeError, match=r"^Sequential > pair1 \(Pair\) > first \(Affine\): expected 4 features"):
        net.forward(X[:, :3], Y)


def test_a_layer_with_a_length_of_zero_is_a_layer():
    class Hollow(Counted):
        def __len__(self):
            return 0

    class HollowLoss(SoftmaxCrossEntropy):
        def __len__(self):
            return 0

    hollow = Sequential(Affine(3), Hollow())
    net = Sequential(hollow, Sequential(Affine(3), HollowLoss()), seed=0)
    net.forward(X, Y)
    net.backward()
    assert hollow.layers[1].backwards == 1
    assert all(np.any(g) for g in grads(net))


def test_a_loss_of_ones_own():
    class Cubic(Loss):
        def forward(self, scores, target, weight=None):
            d = self.cache.d = scores - self.check_pair(scores, target)
            return self.reduce(np.abs(d) ** 3, weight)

        def backward(self, dloss=1.0):
            d = self.cache.d
            return 3 * d * np.abs(d) * self.scale(dloss)

    net = Sequential(Affine(3), Cubic()).astype(np.float64)
    target = DY.astype(np.float64)
    loss = net.forward(X, target)
    net.backward()
    b = net.params["affine1.b"]
    for i in range(3):
        b.data[i] += 1e-6
        numeric = (net.forward(X, target) - loss) / 1e-6
        b.data[i] -= 1e-6
        assert b.grad[i] == pytest.approx(numeric, rel=1e-4)
    np.testing.assert_array_equal(net.predict(X), net.forward(X))


# ---- replace


def test_replace_puts_another_layer_in_the_place_and_under_the_name():
    net = mlp()
    net.forward(X, Y)
    kept = {name: net.params[name] for name in ("affine1.W", "affine1.b")}
    net.replace("affine2", Affine(7, weight_init=Constant(0.5)))
    assert list(net.children) == ["affine1", "relu1", "affine2", "softmaxcrossentropy1"]
    assert all(net.params[name] is p for name, p in kept.items())
    assert net.params["affine2.W"].shape == (10, 7)
    assert net.params["affine2.W"].data.dtype == np.float32
    assert net.out_shape == (7,)
    assert np.isfinite(net.forward(X, Y + 4))
    net.backward()
    with pytest.raises(KeyError, match="no layer is called 'fc'; there are affine1, relu1, affine2"):
        net.replace("fc", Affine(3))


def test_replace_of_another_class_leaves_the_others_their_names():
    net = Sequential(Affine(4), ReLU(), Affine(4), ReLU())
    net.build((4,))
    net.replace("relu1", Running())
    net.replace("affine1", Pair(Affine(4), Affine(4)))
    assert list(net.children) == ["affine1", "relu1", "affine2", "relu2"]
    assert repr(net) == "Sequential(Pair(Affine(4), Affine(4)), Running(), Affine(4), ReLU())"


def test_replace_tells_the_solver():
    net = mlp()
    solver = SGD(net, lr=0.1, momentum=0.9)
    train(net, solver, 2)
    net.replace("affine2", Affine(3))
    before = [a.copy() for a in data(net)]
    train(net, solver, 1)
    assert all(np.any(a != b) for a, b in zip(data(net), before, strict=True))


@pytest.mark.parametrize("name", ["affine2", "relu2"])
def test_layers_without_arrays_adapt_to_what_is_replaced(name):
    net = Sequential(Affine(5), ReLU(), Affine(3), Residual(ReLU()), ReLU())
    assert net.forward(X).shape == (5, 3)
    net.replace(name, Affine(6).named("other"))
    assert net.layers[-1].out_shape == net.out_shape == (6,)
    assert net.forward(X).shape == (5, 6)
    assert net.summary()[-1].out_shape == (6,)


@pytest.mark.parametrize("layer", [lambda net: Affine(11), lambda net: net.layers[0], lambda net: ReLU])
def test_a_replacement_that_does_not_fit_leaves_the_net_as_it_was(layer):
    net = Sequential(Affine(10), ReLU(), Residual(ReLU()), Affine(10), Affine(3), SoftmaxCrossEntropy())
    loss = net.forward(X, Y)
    before = (
        repr(net),
        list(net.children),
        net.layers,
        [(part.in_shape, part.out_shape) for _, part in net.walk()],
    )
    with pytest.raises((ShapeError, LayerReuseError, TypeError)):
        net.replace("affine2", layer(net))
    assert before == (
        repr(net), list(net.children), net.layers, [(part.in_shape, part.out_shape) for _, part in net.walk()]
    )  # fmt: skip
    net.backward()
    assert net.forward(X, Y) == loss
    net.replace("relu1", Running())
    assert list(net.children)[3] == "affine2"


def test_replace_before_build_and_of_the_loss():
    net = mlp()
    net.replace("affine1", Affine(6))
    net.forward(X, Y)
    assert net.params["affine2.W"].shape == (6, 3)
    net.replace("softmaxcrossentropy1", SoftmaxCrossEntropy(reduction="sum"))
    total = net.forward(X, Y)
    assert total == pytest.approx(5 * Sequential(SoftmaxCrossEntropy()).forward(net.forward(X), Y), rel=1e-6)
    with pytest.raises(ShapeError, match="must be the last layer"):
        net.replace("relu1", SoftmaxCrossEntropy())


def test_a_replaced_layer_draws_by_its_place():
    net, other = mlp(3), mlp(3)
    net.build((4,)), other.build((4,))
    net.replace("affine2", Affine(3))
    np.testing.assert_array_equal(net.params["affine2.W"].data, other.params["affine2.W"].data)


def test_replacing_ends_a_pending_backward():
    net, used = mlp(), ReLU(0.5)
    net.forward(X, Y)
    used.forward(np.ones((5, 10), np.float32))
    net.replace("relu1", used)
    with pytest.raises(CacheError, match="Sequential"):
        net.backward()


def test_softmax_before_a_loss_that_applies_it_itself():
    with pytest.warns(UserWarning, match="SoftmaxCrossEntropy applies softmax itself"):
        Sequential(Affine(3), Softmax(), SoftmaxCrossEntropy())


def test_replace_keeps_what_a_container_made_in_build():
    class Block(Layer):
        def build(self, in_shape):
            self.fc = Affine(in_shape[-1])
            return self.fc.build(in_shape)

        def forward(self, x):
            return self.fc.forward(x)

    net = Sequential(Block(), Affine(3).named("fc"))
    net.forward(np.ones((2, 4), np.float32))
    W = net.layers[0].fc.W
    net.replace("fc", Affine(5))
    assert net.layers[0].fc.W is W
    assert net.forward(np.ones((2, 4), np.float32)).shape == (2, 5)


def test_replace_before_a_nested_head_without_arrays():
    net = Sequential(Affine(5).named("fc"), Sequential(ReLU(), SoftmaxCrossEntropy()))
    X, y = np.ones((2, 4), np.float32), np.array([0, 1])
    net.forward(X, y)
    net.replace("fc", Affine(3))
    assert net.predict(X).shape == (2, 3)


def test_layers_are_changed_by_replace_only():
    net = Sequential(Affine(5), ReLU())
    with pytest.raises(AttributeError):
        net.layers = net.layers[:1]


def test_a_users_container_may_leave_building_to_its_children():
    class Widen(Layer):
        def forward(self, x):
            return np.concatenate([x, x], axis=1)

    class Chain(Layer):
        build_first = False

        def __init__(self):
            self.parts = [Widen(), Affine(3)]

        def forward(self, x):
            for part in self.parts:
                x = part.forward(x)
            return x

    chain = Chain()
    assert chain.forward(np.ones((2, 4), np.float32)).shape == (2, 3)
    assert chain.out_shape == (3,)
    assert chain.parts[1].W.shape == (8, 3)


class Watcher(Layer):
    """Notes whether worker_threads is in force."""

    backward_uses = ()

    def __init__(self, fails=False):
        self.fails = fails

    def forward(self, x):
        self.forwards = sharing()
        if self.fails:
            raise ZeroDivisionError
        return x

    def backward(self, dy):
        self.backwards = sharing()
        return dy


def test_a_net_with_a_layer_that_uses_threads_turns_them_on_for_all():
    x = np.ones((2, 1, 4, 4), np.float32)
    for nested in (False, True):
        watcher = Watcher()
        net = Sequential(Sequential(watcher) if nested else watcher, Conv2D(2, 3))
        net.backward(net.forward(x))
        assert (watcher.forwards, watcher.backwards, sharing()) == (True, True, False)


def test_a_net_without_such_a_layer_leaves_blas_alone():
    watcher = Watcher()
    net = Sequential(watcher, Flatten(), Affine(2))
    net.backward(net.forward(np.ones((2, 1, 4, 4), np.float32)))
    assert (watcher.forwards, watcher.backwards) == (False, False)
    net.replace("flatten1", Sequential(Conv2D(1, 1), Flatten()))
    net.forward(np.ones((2, 1, 4, 4), np.float32))
    assert watcher.forwards


def test_threads_are_turned_off_after_an_error():
    net = Sequential(Conv2D(2, 3), Watcher(fails=True))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            net.forward(np.ones((2, 1, 4, 4), np.float32))
        assert not sharing()
    net.layers[1].fails = False
    net.forward(np.ones((2, 1, 4, 4), np.float32))
    assert net.layers[1].forwards
