"""``save_caffe(…, deploy=True)``: a net as it is put to use."""

import numpy as np
import pytest

from handbrew.layers import (
    Affine,
    ArgMax,
    Conv2D,
    EuclideanLoss,
    Flatten,
    ReLU,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)
from handbrew.nets import Graph, Sequential
from handbrew.nets.caffe import CaffeAccuracy, CaffeContrastiveLoss, CaffeSoftmaxLoss, load_caffe, read_net, save_caffe

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def deployed(net, folder):
    """The prototxt's layers, and the net that comes back."""
    paths = folder / "deploy.prototxt", folder / "net.caffemodel"
    save_caffe(net, *paths, deploy=True)
    return [(layer.name, layer.type, *layer.top) for layer in read_net(paths[0]).layer], load_caffe(*paths)


def test_a_chain(tmp_path):
    net = Sequential(Conv2D(4, 3), ReLU(), Flatten(), Affine(3).named("scores"), SoftmaxCrossEntropy(), seed=1)
    net.build((2, 5, 5))
    layers, back = deployed(net, tmp_path)
    assert layers[0] == ("data", "Input", "data")
    assert [kind for _, kind, _ in layers] == ["Input", "Convolution", "ReLU", "InnerProduct", "Softmax"]
    assert layers[-1] == ("prob", "Softmax", "prob")
    assert (back.inputs, back.outputs) == (("data",), ("prob",))
    X = random(4, 2, 5, 5)
    np.testing.assert_allclose(back.forward(X), net.predict(X), atol=1e-6)


def two_heads(**options):
    return Graph(
        ("data", "label"),
        (Affine(5).named("fc"), "data", "fc"),
        (Affine(3).named("aux"), "fc", "aux"),
        (CaffeSoftmaxLoss().named("loss1"), ("aux", "label"), "loss1"),
        (Affine(3).named("main"), "fc", "main"),
        (CaffeSoftmaxLoss(**options).named("loss2"), ("main", "label"), ("loss2", "p") if options else "loss2"),
        (CaffeAccuracy().named("accuracy"), ("main", "label"), "accuracy"),
        loss_weights={"loss1": 0.3},
    )


def test_what_only_another_loss_or_an_accuracy_needs_is_left_out(tmp_path):
    net = two_heads()
    net.build((4,))
    layers, back = deployed(net, tmp_path)
    assert [name for name, *_ in layers] == ["data", "fc", "main", "prob"]
    np.testing.assert_allclose(back.forward(X := random(5, 4)), net.predict(X), atol=1e-6)
    assert "loss_weight" not in (tmp_path / "deploy.prototxt").read_text()


def test_the_second_top_of_a_loss_keeps_its_name(tmp_path):
    net = two_heads(probabilities=True)
    net.build((4,))
    layers, back = deployed(net, tmp_path)
    assert layers[-1] == ("prob", "Softmax", "p")
    assert back.outputs == ("p",)


def test_probabilities_that_are_there_already(tmp_path):
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
    layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 } } }
    layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3
            weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
    layer { name: "soft" type: "Softmax" bottom: "fc" top: "soft" }
    layer { name: "accuracy" type: "Accuracy" bottom: "soft" bottom: "label" top: "accuracy" }
    """
    net = load_caffe(text)
    layers, back = deployed(net, tmp_path)
    assert [name for name, *_ in layers] == ["data", "fc", "soft"]
    np.testing.assert_allclose(back.forward(X := random(5, 4)), net.predict(X), atol=1e-6)


def test_other_outputs_and_names_that_are_taken(tmp_path):
    net = Graph(
        ("data", "label"),
        (Affine(3).named("prob"), "data", "prob"),
        (ArgMax(keepdims=True).named("best"), "prob", "best"),
        (SoftmaxCrossEntropy().named("loss"), ("prob", "label"), "loss"),
    )
    net.build((4,))
    layers, back = deployed(net, tmp_path)
    assert [name for name, *_ in layers] == ["data", "prob", "best", "loss/prob"]
    assert set(back.outputs) == {"best", "loss/prob"}


@pytest.mark.parametrize(("loss", "last"), [(SigmoidCrossEntropy(), "Sigmoid"), (EuclideanLoss(), "InnerProduct")])
def test_other_losses(loss, last, tmp_path):
    net = Sequential(Affine(3), loss)
    net.build((4,))
    layers, back = deployed(net, tmp_path)
    assert layers[-1][1] == last
    np.testing.assert_allclose(back.forward(X := random(5, 4)), net.predict(X), atol=1e-6)


def test_a_loss_of_two_blobs(tmp_path):
    first = Affine(2)
    net = Graph(
        ("left", "right", "same"),
        (first.named("a"), "left", "x1"),
        (first.tied().named("b"), "right", "x2"),
        (CaffeContrastiveLoss().named("loss"), ("x1", "x2", "same"), "loss"),
    )
    net.build(((4,), (4,)))
    _, back = deployed(net, tmp_path)
    assert (back.inputs, back.outputs) == (("left", "right"), ("x1", "x2"))


def test_an_accuracy_alone(tmp_path):
    nodes = (Affine(3).named("fc"), "data", "fc"), (CaffeAccuracy().named("accuracy"), ("fc", "label"), "accuracy")
    net = Graph(("data", "label"), *nodes)
    net.forward(random(2, 4), np.zeros(2, int))
    layers, back = deployed(net, tmp_path)
    assert ([name for name, *_ in layers], back.outputs) == (["data", "fc"], ("fc",))


def test_a_net_without_a_loss_is_as_it_is(tmp_path):
    net = load_caffe("""
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
    layer { name: "a" type: "TanH" bottom: "data" top: "a" }
    """)
    layers, _ = deployed(net, tmp_path)
    assert [name for name, *_ in layers] == ["data", "a"]
    deployed_text = (tmp_path / "deploy.prototxt").read_text()
    save_caffe(net, tmp_path / "deploy.prototxt")
    assert (tmp_path / "deploy.prototxt").read_text() == deployed_text


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("net.caffemodel", "net.prototxt"), r"net\.caffemodel: is no name for a prototxt"),
        (("net.caffemodel",), r"net\.caffemodel: is no name for a prototxt: save_caffe takes the prototxt, then"),
        (("net.H5", "net"), r"net\.H5: is no name for a prototxt"),
        (("net", "net.prototxt"), r"net\.prototxt: is no name for a caffemodel"),
    ],
)
def test_swapped_paths_are_refused(paths, said, tmp_path):
    net = Sequential(Affine(3))
    net.build((4,))
    with pytest.raises(ValueError, match=said):
        save_caffe(net, *[tmp_path / path for path in paths])
    assert not list(tmp_path.iterdir())
