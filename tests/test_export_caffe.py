"""Layers with Caffe's conventions as plain NumPy."""

import inspect

import numpy as np
import pytest
from exported import export
from test_export import IMAGES, ROWS, largest, samples, shaken

from handbrew.layers import Affine, Bias, Conv2D, Flatten, GlobalAvgPool2D, Layer, Loss, ReLU, Scale, Sigmoid
from handbrew.nets import Graph, Sequential, caffe, export_numpy
from handbrew.nets.caffe import (
    CaffeArgMax,
    CaffeBatchNorm,
    CaffeConcat,
    CaffeEuclideanLoss,
    CaffeHingeLoss,
    CaffeReduction,
    CaffeReshape,
    CaffeSlice,
    CaffeSoftmaxLoss,
    CaffeSplit,
    InnerProduct,
    Parameter,
    Silence,
    StopGradient,
)

LAYERS = [
    (CaffeBatchNorm(), IMAGES), (CaffeBatchNorm(eps=0.1, use_global_stats=True), ROWS),
    (InnerProduct(3), IMAGES), (InnerProduct(3, 2, bias=False), IMAGES), (InnerProduct(3, -1, True), IMAGES),
    (CaffeReshape((0, -1)), IMAGES), (CaffeReshape((3, -1), 2, 2), IMAGES), (CaffeReshape((-1, 15)), IMAGES),
    (CaffeReshape((-1, 1), 1, 0), ROWS),
    (CaffeReduction("MEAN", 1, 2.0), IMAGES), (CaffeReduction("SUM", -1), IMAGES), (CaffeReduction("ASUM", 2), IMAGES),
    (CaffeReduction("SUMSQ", 1, 0.5), IMAGES),
    (CaffeArgMax(), IMAGES), (CaffeArgMax(2, True), IMAGES), (CaffeArgMax(2, axis=2), IMAGES),
    (CaffeArgMax(2, True, axis=-1), IMAGES), (CaffeArgMax(3, True), ROWS),
    (StopGradient(), ROWS), (CaffeSplit(1), ROWS), (CaffeSlice((), 1, 1), ROWS), (CaffeConcat(2), IMAGES),
]  # fmt: skip
IN_GRAPHS = {"CaffeSplit", "Silence", "Parameter", "CaffeEmbed", "CaffeConcat", "CaffeSlice"}
NOT_EXPORTED = {"BatchReindex", "CaffeAccuracy", "DummyData", "Filter", "Im2col"}


@pytest.mark.parametrize(("layer", "in_shape"), LAYERS, ids=lambda value: f"{value!r:.60}")
def test_layers(layer, in_shape, tmp_path):
    net = shaken(Sequential(layer), in_shape).eval()
    module = export(net, tmp_path)
    x = samples(net)
    y = module.forward(x)
    assert y.dtype == np.float32
    assert y.shape == net.forward(x).shape
    assert largest(y, net.forward(x)) < 2e-6
    assert module.forward(x[:0]).shape == net.forward(x[:0]).shape


def test_every_layer_is_here():
    tested = {type(layer).__name__ for layer, _ in LAYERS} | IN_GRAPHS | NOT_EXPORTED
    public = [getattr(caffe, name) for name in caffe.__all__]
    mine = {c.__name__ for c in public if inspect.isclass(c) and issubclass(c, Layer) and not issubclass(c, Loss)}
    assert mine == tested


def test_statistics_that_there_are_none_of_yet(tmp_path):
    net = Sequential(CaffeBatchNorm(eps=1.0))
    net.build(ROWS)
    x = samples(net)
    np.testing.assert_array_equal(export(net, tmp_path).forward(x), x)


def block():
    """A residual block as Caffe has it, with a second path that weighs the channels, and what only Caffe has."""
    return Graph(
        ("data", "label"),
        (Conv2D(4, 1).named("conv"), "data", "conv"),
        (CaffeBatchNorm().named("bn"), "conv", "bn"),
        (Scale(bias=True).named("scale"), "bn", "scaled"),
        (CaffeSplit(2).named("split"), "scaled", ("left", "right")),
        (GlobalAvgPool2D().named("pool"), "left", "pooled"),
        (Sigmoid().named("gate"), "pooled", "gates"),
        (Scale(0).named("weigh"), ("right", "gates"), "weighed"),
        (Parameter((4,)).named("p"), (), "p"),
        (Scale(1, bias=True).named("more"), ("weighed", "p"), "more"),
        (Parameter((4,)).named("q"), (), "q"),
        (Bias(1).named("shift"), ("more", "q"), "shifted"),
        (CaffeSlice((1, 3)).named("slice"), "shifted", ("s1", "s2", "s3")),
        (Silence().named("silence"), "s3", ()),
        (CaffeConcat(1).named("concat"), ("s2", "s1"), "joined"),
        (StopGradient().named("stop"), "joined", "stopped"),
        (CaffeConcat(1).named("both"), ("joined", "stopped"), "both"),
        (InnerProduct(3).named("ip"), "both", "ip"),
        (CaffeSoftmaxLoss().named("loss"), ("ip", "label"), "loss"),
        (caffe.CaffeAccuracy().named("accuracy"), ("ip", "label"), "accuracy"),
    )


def test_a_block_of_a_net(tmp_path):
    net = shaken(block(), IMAGES).eval()
    module = export(net, tmp_path)
    x, y = samples(net), np.array([0, 2, 1, 0, 1])
    assert largest(module.forward(x), net.forward(x)) < 2e-6
    np.testing.assert_allclose(module.predict(x), net.predict(x), atol=5e-6)
    assert module.loss(x, y) == pytest.approx(net.forward(x, y), rel=1e-6)
    module.backward()
    net.zero_grad()
    net.backward()
    assert {*module.G} == {*net.params}
    for name, p in net.params.items():
        np.testing.assert_allclose(module.G[name], p.grad, atol=2e-6 * np.abs(p.grad).max(), err_msg=name)


def test_copies_that_are_outputs(tmp_path):
    net = Graph(
        "x", (Affine(3), "x", "a"), (CaffeSplit(2), "a", ("b", "c")), (ReLU(), "b", "d"), outputs=("b", "c", "d")
    )
    module = export(shaken(net, ROWS), tmp_path)
    x = samples(net)
    dys = [np.full((5, 3), i, np.float32) for i in (1, 10, 100)]
    net.forward(x)
    module.forward(x)
    np.testing.assert_allclose(module.backward(*dys), net.backward(tuple(dys), input_grad=True), rtol=1e-5)


def test_words(tmp_path):
    net = Graph("words", (caffe.CaffeEmbed(5, 3), "words", "e"), (Flatten(), "e", "y"))
    net.build((2,))
    words = np.array([[0, 4], [1, 1]])
    np.testing.assert_array_equal(export(net, tmp_path).forward(words), net.forward(words))


LOSSES = [
    CaffeSoftmaxLoss(), CaffeSoftmaxLoss(ignore_label=1), CaffeSoftmaxLoss(1, 255, "FULL"),
    CaffeSoftmaxLoss(normalization="BATCH_SIZE"), CaffeSoftmaxLoss(-3, 0, "NONE"), CaffeSoftmaxLoss(2),
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_softmax_loss(loss, tmp_path):
    net = shaken(Sequential(Conv2D(6, 1), loss), IMAGES)
    module = export(net, tmp_path)
    x, rng = samples(net), np.random.default_rng(0)
    labels = rng.integers(6, size=(5, 6 if loss.axis == 2 else 6 * 5)).astype(np.float32)
    labels = rng.integers(6, size=(5, 6, 5)) if loss.axis == 2 else labels
    assert module.loss(x, labels) == pytest.approx(net.forward(x, labels), rel=1e-6)
    net.zero_grad()
    dx = net.backward(input_grad=True)
    np.testing.assert_allclose(module.backward(), dx, atol=1e-6 * np.abs(dx).max())
    np.testing.assert_allclose(module.predict(x), net.predict(x), atol=1e-6)


def test_labels_that_are_no_class(tmp_path):
    net = shaken(Sequential(Affine(3), CaffeSoftmaxLoss(ignore_label=9)), ROWS)
    module, x = export(net, tmp_path), samples(net)
    assert module.loss(x, [0.0, 1, 9, 2, 9]) == pytest.approx(net.forward(x, [0.0, 1, 9, 2, 9]), rel=1e-6)
    with pytest.raises(ValueError, match="expected labels from 0 to 2, got 3"):
        module.loss(x, [0.0, 1, 3, 2, 1])


def test_losses_that_are_as_large_as_caffe_lets_them_be(tmp_path):
    net = Sequential(ReLU(), CaffeSoftmaxLoss())
    net.build(ROWS)
    module = export(net, tmp_path)
    x = np.array([[0, 200, 0, 0]], np.float32)
    assert module.loss(x, [0]) == pytest.approx(net.forward(x, np.array([0]))) == pytest.approx(87.3365)


def test_other_losses(tmp_path):
    net = shaken(Sequential(Affine(3), CaffeEuclideanLoss()), ROWS)
    module, x = export(net, tmp_path), samples(net)
    assert module.loss(x, x[:, :3]) == pytest.approx(net.forward(x, x[:, :3]), rel=1e-6)
    assert module.loss(x, x[:, :3].reshape(5, 3, 1)) == module.loss(x, x[:, :3])  # as Caffe does
    with pytest.raises(ValueError, match="cannot reshape array of size 5"):
        module.loss(x, x[:, 0])
    net = shaken(Sequential(Affine(3), CaffeHingeLoss()), ROWS)
    np.testing.assert_allclose(export(net, tmp_path, backward=False).predict(x), net.predict(x), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [CaffeBatchNorm(use_global_stats=False), CaffeReduction(), CaffeReshape((2, -1)), CaffeArgMax(axis=0)],
    ids=repr,
)
def test_what_depends_on_the_batch_is_not_written(layer, tmp_path):
    net = Sequential(Affine(4), layer)
    net.build(ROWS) if not isinstance(layer, CaffeReshape) else net.forward(np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match="there is no plain function for"):
        export_numpy(net, tmp_path / "net.py")
