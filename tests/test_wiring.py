"""What a graph refuses, and the order it runs in."""

import pytest

from handbrew.layers import Add, Affine, EuclideanLoss, LayerReuseError, ReLU, Sigmoid, SoftmaxCrossEntropy, Tanh
from handbrew.nets import EmptyNetError, Graph, GraphError


def test_an_unknown_blob_is_named_with_the_layer_that_reads_it():
    with pytest.raises(GraphError, match=r"fc \(Affine\) reads the blob 'imag', .* did you mean 'image'\?"):
        Graph("image", (ReLU(), "image", "a"), (Affine(3).named("fc"), "imag", "y"))
    with pytest.raises(GraphError, match="there are 'x', 'y'"):
        Graph("x", (ReLU(), "other", "y"))


def test_two_producers_of_a_blob_are_named():
    with pytest.raises(GraphError, match="the blob 'y' has two producers, relu1 and tanh1"):
        Graph("x", (ReLU(), "x", "y"), (Tanh(), "x", "y"))
    with pytest.raises(GraphError, match="'x' has two producers, an input of the graph and relu1"):
        Graph("x", (ReLU(), "x", "x"))


def test_a_circle_is_shown_blob_by_blob():
    with pytest.raises(GraphError) as caught:
        Graph(
            "x",
            (Tanh().named("before"), "x", "p"),
            (Add().named("sum"), ("p", "c"), "a"),
            (ReLU().named("one"), "a", "b"),
            (ReLU().named("two"), "b", "c"),
            (ReLU().named("after"), "c", "d"),
        )
    assert str(caught.value) in {
        "Graph: its blobs run in a circle: sum -> 'a' -> one -> 'b' -> two -> 'c' -> sum",
        "Graph: its blobs run in a circle: one -> 'b' -> two -> 'c' -> sum -> 'a' -> one",
        "Graph: its blobs run in a circle: two -> 'c' -> sum -> 'a' -> one -> 'b' -> two",
    }


def test_a_layer_that_reads_what_it_makes_is_a_circle():
    with pytest.raises(GraphError, match="circle: sum -> 'a' -> sum"):
        Graph("x", (Add().named("sum"), ("x", "a"), "a"))


@pytest.mark.parametrize("name", ["", "a.b", "two words", 3, "line\n"])
def test_names_of_blobs_are_words(name):
    with pytest.raises(GraphError, match="what relu1 makes: expected names of blobs, words without dots"):
        Graph("x", (ReLU(), "x", (name,)))


def test_names_as_caffe_has_them_are_fine():
    net = Graph("data", (Affine(3).named("inception_3a/1x1"), "data", "inception_3a/1x1"))
    net.build((4,))
    assert [*net.params] == ["inception_3a/1x1.W", "inception_3a/1x1.b"]


def test_what_is_no_node_is_refused():
    with pytest.raises(GraphError, match=r"expected nodes \(layer, its input, its output\).* in place 0"):
        Graph("x", ReLU())
    with pytest.raises(TypeError, match=r"Graph: expected layers, got <class .* write it with parentheses"):
        Graph("x", (ReLU, "x", "y"))
    with pytest.raises(EmptyNetError):
        Graph("x")
    with pytest.raises(GraphError, match="an input is named twice: x, x"):
        Graph(("x", "x"), (ReLU(), "x", "y"))
    with pytest.raises(ValueError, match="two layers are called fc"):
        Graph("x", (ReLU().named("fc"), "x", "y"), (ReLU().named("fc"), "y", "z"))
    with pytest.raises(ValueError, match="a seed that is an integer"):
        Graph("x", (ReLU(), "x", "y"), seed=-1)


def test_one_layer_in_two_places_is_refused():
    layer = ReLU()
    with pytest.raises(LayerReuseError):
        Graph("x", (layer, "x", "y"), (layer, "y", "z"))


def test_nodes_run_after_what_they_read_and_else_as_they_were_given():
    net = Graph(
        "x",
        (ReLU().named("last"), "c", "d"),
        (ReLU().named("b2"), "a", "b2"),
        (ReLU().named("b1"), "a", "b1"),
        (Add().named("sum"), ("b1", "b2"), "c"),
        (ReLU().named("first"), "x", "a"),
    )
    assert [node.name for node in net.nodes] == ["first", "b2", "b1", "sum", "last"]


def test_a_long_graph_given_backwards_is_sorted_at_once():
    nodes = [(ReLU(), f"b{i}", f"b{i + 1}") for i in range(3000)]
    net = Graph("b0", *reversed(nodes))
    assert [node.outputs[0] for node in net.nodes] == [f"b{i + 1}" for i in range(3000)]


def test_targets_are_what_losses_read_and_nobody_in_first_place():
    def net(*nodes):
        return Graph(("x", "y"), (Affine(3), "x", "s"), *nodes)

    assert net((SoftmaxCrossEntropy(), ("s", "y"), "loss")).targets == ("y",)
    assert net((EuclideanLoss(), ("s", "y"), "loss"), (ReLU(), "y", "z")).targets == ()
    assert net((Add(), ("s", "y"), "z")).targets == ()
    autoencoder = Graph(
        "x", (Affine(3), "x", "code"), (Affine(4), "code", "again"), (EuclideanLoss(), ("again", "x"), "l")
    )
    assert autoencoder.targets == ()


def test_weights_of_losses():
    nodes = (
        (Affine(3), "x", "s"),
        (Sigmoid(), "s", "p"),
        (SoftmaxCrossEntropy().named("side"), ("s", "y"), "loss1"),
        (SoftmaxCrossEntropy().named("main"), ("p", "y"), "loss2"),
    )
    assert Graph(("x", "y"), *nodes).loss_weights == {"loss1": 1.0, "loss2": 1.0}
    assert Graph(("x", "y"), *_anew(nodes)).loss.where.endswith("SoftmaxCrossEntropy")
    net = Graph(("x", "y"), *_anew(nodes), loss_weights={"loss1": 2, "loss2": 0, "p": -0.5})
    assert net.loss_weights == {"loss1": 2.0, "p": -0.5}
    assert net.loss is net.children["side"]
    with pytest.raises(GraphError, match="loss_weights: no layer makes the blob 'loss3'"):
        Graph(("x", "y"), *_anew(nodes), loss_weights={"loss3": 1})
    with pytest.raises(GraphError, match="outputs: expected blobs of the graph"):
        Graph(("x", "y"), *_anew(nodes), outputs="q")


def _anew(nodes):
    return [
        (type(layer)(*layer._arguments.args).named(layer._name or f"l{i}"), *wires)
        for i, (layer, *wires) in enumerate(nodes)
    ]
