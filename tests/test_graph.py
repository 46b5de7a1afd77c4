"""Graphs: many inputs and outputs, several losses, blobs by name, and all that nets can do."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

from handbrew.data import Dataset
from handbrew.layers import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Concat,
    Dropout,
    Embedding,
    EuclideanLoss,
    Layer,
    Multiply,
    ReLU,
    Residual,
    ShapeError,
    SoftmaxCrossEntropy,
    Split,
    Tanh,
    check_layer,
)
from handbrew.nets import Graph, GraphError, Sequential, load_net
from handbrew.solvers import SGD

rng = np.random.default_rng(0)
A, B = rng.normal(size=(4, 5)).astype(np.float32), rng.normal(size=(4, 7)).astype(np.float32)
Y = np.array([0, 1, 2, 0])


def two_towers(**options):
    """Two inputs, a blob that two read, two losses."""
    return Graph(
        ("a", "b", "label"),
        (Affine(6).named("left"), "a", "l"),
        (Affine(6).named("right"), "b", "r"),
        (Add(), ("l", "r"), "s"),
        (Tanh(), "s", "h"),
        (Affine(3).named("fc"), "h", "scores"),
        (Affine(3).named("side"), "l", "side_scores"),
        (SoftmaxCrossEntropy().named("loss"), ("scores", "label"), "loss"),
        (SoftmaxCrossEntropy().named("side_loss"), ("side_scores", "label"), "side_loss"),
        seed=3,
        **options,
    )


class TestAgainstNumPy:
    """A graph's pass, written out by hand."""

    def run(self, weights):
        net = two_towers(loss_weights=weights).astype(np.float64)
        loss = net.forward(A, B, Y)
        net.backward()
        return net, loss, {name: p.data for name, p in net.params.items()}

    @pytest.mark.parametrize("side", [0.3, 1.0, -2.0])
    def test_losses_and_gradients(self, side):
        net, loss, p = self.run({"side_loss": side})
        a, b = A.astype(np.float64), B.astype(np.float64)
        left, right = a @ p["left.W"] + p["left.b"], b @ p["right.W"] + p["right.b"]
        h = np.tanh(left + right)
        main, d_main = cross_entropy(h @ p["fc.W"] + p["fc.b"])
        beside, d_beside = cross_entropy(left @ p["side.W"] + p["side.b"])
        assert loss == pytest.approx(main + side * beside, rel=1e-12)
        d_sum = (d_main @ p["fc.W"].T) * (1 - h * h)
        d_left = d_sum + side * d_beside @ p["side.W"].T
        expected = {
            "left.W": a.T @ d_left,
            "right.W": b.T @ d_sum,
            "right.b": d_sum.sum(0),
            "fc.W": h.T @ d_main,
            "side.W": left.T @ (side * d_beside),
        }
        for name, gradient in expected.items():
            np.testing.assert_allclose(net.params[name].grad, gradient, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(net.grads["l"], d_left, rtol=1e-10)
        np.testing.assert_allclose(net.blobs["h"], h, rtol=1e-12)
        assert net.grads["side_loss"] == side

    def test_a_loss_without_weight_is_computed_but_not_learned_from(self):
        net, loss, _ = self.run({"side_loss": 0})
        assert loss == net.blobs["loss"]
        assert net.blobs["side_loss"] > 0
        assert not net.params["side.W"].grad.any()
        assert "side_scores" not in net.grads

    def test_any_blob_may_count_as_a_loss_by_its_sum(self):
        net, loss, _ = self.run({"loss": 0, "side_loss": 0, "h": 2.0})
        assert loss == pytest.approx(2 * net.blobs["h"].sum(), rel=1e-12)
        np.testing.assert_allclose(net.params["right.b"].grad, (2 * (1 - net.blobs["h"] ** 2)).sum(0), rtol=1e-10)


def cross_entropy(scores):
    e = np.exp(scores - scores.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    d = p.copy()
    d[np.arange(4), Y] -= 1
    return -np.log(p[np.arange(4), Y]).mean(), d / 4


class TestContract:
    """A graph is a layer like any other."""

    def test_one_input(self):
        check_layer(Graph("x", (Affine(3), "x", "a"), (Tanh(), "a", "t"), (Multiply(), ("a", "t"), "y")), (4,))

    def test_several_inputs_and_outputs(self):
        net = Graph(
            ("p", "q"),
            (Affine(4).named("p"), "p", "a"),
            (Split(2), "a", ("a1", "a2")),
            (Affine(2), "q", "b"),
            (Add(), ("a1", "b"), "s"),
            (Concat(), ("s", "a2", "a1"), "c"),
            outputs=("c", "b"),
        )
        check_layer(net, (3,), (5,))

    def test_losses(self):
        check_layer(two_towers(loss_weights={"side_loss": 0.3}), (5,), (7,), Y)

    def test_floating_targets(self):
        net = Graph(("x", "t"), (Affine(3), "x", "s"), (EuclideanLoss(), ("s", "t"), "loss"))
        check_layer(net, (4,), (3,))

    def test_nests_of_nets(self):
        inner = Graph("x", (Affine(4), "x", "a"), (Tanh(), "a", "b"), (Add(), ("x", "b"), "y"))
        head = Graph(("x", "t"), (Affine(3), "x", "s"), (SoftmaxCrossEntropy(), ("s", "t"), "loss"))
        check_layer(Sequential(Affine(4), inner, Tanh(), head), (4,), Y)
        outer = Graph(
            ("x", "t"),
            (Sequential(Affine(4), Tanh()), "x", "h"),
            (Residual(Affine(4)), "h", "r"),
            (head_of(), ("r", "t"), "l"),
        )
        check_layer(outer, (4,), Y)


def head_of():
    return Sequential(Affine(3), SoftmaxCrossEntropy())


def test_a_chain_as_a_graph_has_the_same_bits():
    X = rng.normal(size=(8, 5)).astype(np.float32)
    y = np.arange(8) % 3
    names = ("one", "act", "drop", "two")
    layers = [Affine(6).named("one"), ReLU().named("act"), Dropout(0.3).named("drop"), Affine(3).named("two")]
    chain = Sequential(*copy.deepcopy(layers), SoftmaxCrossEntropy().named("end"), seed=4)
    blobs = ("x", *names)
    nodes = [(layer, blobs[i], blobs[i + 1]) for i, layer in enumerate(layers)]
    graph = Graph(("x", "y"), *nodes, (SoftmaxCrossEntropy().named("end"), ("two", "y"), "loss"), seed=4)
    solvers = SGD(chain, lr=0.1, momentum=0.9), SGD(graph, lr=0.1, momentum=0.9)
    for solver in solvers:
        for _ in range(5):
            solver.net.forward(X, y)
            solver.net.backward()
            solver.step()
    for (name, a), b in zip(chain.state().items(), graph.state().values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    np.testing.assert_array_equal(chain.predict(X), graph.predict(X))
    assert chain.evaluate(X, y) == graph.evaluate(X, y)


class TestSeveralInputs:
    @pytest.mark.parametrize("batch_size", [None, 1, 3])
    def test_predict_and_evaluate_take_a_tuple_or_a_dict(self, batch_size):
        net = two_towers()
        scores = net.forward(A, B)[1]
        probabilities = net.predict((A, B), batch_size)
        np.testing.assert_allclose(probabilities, net.loss.predict(scores), rtol=1e-5)
        np.testing.assert_array_equal(net.predict({"b": B, "a": A}, batch_size), probabilities)
        found = net.evaluate((A, B), Y, batch_size or 256)
        assert found.accuracy == (scores.argmax(1) == Y).mean()
        assert "left" in {row.name for row in net.profile((A, B), Y, repeats=1)}

    @pytest.mark.parametrize("X", [A, (A,), {"a": A}, (A, B, Y)])
    def test_anything_else_is_refused(self, X):
        with pytest.raises(ShapeError, match="expected a tuple of 2 arrays, a, b"):
            two_towers().predict(X)
        with pytest.raises(ShapeError, match=r"as many samples in each input, got \[4, 3\]"):
            two_towers().predict((A, B[:3]))

    def test_a_tuple_for_a_net_of_one_input(self):
        net = Graph(("x", "y"), (Affine(3), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "l"))
        with pytest.raises(ShapeError, match="expected one array of samples, got a tuple of 2"):
            net.predict((A, Y))

    def test_several_outputs_stay_apart_over_batches(self):
        net = Graph("x", (Affine(3), "x", "p"), (Affine(2), "x", "q"))
        whole = net.predict(A)
        for one, other in zip(whole, net.predict(A, batch_size=3), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)

    @pytest.mark.parametrize(
        "net",
        [
            two_towers,
            lambda: Graph(("y", "x"), (Affine(3), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "l")),
            lambda: Graph("x", (Affine(5), "x", "r"), (EuclideanLoss(), ("r", "x"), "l")),
        ],
    )
    def test_fit_says_what_it_cannot_feed(self, net):
        with pytest.raises(TypeError, match="fit: expected a net that takes an input and then a target"):
            SGD(net(), lr=0.1).fit((A, Y), epochs=1, progress=False)

    def test_a_target_that_is_declared_first(self):
        net = Graph(("y", "x"), (Affine(3), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "l"))
        loss = net.forward(Y, A)
        assert net.evaluate(A, Y).loss == pytest.approx(loss)


class TestWeights:
    weight = np.array([1.0, 0, 0, 2.0])

    def simple(self):
        return Graph(("x", "y"), (Affine(3).named("fc"), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "l"), seed=1)

    def test_fit_and_nests_hand_them_on(self):
        X, rows = A, [0, 3, 3]
        for net in (
            self.simple(),
            Sequential(Affine(4), self.simple()),
            Graph(("x", "y"), (Affine(4), "x", "h"), (self.simple(), ("h", "y"), "l")),
            Graph(("x", "y"), (Affine(4), "x", "h"), (head_of(), ("h", "y"), "l")),
        ):
            loss = net.forward(X, Y, self.weight)
            assert loss == pytest.approx(net.forward(X[rows], Y[rows]), rel=1e-5)
            data = Dataset(X, Y, weight=self.weight)
            SGD(net, lr=0.1).fit(data, epochs=1, batch_size=4, progress=False)

    def test_a_loss_without_target_takes_them_too(self):
        net = Graph("x", (Affine(5), "x", "r"), (EuclideanLoss(), ("r", "x"), "l"))
        assert net.forward(A, weight=self.weight) != net.forward(A)

    def test_where_no_loss_is_they_are_refused(self):
        with pytest.raises(GraphError, match="got weights, but ran no loss"):
            self.simple().forward(A, weight=self.weight)


class TestLossesInside:
    """Nets that end in a loss, in a graph."""

    def numeric(self, net, param, *inputs):
        h, at = 1e-6, (0,) * param.data.ndim
        found = []
        for step in (h, -h):
            param.data[at] += step
            found.append(net.forward(*inputs))
            param.data[at] -= step
        return (found[0] - found[1]) / (2 * h), param.grad[at]

    def check(self, net, name, *inputs):
        net.astype(np.float64)
        net.forward(*inputs)
        net.backward()
        expected, found = self.numeric(net, net.params[name], *inputs)
        assert found == pytest.approx(expected, rel=1e-6)
        assert abs(expected) > 1e-6

    def test_whose_first_input_is_integer(self):
        inner = Graph(
            ("ids", "x", "y"),
            (Embedding(5, 3), "ids", "e"),
            (Affine(3), "x", "a"),
            (Add(), ("e", "a"), "s"),
            (SoftmaxCrossEntropy(), ("s", "y"), "l"),
        )
        net = Graph(("ids", "x", "y"), (Affine(5).named("low"), "x", "h"), (inner, ("ids", "h", "y"), "l"))
        self.check(net, "low.W", Y, A, Y)

    def test_whose_target_is_learned(self):
        net = Graph(
            "x",
            (Affine(3), "x", "p"),
            (Affine(3).named("q"), "x", "q"),
            (Sequential(Tanh(), EuclideanLoss()), ("p", "q"), "l"),
        )
        net.forward(A)
        with pytest.raises(
            GraphError, match=r"\(Sequential\): backward returned nothing as the gradient of its input 'q'"
        ):
            net.backward()

    def test_that_stand_alone(self):
        one = Graph(("s", "t"), (SoftmaxCrossEntropy(), ("s", "t"), "l"))
        assert one.forward(A[:, :3], Y) > 0
        one.backward(input_grad=True)
        conditional = Graph(
            ("x", "t"), (Concat(), ("x", "t"), "c"), (Affine(5), "c", "s"), (EuclideanLoss(), ("s", "t"), "l")
        )
        assert conditional.targets == ()
        assert conditional.forward(A, A) > 0
        wrapped = Graph(("x", "y"), (head_of().named("net"), ("x", "y"), "l"))
        assert wrapped.build((5,)) == (3,)
        assert wrapped.forward(A, Y) > 0
        np.testing.assert_allclose(wrapped.predict(A).sum(1), 1, rtol=1e-5)
        assert wrapped.evaluate(A, Y).loss == pytest.approx(wrapped.forward(A, Y), rel=1e-5)

    def test_at_the_end_of_a_chain(self):
        end = Graph(
            ("x", "t"),
            (Affine(3), "x", "s"),
            (Tanh(), "s", "u"),
            (EuclideanLoss(), ("s", "t"), "l"),
            (EuclideanLoss(), ("u", "t"), "m"),
        )
        net = Sequential(Affine(4).named("low"), end)
        target = A[:, :3].astype(np.float64)
        self.check(net, "low.W", A, target)
        assert net.predict(A).shape == (4, 3)
        assert net.evaluate(A, target).loss > 0

    def test_of_a_user_s_own_kind(self):
        class Own(Layer):
            takes_target = True
            reduction = "mean"

            def forward(self, scores, target):
                self.cache.d = scores - target
                return float((self.cache.d**2).sum())

            def backward(self, dloss=1.0):
                return 2 * self.cache.d * dloss

        net = Graph(("x", "t"), (Affine(3).named("fc"), "x", "s"), (Own(), ("s", "t"), "l"))
        self.check(net, "fc.W", A, A[:, :3].astype(np.float64))

    def test_with_weights_as_a_blob(self):
        net = Graph(("x", "t", "w"), (Affine(3).named("fc"), "x", "s"), (EuclideanLoss(), ("s", "t", "w"), "l"))
        self.check(net, "fc.W", A, A[:, :3].astype(np.float64), np.array([1.0, 0, 2, 1]))


class TestWrongLayers:
    """Layers of one's own that are not right yet are named, not trained around."""

    @pytest.mark.parametrize(
        ("answer", "came"),
        [(lambda dy: None, "nothing"), (lambda dy: dy[:1], r"shape \(1, 3\)"), (lambda dy: dy.sum(), r"shape \(\)")],
    )
    def test_a_gradient_that_is_missing_or_of_another_shape(self, answer, came):
        class Wrong(Layer):
            def forward(self, x):
                return 2 * x

            def backward(self, dy):
                return answer(dy)

        net = Graph(
            ("x", "y"),
            (Affine(3), "x", "a"),
            (Wrong().named("mine"), "a", "b"),
            (Add(), ("a", "b"), "s"),
            (SoftmaxCrossEntropy(), ("s", "y"), "l"),
        )
        net.forward(A, Y)
        with pytest.raises(
            GraphError, match=rf"mine \(Wrong\): backward returned {came} as the gradient of its input 'a'"
        ):
            net.backward()

    def test_several_outputs_under_one_name(self):
        net = Graph("x", (Split(2), "x", "a"), (Affine(3), "a", "s"))
        with pytest.raises(GraphError, match=r"split1 \(Split\): returned 2 outputs; the graph has names for \('a',\)"):
            net.forward(A[:, :4])

    def test_a_loss_of_integers(self):
        net = Graph("x", (ArgMax(), "x", "k"), (Affine(2), "x", "s"), loss_weights={"k": 0.5})
        with pytest.raises(GraphError, match="'k' counts as a loss, but holds int64"):
            net.forward(A)

    @pytest.mark.parametrize("weight", [float("nan"), float("inf"), "1", None])
    def test_a_weight_that_is_no_number(self, weight):
        with pytest.raises(GraphError, match="loss_weights: expected a number for 'y'"):
            Graph("x", (ReLU(), "x", "y"), loss_weights={"y": weight})


def test_an_output_named_twice_gets_both_gradients():
    net = Graph("x", (Affine(3).named("fc"), "x", "s"), outputs=("s", "s"))
    one, two = net.forward(A)
    assert one is two
    ones = np.ones((4, 3), np.float32)
    net.backward((ones, 2 * ones))
    np.testing.assert_allclose(net.params["fc.b"].grad, 12)


class TestPartsOfAPass:
    def test_from_the_middle_of_a_net_that_has_never_run(self):
        net = two_towers()
        net.build(((5,), (7,)))
        h = np.ones((2, 6), np.float32)
        assert net.forward(h=h, start="fc", end="fc").shape == (2, 3)
        with pytest.raises(GraphError, match="'s', which was not given"):
            two_towers().forward(A, B, start="tanh1")

    def test_from_a_loss(self):
        net = two_towers(loss_weights={"side_loss": 0})
        net.forward(A, B, Y)
        net.backward()
        d = net.grads["scores"]
        np.testing.assert_array_equal(net.backward(start="loss", end="loss")[0], d)
        with pytest.raises(GraphError, match="from a later layer to an earlier one; fc runs before loss"):
            net.backward(start="fc", end="loss")

    def test_gradients_are_freed_where_they_are_not_to_be_read(self):
        net = two_towers()
        net.forward(A, B, Y)
        net.backward()
        expected = {name: p.grad.copy() for name, p in net.params.items()}
        net.zero_grad()
        net.keep_grads = False
        net.forward(A, B, Y)
        net.backward()
        assert not net.grads.keys() & {"s", "h", "l"}
        for name, p in net.params.items():
            np.testing.assert_array_equal(p.grad, expected[name])

    def test_without_the_target_the_scores_come_back(self):
        net = two_towers()
        scores = net.forward(A, B)
        assert [s.shape for s in scores] == [(4, 3), (4, 3)]
        da, db = net.backward((np.ones((4, 3), np.float32), None), input_grad=True)
        assert da.shape == A.shape
        assert db.shape == B.shape
        assert not net.params["side.W"].grad.any()

    def test_a_missing_input_is_named(self):
        with pytest.raises(
            GraphError, match="right needs the blob 'b', which was not given; forward takes a, b, label"
        ):
            two_towers().forward(A, label=Y)
        with pytest.raises(GraphError, match=r"expected 3 inputs, .* got 5"):
            two_towers().forward(A, B, Y, Y, Y)
        with pytest.raises(GraphError, match="'c', which is no blob of this graph, or given twice; there are a, b, fc"):
            Graph(("a", "b"), (Add(), ("a", "b"), "fc")).forward(A, A, c=A)

    def test_inputs_by_name(self):
        net = two_towers()
        assert net.forward(label=Y, a=A, b=B) == net.forward(A, B, Y)

    def test_from_and_to_a_named_layer(self):
        net = two_towers()
        loss = net.forward(A, B, Y)
        before = net.blobs
        h = net.forward(A, B, Y, end="tanh1")
        np.testing.assert_array_equal(h, before["h"])
        assert "scores" not in net.blobs
        np.testing.assert_array_equal(net.forward(start="fc", end="fc"), before["scores"])
        net.forward(A, B, Y)
        assert net.forward(start="fc") == loss

    def test_a_blob_that_is_given_is_not_computed(self):
        net = two_towers()
        net.forward(A, B, Y)
        h = np.zeros((4, 6), np.float32)
        scores = net.forward(h=h, start="fc", end="fc")
        np.testing.assert_array_equal(scores, np.broadcast_to(net.params["fc.b"].data, (4, 3)))
        loss = net.forward(A, B, Y, h=h)
        assert loss == pytest.approx(np.log(3) + net.blobs["side_loss"])

    def test_backward_from_and_to_a_named_layer(self):
        net = two_towers()
        net.forward(A, B, Y)
        net.backward()
        expected = {name: p.grad.copy() for name, p in net.params.items()}
        d_scores, d_s = net.grads["scores"], net.grads["s"]
        net.zero_grad()
        np.testing.assert_allclose(net.backward(d_scores, start="fc", end="tanh1"), d_s, rtol=1e-6)
        np.testing.assert_allclose(net.params["fc.W"].grad, expected["fc.W"], rtol=1e-6)
        assert not net.params["right.W"].grad.any()
        with pytest.raises(GraphError, match="the last forward ran no layer called 'pool'"):
            net.backward(start="pool")

    def test_a_layer_that_is_not_there(self):
        with pytest.raises(GraphError, match="no layer is called 'pool'; there are left, right"):
            two_towers().forward(A, B, Y, end="pool")

    def test_gradients_of_the_wrong_shape(self):
        net = two_towers()
        net.forward(A, B)
        with pytest.raises(ShapeError, match="needs the gradient of each of"):
            net.backward(np.ones((4, 3)))
        with pytest.raises(ShapeError, match=r"forward returned shape \(4, 3\), but dy has shape \(4, 2\)"):
            net.backward((np.ones((4, 2)), None))

    def test_a_weight_for_each_sample(self):
        net = two_towers()
        weight = np.array([1.0, 0, 0, 2.0])
        loss = net.forward(A, B, Y, weight=weight)
        rows = [0, 3, 3]
        assert loss == pytest.approx(net.forward(A[rows], B[rows], Y[rows]), rel=1e-6)


class Counting(Layer):
    """The identity, which counts."""

    def __init__(self):
        self.calls = []

    def forward(self, x):
        self.cache.there = True
        return x

    def backward(self, dy):
        self.calls.append(self.input_grad)
        return dy


class TestPruning:
    def net(self):
        return Graph(
            ("x", "y"),
            (Counting().named("below"), "x", "b"),
            (Affine(4).named("one"), "b", "a"),
            (Counting().named("middle"), "a", "m"),
            (Affine(3).named("two"), "m", "scores"),
            (Counting().named("unused"), "a", "nobody"),
            (SoftmaxCrossEntropy(), ("scores", "y"), "loss"),
        )

    def calls(self, net):
        net.forward(A, Y)
        net.backward()
        return {name: layer.calls for name, layer in net.children.items() if isinstance(layer, Counting)}

    def test_what_leads_to_no_loss_and_what_learns_nothing_is_not_run(self):
        assert self.calls(self.net()) == {"below": [], "middle": [True], "unused": []}

    def test_frozen_layers_are_noticed_at_every_step(self):
        net = self.net()
        self.calls(net)
        net.children["one"].trainable = False
        assert self.calls(net)["middle"] == [True]
        net.children["one"].trainable = True
        assert self.calls(net)["middle"] == [True, True]

    def test_the_lowest_layer_makes_no_input_gradient(self):
        net = Graph(("x", "y"), (Learning().named("low"), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "loss"))
        net.forward(rng.normal(size=(4, 3)), Y)
        net.backward()
        assert net.children["low"].asked == [False]
        assert net.children["low"].input_grad is True
        net.backward(input_grad=True)
        assert net.children["low"].asked == [False, True]


class Learning(Layer):
    """y = x + b."""

    def __init__(self):
        self.asked = []

    def build(self, in_shape):
        from handbrew.layers import Zeros

        self.b = self.param("b", in_shape, Zeros())
        return in_shape

    def forward(self, x):
        return x + self.b.data

    def backward(self, dy):
        self.asked.append(self.input_grad)
        self.b.grad += dy.sum(0)
        return dy


def test_fan_out_adds_up_without_writing_into_anybody_s_array():
    net = Graph(
        "x",
        (Counting(), "x", "a"),
        (ReLU(), "a", "p"),
        (Counting(), "a", "q"),
        (Tanh(), "a", "r"),
        (Counting(), "a", "s"),
    )
    x = np.ones((2, 3), np.float32)
    net.forward(x)
    dys = tuple(np.full((2, 3), float(i), np.float32) for i in range(1, 5))
    kept = [dy.copy() for dy in dys]
    dx = net.backward(dys)
    np.testing.assert_allclose(dx, 1 + 2 + 3 * (1 - np.tanh(1) ** 2) + 4, rtol=1e-6)
    np.testing.assert_array_equal(dys, kept)


class Noise(Layer):
    """Two of them draw different numbers."""

    def forward(self, x):
        return x + self.rng.normal(size=x.shape).astype(x.dtype)


def test_an_output_that_nobody_reads_has_a_gradient_of_zeros():
    net = Graph("x", (Split(3), "x", ("a", "b", "c")), (Tanh(), "b", "y"), outputs="y")
    x = rng.normal(size=(4, 6)).astype(np.float32)
    net.forward(x)
    dx = net.backward(np.ones((4, 2), np.float32))
    np.testing.assert_array_equal(dx[:, [0, 1, 4, 5]], 0)
    np.testing.assert_allclose(dx[:, 2:4], 1 - np.tanh(x[:, 2:4]) ** 2, rtol=1e-5)


def test_nodes_without_inputs_or_outputs():
    class Learned(Layer):
        def build(self, in_shape):
            from handbrew.layers import Constant

            self.p = self.param("p", (3,), Constant(2.0))
            return (3,)

        def forward(self):
            return self.p.data.reshape(1, 3).repeat(4, 0)

        def backward(self, dy):
            self.p.grad += dy.sum(0)
            return ()

    class Sink(Layer):
        def forward(self, x):
            return ()

    net = Graph("x", (Learned().named("free"), (), "f"), (Multiply(), ("x", "f"), "y"), (Sink(), "x", ()))
    x = rng.normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(net.forward(x), 2 * x)
    net.backward(np.ones_like(x))
    np.testing.assert_allclose(net.params["free.p"].grad, x.sum(0), rtol=1e-5)


class TestAsANet:
    def test_saving(self, tmp_path):
        net = two_towers(loss_weights={"side_loss": 0.25}, outputs=("h", "scores"))
        loss = net.forward(A, B, Y)
        net.params["fc.W"].lr_mult = 3.0
        net.save(tmp_path / "net.safetensors")
        again = load_net(tmp_path / "net.safetensors")
        assert repr(again) == repr(net)
        assert again.forward(A, B, Y) == loss
        assert again.params["fc.W"].lr_mult == 3.0
        assert again.seed == 3
        other = two_towers()
        other.build(((5,), (7,)))
        other.load(tmp_path / "net.safetensors")
        np.testing.assert_array_equal(other.params["left.W"].data, net.params["left.W"].data)

    def test_copies(self):
        net = two_towers()
        loss = net.forward(A, B, Y)
        for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert twin.forward(A, B, Y) == loss
            twin.backward()

    def test_tied_twins_share_parameters(self):
        one = Graph("x", (Affine(4).named("fc"), "x", "y"))
        net = Graph(
            ("p", "q"), (one.named("one"), "p", "a"), (one.tied().named("two"), "q", "b"), (Add(), ("a", "b"), "s")
        )
        x = rng.normal(size=(3, 5)).astype(np.float32)
        net.forward(x, 2 * x)
        net.backward(np.ones((3, 4), np.float32))
        assert [*net.params] == ["one.fc.W", "one.fc.b"]
        np.testing.assert_allclose(net.params["one.fc.W"].grad, 3 * x.T @ np.ones((3, 4)), rtol=1e-5)

    def test_a_twin_has_losses_of_its_own(self):
        net = two_towers()
        twin = net.tied()
        assert twin.loss is twin.children["side_loss"] is not net.loss
        assert [node.layer for node in twin.nodes] == [*twin.layers]
        assert net.forward(A, B, Y) == twin.forward(A, B, Y)

    def test_of_equal_losses_the_last_is_asked(self):
        net = two_towers()
        assert net.loss is net.children["side_loss"]
        np.testing.assert_array_equal(net.scores(A, B), net.forward(A, B)[1])

    def test_build_tells_the_outputs_shapes(self):
        net = two_towers()
        assert net.build(((5,), (7,))) == ((3,), (3,))
        assert net.forward(A, B, Y) > 0
        assert two_towers().forward(A, B)[0].shape == (4, 3)
        with pytest.raises(ShapeError, match=r"the shape of each of \('a', 'b'\), got \(5,\)"):
            two_towers().build((5,))

    def test_a_clash_of_shapes_names_layer_and_blobs(self):
        def clash():
            return Graph(
                ("a", "b"), (Affine(6), "a", "l"), (Affine(5), "b", "r"), (Add().named("sum"), ("l", "r"), "s")
            )

        for run in (lambda: clash().build(((5,), (7,))), lambda: clash().forward(A, B)):
            with pytest.raises(ShapeError, match=r"Graph > sum \(Add\): expected inputs of one shape") as caught:
                run()
            assert "'l' of shape" in "".join(caught.value.__notes__)
            assert "sum reads" in "".join(caught.value.__notes__)

    def test_a_layer_with_the_wrong_number_of_outputs(self):
        net = Graph("x", (Split(3), "x", ("a", "b")))
        with pytest.raises(
            GraphError, match=r"split1 \(Split\): returned 3 outputs; the graph has names for \('a', 'b'\)"
        ):
            net.forward(np.ones((2, 6), np.float32))

    def test_replace(self):
        net = two_towers()
        net.forward(A, B, Y)
        left = net.params["left.W"].data.copy()
        net.replace("fc", Affine(5))
        net.replace("side", Affine(5))
        np.testing.assert_array_equal(net.params["left.W"].data, left)
        assert net.forward(A, B)[0].shape == (4, 5)
        assert net.forward(A, B, np.full(4, 4)) > 0
        with pytest.raises(ShapeError):
            net.replace("left", Affine(9))
        assert net.forward(A, B)[0].shape == (4, 5)
        with pytest.raises(KeyError, match="no layer is called 'pool'"):
            net.replace("pool", ReLU())

    def test_dtype_and_integers(self):
        net = two_towers().astype(np.float64)
        assert net.forward(A, B)[0].dtype == np.float64
        labels = Y.astype(np.uint8)
        assert net.forward(A, B, labels) == net.forward(A, B, Y)

    def test_fit(self):
        X = rng.normal(size=(90, 6)).astype(np.float32)
        y = X[:, :3].argmax(1)
        net = Graph(
            ("x", "y"),
            (Affine(16), "x", "a"),
            (BatchNorm(), "a", "n"),
            (ReLU(), "n", "h"),
            (Concat(), ("x", "h"), "both"),
            (Affine(3), "both", "scores"),
            (SoftmaxCrossEntropy(), ("scores", "y"), "loss"),
        )
        history = SGD(net, lr=0.1, momentum=0.9).fit((X, y), (X, y), epochs=30, batch_size=10, progress=False)
        assert net.evaluate(X, y).accuracy > 0.97
        assert history.losses[-1] < 0.2

    def test_predict_leaves_a_pending_backward_alone(self):
        one = Graph(("x", "y"), (Affine(3), "x", "s"), (SoftmaxCrossEntropy(), ("s", "y"), "l"))
        one.forward(A, Y)
        pending = one.blobs
        probabilities = one.predict(B[:, :5])
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
        assert one.blobs is pending
        one.backward()

    def test_an_autoencoder_predicts_what_its_loss_reads(self):
        net = Graph(
            "x", (Affine(2), "x", "code"), (Affine(5), "code", "again"), (EuclideanLoss(), ("again", "x"), "loss")
        )
        assert isinstance(net.forward(A), float)
        net.backward()
        assert net.params["affine1.W"].grad.any()
        assert net.predict(A).shape == A.shape

    def test_predict_frees_blobs_on_the_way(self):
        class Fresh(Layer):
            def forward(self, x):
                return x + 1

        X = rng.normal(size=(1000, 1000)).astype(np.float32)
        peaks = []
        for count in (3, 30):
            nodes = [(Fresh(), f"b{i}", f"b{i + 1}") for i in range(count)]
            net = Graph(("b0", "t"), *nodes, (SoftmaxCrossEntropy(), (f"b{count}", "t"), "l"))
            net.predict(X[:2])
            tracemalloc.start()
            net.predict(X)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 2e6  # of 27 more blobs of 4 MB, one after the other
