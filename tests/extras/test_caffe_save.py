"""handbrew's nets as Caffe's files, read back."""

import numpy as np
import pytest

from handbrew import layers as L
from handbrew.nets import Graph, Sequential, caffe, zoo
from handbrew.nets.caffe import load_caffe, read_caffemodel, read_net, save_caffe

RNG = np.random.default_rng(0)
IMAGE, SEQUENCE, FLAT = (4, 6, 7), (3, 9), (8,)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def there_and_back(net, folder):
    save_caffe(net, folder / "net.prototxt", folder / "net.caffemodel")
    return load_caffe(folder / "net.prototxt", folder / "net.caffemodel")


def again_the_same(net, folder):
    """What was read is saved as files that, read and saved once more, are the same to the byte."""
    saved = []
    for _ in range(2):
        net = there_and_back(net, folder)
        saved.append([(folder / f"net.{ending}").read_bytes() for ending in ("prototxt", "caffemodel")])
    assert saved[0] == saved[1]


@pytest.mark.parametrize("name", ["cifar10_full", "cifar10_quick", "lenet", "mlp", "resnet20", "vgg_small"])
def test_the_zoo(name, tmp_path):
    net, shape = getattr(zoo, name)(seed=1), (1, 28, 28) if name == "lenet" else (3, 32, 32)
    X, y = random(4, *shape), RNG.integers(0, 10, 4)
    net.forward(X, y)  # so that there are statistics
    back = there_and_back(net, tmp_path)
    net.eval()
    exact = name in ("cifar10_full", "cifar10_quick", "lenet", "mlp")
    np.testing.assert_allclose(back.forward(X), net.forward(X), rtol=0 if exact else 1e-5, atol=0 if exact else 1e-4)
    np.testing.assert_allclose(back.predict(X), net.predict(X), atol=1e-5)
    # No loss is larger than 87.3 in Caffe: that of the untrained ResNet would be.
    net.params[[*net.params][-2]].data *= 0.01
    assert there_and_back(net, tmp_path).forward(X, y) == pytest.approx(net.forward(X, y), rel=1e-5)
    again_the_same(load_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel"), tmp_path)


LAYERS = [
    (L.Conv2D(6, 3), IMAGE),
    (L.Conv2D(6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2, bias=False), IMAGE),
    (L.Conv2D(6, 3, padding="same"), IMAGE),
    (L.Conv1D(4, 3, 2, 1, 2), SEQUENCE),
    (L.ConvTranspose2D(6, 3, 2, 1, groups=2), IMAGE),
    (L.MaxPool2D(2), IMAGE),
    (L.MaxPool2D(3, 2, 1, ceil_mode=True), IMAGE),
    (L.MaxPool2D((3, 2), (2, 1), (1, 0)), IMAGE),
    (L.AvgPool2D(3, 2, 1, ceil_mode=True), IMAGE),
    (L.AvgPool2D(2, count_include_pad=False), IMAGE),
    (L.GlobalAvgPool2D(), IMAGE),
    (L.GlobalAvgPool2D(keepdims=True), IMAGE),
    (L.GlobalMaxPool2D(), IMAGE),
    (L.SpatialPyramidPool(2), IMAGE),
    (L.SpatialPyramidPool(1, average=True), IMAGE),
    (L.LRN(3, 0.5, 0.6, 2), IMAGE),
    (L.LRN(3, 0.5, 0.6, average=False), IMAGE),
    (L.LRN(3, 0.5, 0.6, within_channel=True, average=False), IMAGE),
    (caffe.Im2col(3, 2, 1), IMAGE),
    (L.Affine(5), FLAT),
    (L.Affine(5, bias=False), SEQUENCE),
    (caffe.InnerProduct(5, -1), IMAGE),
    (caffe.InnerProduct(5, transpose=True), FLAT),
    (L.BatchNorm(), IMAGE),
    (L.BatchNorm(0.5, 1e-3, affine=False), FLAT),
    (L.BatchNorm(frozen_statistics=True), IMAGE),
    (caffe.CaffeBatchNorm(), IMAGE),
    (L.Scale(bias=True, weight_init=L.Normal(std=1.0)), IMAGE),
    (L.Scale(2, -1), IMAGE),
    (L.Bias(2, 1, L.Normal()), IMAGE),
    (L.MVN(), IMAGE),
    (L.MVN(across_channels=True, normalize_variance=False), IMAGE),
    (L.Dropout(0.3), IMAGE),
    (L.Flatten(), IMAGE),
    (L.Flatten(2), IMAGE),
    (L.Reshape(2, -1), IMAGE),
    (L.Reshape(0, -1), IMAGE),
    (caffe.CaffeReshape((2, -1), 1, 1), IMAGE),
    (L.Tile(3, 2), IMAGE),
    (L.Slice(1, 3), IMAGE),
    (L.Slice(0, 2, axis=2), IMAGE),
    (L.Slice(-2, None, axis=-1), IMAGE),
    (L.Slice(0, None), IMAGE),
    (L.Reduce("square_sum", 2, 0.5), IMAGE),
    (L.ArgMax(keepdims=True), IMAGE),
    (caffe.CaffeArgMax(2, True), IMAGE),
    (L.ReLU(), IMAGE),
    (L.ReLU(0.1), IMAGE),
    (L.PReLU(init=0.1), IMAGE),
    (L.PReLU(shared=True), IMAGE),
    (L.ELU(0.5), FLAT),
    (L.Sigmoid(), FLAT),
    (L.Tanh(), FLAT),
    (L.Softplus(), FLAT),
    (L.SiLU(2), FLAT),
    (L.Abs(), FLAT),
    (L.Power(2, 0.5, 1), FLAT),
    (L.Exp(2, 0.5, 1), FLAT),
    (L.Exp(), FLAT),
    (L.Clip(-0.5, 0.25), FLAT),
    (L.Threshold(0.1), FLAT),
    (L.Softmax(2), IMAGE),
    (L.Branches(L.Conv2D(2, 1), L.Sequential(L.ReLU()) if hasattr(L, "Sequential") else L.ReLU()), IMAGE),
    (L.Branches(L.Abs(), L.Tanh(), L.Tanh(), merge=L.Multiply()), IMAGE),
    (L.Residual(L.Conv2D(4, 3, padding=1)), IMAGE),
    (L.Residual(Sequential(L.Abs(), L.Conv2D(2, 1)), L.Conv2D(2, 1)), IMAGE),
    (Sequential(L.Abs(), Sequential(L.Tanh().named("deep"))), IMAGE),
    (Graph("x", (L.Abs(), "x", "a"), (L.Tanh(), "x", "b"), (L.Maximum(), ("a", "b"), "c")), IMAGE),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: repr(value)[:60])
def test_each_layer_comes_back(layer, shape, tmp_path):
    net = Sequential(layer)
    x = random(3, *shape)
    net.forward(x)
    for array in net.params.values():
        array.data = random(*array.shape)
    net.eval()
    expected = net.forward(x)
    back = there_and_back(net, tmp_path)
    np.testing.assert_allclose(back.forward(x), expected, rtol=1e-5, atol=1e-6)
    again_the_same(back, tmp_path)


LOSSES = [
    (L.SoftmaxCrossEntropy(), (3,)),
    (L.SoftmaxCrossEntropy(ignore_index=1), (3,)),
    (L.SoftmaxCrossEntropy(axis=2, reduction="sum"), (4, 3)),
    (caffe.CaffeSoftmaxLoss(2, 1, "FULL"), (4, 3)),
    (L.SigmoidCrossEntropy(), (3,)),
    (L.SigmoidCrossEntropy(reduction="sum"), (3,)),
    (caffe.CaffeSigmoidLoss(), (3,)),
    (L.EuclideanLoss(), (3,)),
    (caffe.CaffeEuclideanLoss(), (3,)),
    (L.OneVsRestHinge("L2"), (3,)),
    (caffe.CaffeHingeLoss(), (3,)),
    (caffe.CaffeMultinomialLoss(), (3,)),
]


@pytest.mark.parametrize(("loss", "shape"), LOSSES, ids=lambda value: repr(value)[:60])
def test_each_loss_comes_back(loss, shape, tmp_path):
    net = Sequential(L.Tanh(), L.Power(scale=0.4, shift=0.5), loss)
    x, y = random(5, *shape), RNG.integers(0, 3, (5, *shape[:-1]))
    if "Sigmoid" in repr(loss) or "Euclid" in repr(loss):
        y = RNG.integers(0, 2, (5, *shape)).astype(np.float32)
    expected = net.forward(x, y)
    net.backward(input_grad=True)
    back = there_and_back(net, tmp_path)
    assert back.forward(x, y) == pytest.approx(expected, rel=1e-5)
    dx = net.backward(input_grad=True)
    mine = back.backward(input_grad=True)
    mine = mine[0] if isinstance(mine, tuple) else mine  # of floating-point targets there is one too
    np.testing.assert_allclose(mine, dx, rtol=1e-5, atol=1e-7)


def test_a_siamese_net_with_several_losses_and_multipliers(tmp_path):
    shared = L.Affine(3, weight_init=L.CaffeXavier())
    net = Graph(
        ("a", "b", "same", "label"),
        (shared.named("f"), "a", "fa"),
        (shared.tied().named("g"), "b", "fb"),
        (caffe.StopGradient(), "fa", "still"),
        (L.Affine(4).named("scores"), "still", "s"),
        (caffe.CaffeAccuracy().named("accuracy"), ("s", "label"), "accuracy"),
        (caffe.CaffeContrastiveLoss(0.5).named("near"), ("fa", "fb", "same"), "near"),
        (L.SoftmaxCrossEntropy().named("loss"), ("s", "label"), "loss"),
        loss_weights={"near": 0.25, "fb": 0.5},
    )
    net.build(((5,), (5,)))
    net.params["f.W"].lr_mult, net.params["f.b"].decay_mult, net.params["scores.b"].trainable = 2, 0, False
    inputs = {"a": random(6, 5), "b": random(6, 5), "same": RNG.integers(0, 2, 6), "label": RNG.integers(0, 4, 6)}
    expected = net.forward(**inputs)
    net.backward()
    back = there_and_back(net, tmp_path)
    assert back.inputs == net.inputs
    assert back.loss_weights == net.loss_weights
    assert [*back.params] == [*net.params]
    assert back.forward(**inputs) == pytest.approx(expected, rel=1e-6)
    back.backward()
    for name, p in net.params.items():
        mine = back.params[name]
        np.testing.assert_allclose(mine.grad, p.grad, rtol=1e-4, atol=1e-6)
        assert (mine.decay_mult, mine.trainable) == (p.decay_mult, p.trainable)
        assert mine.lr_mult == p.lr_mult or not p.trainable
    again_the_same(back, tmp_path)


def test_batch_norm_goes_on_as_it_would_have(tmp_path):
    net = Sequential(L.Affine(4), L.BatchNorm(0.8), L.Affine(2))
    net.forward(random(9, 3))
    back = there_and_back(net, tmp_path).train()
    for _ in range(3):
        x = random(9, 3)
        np.testing.assert_allclose(back.forward(x), net.forward(x), rtol=1e-4, atol=1e-5)
    theirs = back.children["batchnorm1"]
    np.testing.assert_allclose(theirs.mean.data, net.layers[1].mean.data, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(theirs.var.data, net.layers[1].var.data, rtol=1e-5)


def test_twins_of_batch_norm_go_on_learning_together(tmp_path):
    first = L.BatchNorm()
    net = Sequential(first, L.Tanh(), first.tied())
    net.forward(random(9, 3))
    back = there_and_back(net, tmp_path)
    assert [*back.params] == ["batchnorm1/scale.W", "batchnorm1/scale.b"]
    assert len(back.buffers) == 6  # Caffe takes no names for them, so each has its own from now on
    x = random(9, 3)
    np.testing.assert_allclose(back.predict(x), net.predict(x), rtol=1e-5, atol=1e-6)


def test_initial_values_go_along(tmp_path):
    conv = L.Conv2D(20, 3, weight_init=L.He())
    net = Sequential(conv, L.ConvTranspose2D(60, 3), L.Flatten(), L.Affine(5, weight_init=L.CaffeXavier("fan_out")))
    net.build((10, 5, 5))
    save_caffe(net, tmp_path / "net.prototxt")
    back = load_caffe(tmp_path / "net.prototxt")
    for name in ("conv2d1.W", "convtranspose2d1.W", "affine1.W"):
        assert back.params[name].data.std() == pytest.approx(net.params[name].data.std(), rel=0.1)


def test_flatten_goes_into_the_inner_product(tmp_path):
    net = Sequential(L.Flatten(), L.Affine(3).named("fc"), L.ReLU(), L.Affine(2))
    net.build(IMAGE)
    save_caffe(net, tmp_path / "net.prototxt")
    layers = read_net(tmp_path / "net.prototxt").layer
    assert [layer.type for layer in layers] == ["Input", "InnerProduct", "ReLU", "InnerProduct"]
    assert list(layers[0].input_param.shape[0].dim) == [1, *IMAGE]
    assert layers[1].inner_product_param.axis == 1


def test_the_label_has_the_shape_that_the_loss_takes(tmp_path):
    for loss, shape in ((L.SoftmaxCrossEntropy(), (1, 6, 7)), (L.SigmoidCrossEntropy(), (1, 4, 6, 7))):
        net = Sequential(L.Conv2D(4, 1), loss)
        net.build(IMAGE)
        save_caffe(net, tmp_path / "net.prototxt")
        label = read_net(tmp_path / "net.prototxt").layer[1]
        assert tuple(label.input_param.shape[0].dim) == shape


def test_double_precision_stays_so(tmp_path):
    net = Sequential(L.Affine(3)).astype(np.float64)
    net.build(FLAT)
    save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    np.testing.assert_array_equal(
        read_caffemodel(tmp_path / "net.caffemodel")[0].blobs[0], net.params["affine1.W"].data.T
    )


def test_everything_that_caffe_does_not_have_is_listed_and_nothing_written(tmp_path):
    net = Sequential(
        L.Conv2D(4, 3, padding=(0, 1, 0, 1)).named("lopsided"),
        L.ConvTranspose2D(4, 3, 2, output_padding=1),
        L.AvgPool2D(3, 1, 1, count_include_pad=False),
        L.LRN(4),
        L.LRN(3, k=2, within_channel=True),
        L.GELU(),
        L.Residual(L.GroupNorm(2)),
        L.MVN(eps_inside=True),
        L.Crop(2),
        L.Flatten(),
        L.Affine(3),
        L.SoftmaxCrossEntropy(label_smoothing=0.1),
    )
    net.build((3, 8, 8))
    with pytest.raises(ValueError, match="Caffe has no layers for these") as caught:
        save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    said = str(caught.value).splitlines()
    names = ["lopsided", "convtranspose2d1", "avgpool2d1", "lrn1", "lrn2", "gelu1", "residual1/body", "mvn1", "crop1"]
    assert [line.split()[0] for line in said[1:]] == [*names, "softmaxcrossentropy1"]
    assert "GroupNorm" in said[7]
    assert not [*tmp_path.iterdir()]


def test_a_net_that_is_not_built(tmp_path):
    with pytest.raises(L.NotBuiltError, match="call build"):
        save_caffe(Sequential(L.Affine(3)), tmp_path / "net.prototxt")
