"""A net as plain NumPy: equal outputs and gradients, no handbrew in it, and clear words where it cannot be done."""

import ast
import inspect
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from exported import export, load
from specimens import Noise

from handbrew import layers as hb
from handbrew.layers import (
    Add,
    Affine,
    BatchNorm,
    Concat,
    Conv2D,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    Loss,
    MaxPool2D,
    MaxUnpool2D,
    NotBuiltError,
    ReLU,
    Residual,
    Sigmoid,
    SoftmaxCrossEntropy,
    Split,
)
from handbrew.nets import Graph, Sequential, export_numpy, zoo
from handbrew.nets.export.sources import EVERY

IMAGES, ROWS = (2, 6, 5), (4,)
LAYERS = [
    (hb.Affine(3), ROWS), (hb.Affine(3, bias=False), (2, 4)),
    (hb.Conv2D(4, 3), IMAGES), (hb.Conv2D(4, (3, 2), (2, 1), (1, 0, 2, 1), (1, 2), 2, bias=False), IMAGES),
    (hb.Conv2D(2, 3, stride=2), IMAGES), (hb.Conv2D(4, 3, padding="same", groups=2), IMAGES),
    (hb.Conv1D(3, 3, 2, 1, 2), (2, 9)), (hb.Conv1D(2, 2, padding="same", groups=2), (2, 5)),
    (hb.ConvTranspose2D(4, 3, 2, 1, (1, 0), groups=2), IMAGES),
    (hb.ConvTranspose2D(3, 2, 3, dilation=2, bias=False), IMAGES),
    (hb.MaxPool2D(2), IMAGES), (hb.MaxPool2D(3, 2, 1, ceil_mode=True), IMAGES), (hb.MaxPool2D(2, 3), IMAGES),
    (hb.AvgPool2D(3, 2, 1, True), IMAGES), (hb.AvgPool2D(3, 2, (1, 0), True, False), IMAGES),
    (hb.AvgPool2D(2, (4, 3), 1), IMAGES), (hb.StochasticPool2D(2, 2, ceil_mode=True), IMAGES),
    (hb.GlobalAvgPool2D(), IMAGES), (hb.GlobalAvgPool2D(True), IMAGES),
    (hb.GlobalMaxPool2D(), IMAGES), (hb.GlobalMaxPool2D(True), IMAGES),
    (hb.SpatialPyramidPool(2), IMAGES), (hb.SpatialPyramidPool(2, True), (2, 7, 5)), (hb.SpatialPyramidPool(1), IMAGES),
    (hb.BatchNorm(), IMAGES), (hb.BatchNorm(eps=0.1, affine=False), ROWS), (hb.BatchNorm(frozen_statistics=True), ROWS),
    (hb.LayerNorm(), (3, 4)), (hb.LayerNorm(0.1, False), ROWS), (hb.RMSNorm(), (3, 4)), (hb.RMSNorm(0.1, False), ROWS),
    (hb.GroupNorm(2), (4, 3, 2)), (hb.GroupNorm(1, 0.1, False), (4,)),
    (hb.InstanceNorm(), IMAGES), (hb.InstanceNorm(affine=True), IMAGES),
    (hb.MVN(), IMAGES), (hb.MVN(True, False), IMAGES), (hb.MVN(True, eps=0.1, eps_inside=True), IMAGES),
    (hb.LRN(3, 0.5), (5, 2, 2)), (hb.LRN(4, 0.5, 0.5, 2.0, average=False), (5,)),
    (hb.LRN(3, 0.5, within_channel=True), IMAGES), (hb.LRN(2, 0.5, within_channel=True), IMAGES),
    (hb.Normalize(0.5, 2.0), IMAGES), (hb.Normalize([0.5, 1], [2, 3]), IMAGES), (hb.Normalize([0.5, 1], 2.0), IMAGES),
    (hb.Scale(), IMAGES), (hb.Scale(2, 2, bias=True), IMAGES), (hb.Scale(num_axes=0, bias=True), ROWS),
    (hb.Scale(-1), IMAGES), (hb.Bias(), IMAGES), (hb.Bias(-2, -1), IMAGES),
    (hb.ReLU(), ROWS), (hb.ReLU(0.1), IMAGES), (hb.PReLU(), IMAGES), (hb.PReLU(shared=True), ROWS),
    (hb.ELU(0.5), ROWS), (hb.SELU(), ROWS), (hb.Sigmoid(), ROWS), (hb.Tanh(), ROWS), (hb.Softplus(), ROWS),
    (hb.SiLU(), ROWS), (hb.SiLU(1.5), ROWS), (hb.GELU(), ROWS), (hb.GELU("tanh"), ROWS),
    (hb.Softmax(), IMAGES), (hb.Softmax(-1), IMAGES), (hb.LogSoftmax(), ROWS), (hb.LogSoftmax(2), IMAGES),
    (hb.Abs(), ROWS), (hb.Power(2.5, 0.5, 1.0), ROWS), (hb.Power(0, 2), ROWS), (hb.Power(), ROWS),
    (hb.Exp(), ROWS), (hb.Exp(2.0, 0.5, 1.0), ROWS), (hb.Log(), ROWS), (hb.Log(10.0, 2.0, 1.0), ROWS),
    (hb.Clip(-0.5, 0.5), ROWS), (hb.Threshold(0.25), ROWS),
    (hb.Flatten(), IMAGES), (hb.Flatten(2), IMAGES), (hb.Reshape(0, -1), IMAGES), (hb.Transpose(2, 3, 1), IMAGES),
    (hb.Slice(-3, None, 2), IMAGES), (hb.Slice(0, 1), IMAGES), (hb.Crop(3, (1, 2)), IMAGES), (hb.Crop(2, 1, 3), IMAGES),
    (hb.Pad2D((1, 0, 2, 1), 0.5), IMAGES), (hb.Pad2D((1, 2), mode="reflect"), IMAGES),
    (hb.Pad2D(2, mode="replicate"), IMAGES), (hb.Tile(3), IMAGES), (hb.Tile(2, -1), IMAGES),
    (hb.Upsample2D(2), IMAGES), (hb.Upsample2D((1, 3), "bilinear"), IMAGES),
    (hb.Upsample2D(2, "bilinear", align_corners=True), IMAGES),
    (hb.Reduce(), IMAGES), (hb.Reduce("mean", 2, 3.0), IMAGES), (hb.Reduce("abs_sum", -1), IMAGES),
    (hb.Reduce("square_sum"), IMAGES), (hb.Reduce("mean"), ROWS),
    (hb.Dropout(), ROWS), (hb.Dropout2D(), IMAGES), (hb.RandomCrop(1), IMAGES), (hb.RandomFlip(), IMAGES),
    (hb.Residual(hb.Affine(4)), ROWS), (hb.Residual(hb.ReLU(), hb.Affine(4)), ROWS),
    (hb.Branches(hb.Conv2D(2, 1), hb.MaxPool2D(1), hb.Dropout()), IMAGES),
    (hb.Branches(hb.Affine(4), hb.Tanh(), merge=hb.Multiply()), ROWS),
    (hb.Branches(hb.Affine(4), hb.Tanh(), hb.ReLU(), merge=hb.Maximum()), ROWS),
    (hb.Branches(hb.Affine(4), hb.Tanh(), merge=hb.Add([1, -2.5])), ROWS),
]  # fmt: skip
TESTED_IN_GRAPHS = {"ArgMax", "Embedding", "MaxUnpool2D", "Split", "Concat", "Multiply", "Maximum", "Add"}
LOSSES = [
    SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1), SoftmaxCrossEntropy(reduction="sum"),
    SoftmaxCrossEntropy(class_weight=[1, 2, 0.5], ignore_index=1), hb.MulticlassHinge(0.5), hb.OneVsRestHinge(),
    hb.OneVsRestHinge("L2", reduction="sum"), hb.SigmoidCrossEntropy(), hb.SigmoidCrossEntropy(2.0, "sum"),
    hb.MeanSquaredError(), hb.EuclideanLoss(), hb.MeanAbsoluteError("sum"), hb.Huber(0.5),
    hb.NegativeLogLikelihood(class_weight=[1, 2, 0.5]),
]  # fmt: skip


def shaken(net, in_shape):
    """A net, built, whose parameters and statistics are no initial values."""
    net.build(in_shape)
    rng = np.random.default_rng(1)
    for array in (*net.params.values(), *net.buffers.values()):
        array.data += 0.2 * np.abs(rng.normal(size=array.shape))
    return net


def samples(net, count=5):
    return np.abs(np.random.default_rng(2).normal(size=(count, *net.in_shape))).astype(np.float32)


def largest(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(("layer", "in_shape"), LAYERS, ids=lambda value: f"{value!r:.60}")
def test_layers(layer, in_shape, tmp_path):
    net = shaken(Sequential(layer), in_shape)
    module = export(net, tmp_path)
    x = samples(net)
    y = module.forward(x)
    assert y.dtype == np.float32
    assert y.shape == (5, *net.out_shape)
    assert largest(y, net.eval().forward(x)) < 2e-6
    assert module.forward(x[:0]).shape == (0, *net.out_shape)


def test_every_layer_is_here():
    """All that compute something by themselves, at inference."""
    tested = {type(part).__name__ for layer, _ in LAYERS for _, part in layer.walk()} | TESTED_IN_GRAPHS
    public = [getattr(hb, name) for name in hb.__all__]
    mine = {c.__name__ for c in public if isinstance(c, type) and issubclass(c, Layer) and not issubclass(c, Loss)}
    assert mine - tested == {"Layer"}


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses(loss, tmp_path):
    net = shaken(Sequential(Affine(3), hb.LogSoftmax(), loss), ROWS)
    module = export(net, tmp_path)
    x = samples(net)
    np.testing.assert_allclose(module.predict(x), net.predict(x), atol=1e-6)
    assert module.predict(x).dtype == np.float32


def test_losses_of_images(tmp_path):
    net = shaken(Sequential(Conv2D(3, 1), SoftmaxCrossEntropy(ignore_index=0)), IMAGES)
    export(net, tmp_path)
    export(shaken(Sequential(Conv2D(3, 1), Flatten(2), SoftmaxCrossEntropy(axis=-1)), IMAGES), tmp_path)


NETS = {
    "mlp": (1, 28, 28), "lenet": (1, 28, 28), "cifar10_quick": (3, 32, 32), "cifar10_full": (3, 32, 32),
    "vgg_small": (3, 32, 32), "resnet20": (3, 32, 32),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_the_ready_made_nets(name, tmp_path):
    net = getattr(zoo, name)(seed=1)
    net.build(NETS[name])
    x = np.random.default_rng(3).normal(size=(4, *NETS[name])).astype(np.float32)
    net.forward(x)  # moves the running statistics
    module = export(net, tmp_path)
    assert largest(module.forward(x), net.eval().forward(x)) < 2e-6
    np.testing.assert_allclose(module.predict(x), net.predict(x), atol=3e-6)
    exact = net.astype(np.float64)
    module.DTYPE = np.float64
    module.P.update({key: array.astype(np.float64) for key, array in module.P.items()})
    assert largest(module.forward(x), exact.eval().forward(x)) < 1e-12


# ---- graphs


def graph():
    """Two heads with a loss each, fan-out, twins, a branch that learns nothing, and names Python does not have."""
    shared = Affine(3)
    return Graph(
        ("image", "label", "other"),
        (Conv2D(4, 3).named("inception/3x3"), "image", "a/b"),
        (ReLU(), "a/b", "1x1"),
        (MaxPool2D(2, return_indices=True), "1x1", ("pooled", "places")),
        (MaxUnpool2D(2, output_size=(4, 3)), ("pooled", "places"), "large"),
        (Split(2), "large", ("left", "right")),
        (hb.Multiply(), ("left", "right"), "product"),
        (hb.Maximum(), ("left", "right"), "most"),
        (Concat(), ("product", "most", "product"), "joined"),
        (Add([1, 0.5]), ("joined", "joined"), "sum"),
        (GlobalAvgPool2D().named("forward"), "sum", "class"),
        (shared, "class", "scores"),
        (shared.tied(), "class", "again"),
        (Sequential(Affine(2), Dropout(), Sigmoid()).named("block"), "class", "aux"),
        (SoftmaxCrossEntropy(), ("scores", "label"), "loss"),
        (hb.MeanSquaredError(), ("aux", "other"), "loss2"),
        loss_weights={"loss2": 0.3},
    )  # fmt: skip


def test_a_graph(tmp_path):
    net = shaken(graph(), IMAGES)
    module = export(net, tmp_path)
    x = samples(net)
    found, expected = module.forward(x), net.eval().forward(x)
    assert len(found) == len(expected) == 3
    for y, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(y, e, atol=1e-6)
    np.testing.assert_allclose(module.predict(x), net.predict(x), atol=1e-6)
    label, other = np.array([0, 2, 1, 0, 1]), np.ones((5, 2), np.float32)
    assert module.loss(x, label, other) == pytest.approx(net.forward(x, label, other), rel=1e-6)
    net.zero_grad()
    net.backward()
    module.backward()
    for name, p in net.params.items():
        np.testing.assert_allclose(module.G[name], p.grad, atol=1e-6 * np.abs(p.grad).max(), err_msg=name)


def test_gradients_from_the_outputs_of_a_graph(tmp_path):
    net = shaken(graph(), IMAGES)
    module = export(net, tmp_path)
    x, rng = samples(net), np.random.default_rng(4)
    dys = tuple(rng.normal(size=y.shape).astype(np.float32) for y in net.eval().forward(x))
    net.zero_grad()
    dx = net.backward(dys, input_grad=True)
    module.forward(x)
    np.testing.assert_allclose(module.backward(*dys), dx, atol=1e-6 * np.abs(dx).max())


def test_several_inputs_without_a_loss(tmp_path):
    net = Graph(
        ("words", "x"),
        (Embedding(5, 3, bias=True), "words", "e"),
        (Affine(3), "x", "a"),
        (Flatten(), "e", "f"),
        (Concat(), ("f", "a"), "y"),
        (hb.ArgMax(), "y", "best"),
        outputs=("y", "best"),
    )  # fmt: skip
    net.build(((2,), (4,)))
    module = export(net, tmp_path)
    words, x = np.array([[0, 4], [1, 1]]), np.ones((2, 4), np.float32)
    for found, expected in zip(module.forward(words, x), net.forward(words, x), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(module.predict(words, x)) == 2
    with pytest.raises(ValueError, match="expected integers, got float32"):
        module.forward(words.astype(np.float32), x)


def test_a_graph_in_a_chain(tmp_path):
    inner = Graph("in", (Affine(3), "in", "a"), (ReLU(), "a", "b"), (Add(), ("a", "b"), "c"))
    export(shaken(Sequential(Affine(4), inner.named("inner"), Residual(Sequential(ReLU(), Affine(3)))), ROWS), tmp_path)


# ---- what stands in the file


def test_it_reads_well(tmp_path):
    net = Sequential(
        Conv2D(4, 3).named("conv1"), ReLU(), Residual(Sequential(BatchNorm(), ReLU())).named("block"),
        Dropout(), Flatten(), Affine(3).named("fc"), SoftmaxCrossEntropy(),
    )  # fmt: skip
    net.build(IMAGES)
    export_numpy(net, tmp_path / "net.py")
    text = (tmp_path / "net.py").read_text("utf-8")
    start = text.index("def forward")
    assert (
        text[start : text.index("def predict")].rstrip()
        == '''\
def forward(x):
    """(N, 2, 6, 5) -> (N, 3)."""
    x = check(x, (2, 6, 5), DTYPE)
    conv1 = conv2d(x, P["conv1.W"], P["conv1.b"])  # (N, 4, 4, 3)
    relu1 = relu(conv1)  # (N, 4, 4, 3)
    # block: Residual
    block_body_batchnorm1 = batch_norm(relu1, P["block.body.batchnorm1.mean"], P["block.body.batchnorm1.var"], \
P["block.body.batchnorm1.gamma"], P["block.body.batchnorm1.beta"])  # (N, 4, 4, 3)
    block_body_relu1 = relu(block_body_batchnorm1)  # (N, 4, 4, 3)
    block = add(block_body_relu1, relu1)  # (N, 4, 4, 3)
    flatten1 = reshape(block, shape=(48,))  # (N, 48)
    fc = affine(flatten1, P["fc.W"], P["fc.b"])  # (N, 3)
    return fc'''
    )
    functions = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert functions == {
        "check", "difference", "along", "affine", "windows", "conv2d", "batch_norm", "relu", "softmax", "reshape",
        "add", "forward", "predict", "self_test",
    }  # fmt: skip


def test_names_that_are_taken(tmp_path):
    names = ("relu", "affine", "P", "v", "lambda", "print", "forward", "TEST", "DTYPE", "G", "d")
    layers = [layer for name in names for layer in (Affine(3).named(name), ReLU())]
    export(shaken(Sequential(*layers, SoftmaxCrossEntropy()), ROWS), tmp_path)
    export(shaken(Sequential(*layers), ROWS), tmp_path, backward=False)


def test_names_are_no_code(tmp_path):
    names = ('x"]=print("no")#', "\\", "'" * 3, '"' * 3, "{x}", "ä/ö", "%s")
    chain = zip(names, ("in", *names), names, strict=False)
    nodes = [(Sequential(Affine(3), ReLU()).named(name), reads, makes) for name, reads, makes in chain]
    net = shaken(Graph(("in", 'tar"get'), *nodes, (SoftmaxCrossEntropy(), (names[-1], 'tar"get'), "loss")), ROWS)
    module = export(net, tmp_path)
    assert largest(module.forward(samples(net)), net.eval().forward(samples(net))) < 1e-6
    assert len(module.P) == 2 * len(names)


def test_options_that_are_infinite(tmp_path):
    export(shaken(Sequential(hb.Clip(-np.inf, 0.5), hb.Clip(-0.5, np.inf)), ROWS), tmp_path)


def test_scales_and_classes(tmp_path):
    net = shaken(Sequential(Affine(2), SoftmaxCrossEntropy()), ROWS)
    mean, deviation = [1.0, 2.0, 1e6, -3.0], [1.0, 2.0, 0.5, 0.25]
    module = export(net, tmp_path, scale=(mean, deviation), classes=("cat", 'a "dog"'))
    x = mean + np.random.default_rng(0).normal(size=(6, 4)) * deviation
    expected = net.predict(((x - mean) / deviation).astype(np.float32))
    np.testing.assert_allclose(module.predict(x), expected, atol=1e-6)
    assert module.classify(x) == [("cat", 'a "dog"')[i] for i in expected.argmax(axis=1)]


def test_quantities(tmp_path):
    net = shaken(Sequential(Affine(2), hb.MeanSquaredError()), ROWS)
    mean, deviation = np.array([10.0, -5.0]), np.array([2.0, 3.0])
    module = export(net, tmp_path, target_scale=(mean, deviation))
    x = samples(net)
    y = net.predict(x)
    np.testing.assert_allclose(module.predict(x), y * deviation + mean, rtol=1e-6)
    assert module.loss(x, y * deviation + mean) == pytest.approx(0, abs=1e-10)


def test_float64(tmp_path):
    net = shaken(Sequential(Affine(3).astype(np.float64), ReLU()), ROWS)
    module = export(net.astype(np.float64), tmp_path)
    x = samples(net).astype(np.float64)
    assert module.forward(x).dtype == np.float64
    assert largest(module.forward(x), net.forward(x)) < 1e-14


# ---- the file as a program


@pytest.fixture
def program(tmp_path):
    net = shaken(zoo.mlp((5,), 3), (4,))
    export_numpy(net, tmp_path / "net.py", backward=True)
    return tmp_path / "net.py"


def run(path, code=None):
    """Run it where handbrew cannot be imported."""
    code = code or f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    code = f"import sys; sys.modules['handbrew'] = None; sys.path.insert(0, {str(path.parent)!r}); {code}"
    return subprocess.run([sys.executable, "-W", "error", "-I", "-c", code], capture_output=True, text=True)


def test_the_self_test(program):
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("forward: differs by ")
    assert [line.partition(":")[0] for line in lines] == [
        "forward", "loss", "dx 0", "d affine1.W", "d affine1.b", "d affine2.W", "d affine2.b",
    ]  # fmt: skip
    assert all(float(re.search(r"by (\S+) of", line)[1]) < 1e-12 for line in lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x @ W + b", "x @ W - b"), ("dy * (x > 0)", "dy * (x < 0)"), ("rows.T @ drows", "2 * rows.T @ drows")],
)
def test_the_self_test_finds_errors(program, old, new):
    text = program.read_text("utf-8")
    assert old in text
    program.write_text(text.replace(old, new), "utf-8")
    assert run(program).returncode == 1


def test_changed_weights_are_found(program):
    with np.load(program.with_suffix(".npz"), allow_pickle=False) as file:
        arrays = dict(file)
    arrays["affine2.W"] = arrays["affine2.W"] * 1.001
    np.savez(program.with_suffix(".npz"), **arrays)
    assert run(program).returncode == 1


def test_it_is_imported_without_handbrew(program):
    code = "import net, numpy as np; print(net.predict(np.ones((2, 4))).shape, 'handbrew.nets' in sys.modules)"
    done = run(program, code)
    assert (done.stdout, done.stderr) == ("(2, 3) False\n", "")


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.ones(4), np.float64(1), np.ones((1, 1, 4)), [1.0, 2.0]])
def test_samples_of_another_shape(program, x):
    with pytest.raises(ValueError, match=r"expected samples of shape \(4,\), as an array \(N, …\), got one of shape"):
        load(program).forward(x)


def test_any_number_and_kind_of_samples(program):
    module = load(program)
    assert module.forward(np.zeros((0, 4))).shape == (0, 3)
    np.testing.assert_array_equal(module.forward([[1, 2, 3, 4]]), module.forward(np.array([[1, 2, 3, 4]], np.uint8)))


def test_the_self_test_leaves_the_module_as_it_was(program):
    module, x = load(program), np.ones((2, 4))
    before = module.predict(x)
    assert module.self_test()
    assert module.DTYPE is np.float32
    assert module.predict(x).dtype == np.float32
    np.testing.assert_array_equal(module.predict(x), before)
    del module.TEST["forward 0"]  # so that it breaks off
    with pytest.raises(KeyError):
        module.self_test()
    assert module.predict(x).dtype == np.float32


def test_backward_needs_a_loss_first(program, tmp_path):
    module, x, y = load(program), np.ones((2, 4)), np.array([0, 2])
    for first in (lambda: None, lambda: module.forward(x), lambda: [module.loss(x, y), module.forward(x)]):
        first()
        with pytest.raises(ValueError, match=r"call loss\(x, target\) first"):
            module.backward()
    assert module.backward(np.ones((2, 3))).shape == (2, 4)
    module = export(shaken(Sequential(Affine(3)), ROWS), tmp_path)
    with pytest.raises(ValueError, match=r"call forward\(x\) first"):
        module.backward(np.ones((2, 3)))


def test_names_for_types_are_there_where_they_are_used(program, tmp_path):
    assert "Pair" not in program.read_text("utf-8")
    export_numpy(shaken(Sequential(Conv2D(2, 3)), IMAGES), tmp_path / "conv.py")
    text = (tmp_path / "conv.py").read_text("utf-8")
    assert "\nPair = tuple\n" in text
    assert "Borders" not in text


def test_d_means_one_thing():
    """The namespace of the gradients, and no variable of a function's."""
    for function in EVERY:
        (definition,) = ast.parse(inspect.getsource(function)).body
        names = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
        assert "d" not in names | {a.arg for a in definition.args.args}, function.__name__


# ---- targets


TARGETS = [hb.MeanSquaredError(), hb.EuclideanLoss(), hb.MeanAbsoluteError(), hb.Huber(), hb.SigmoidCrossEntropy()]


@pytest.mark.parametrize("loss", TARGETS, ids=repr)
def test_a_target_is_never_broadcast(loss, tmp_path):
    net = shaken(Sequential(Affine(1), loss), ROWS)
    module, x, y = export(net, tmp_path), samples(net), np.linspace(0, 1, 5, dtype=np.float32)
    said = re.escape("expected a target of the scores' shape (5, 1), got (5,); pass target.reshape(5, 1)")
    with pytest.raises(ValueError, match=said):
        module.loss(x, y)
    with pytest.raises(ValueError, match=said):
        module.backward()
    with pytest.raises(ValueError, match=r"got \(5, 3\)$"):
        module.loss(x, np.ones((5, 3), np.float32))
    with pytest.raises(ValueError, match="expected numbers, got <U1"):
        module.loss(x, np.array([["a"]] * 5))
    assert module.loss(x, y.reshape(5, 1)) == pytest.approx(net.eval().forward(x, y.reshape(5, 1)), rel=1e-5)


CLASS_LOSSES = [
    SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1), SoftmaxCrossEntropy(ignore_index=-1),
    hb.NegativeLogLikelihood(), hb.MulticlassHinge(), hb.OneVsRestHinge(),
]  # fmt: skip


@pytest.mark.parametrize("loss", CLASS_LOSSES, ids=repr)
def test_labels_are_of_a_class(loss, tmp_path):
    net = shaken(Sequential(Affine(3), loss), ROWS)
    module, x = export(net, tmp_path), samples(net)
    for labels, said in [
        ([0, 1, 3, 2, 7], "expected labels from 0 to 2, got 3"),
        ([0, 1, -2, 2, 0], "expected labels from 0 to 2, got -2"),
        (["a", "b", "a", "b", "a"], "expected integers as labels, got <U1"),
        ([[0], [1], [2], [0], [1]], r"expected a label for each of the scores of shape \(5, 3\), got shape \(5, 1\)"),
    ]:
        with pytest.raises(ValueError, match=said):
            module.loss(x, labels)
    with pytest.raises(ValueError, match="expected"):
        module.loss(x, [0.0, 1.0, 2.0, 0.0, 1.0])
    labels = [0, 1, 2, 2, 0] if getattr(loss, "ignore_index", None) is None else [0, 1, 2, -1, 0]
    assert module.loss(x, labels) == pytest.approx(net.eval().forward(x, labels), rel=1e-5)


def test_labels_by_their_names(tmp_path):
    net = shaken(Sequential(Affine(3), SoftmaxCrossEntropy()), ROWS)
    module, x = export(net, tmp_path, classes=("cat", "dog", "eel")), samples(net)
    expected = net.eval().forward(x, [0, 2, 1, 1, 0])
    for names in (["cat", "eel", "dog", "dog", "cat"], np.array(["cat", "eel", "dog", "dog", "cat"], object)):
        assert module.loss(x, names) == pytest.approx(expected, rel=1e-5)
    assert module.loss(x, module.classify(x)) > 0
    with pytest.raises(ValueError, match="no such class: cow; there are cat, dog, eel"):
        module.loss(x, ["cat", "eel", "dog", "dog", "cow"])


@pytest.mark.parametrize("loss", [*CLASS_LOSSES[:4:2], SoftmaxCrossEntropy(reduction="sum")], ids=repr)
def test_no_loss_is_not_minus_zero(loss, tmp_path):
    net = Sequential(Affine(2, bias=False), loss)
    net.build((2,))
    net.params["affine1.W"].data[:] = [[200, 0], [0, 200]]
    module = export(net, tmp_path)
    assert repr(module.loss(np.eye(2), [0, 1])) == "0.0"


def test_pixels(tmp_path):
    net = shaken(Sequential(Conv2D(2, 3)), IMAGES)
    module = export(net, tmp_path, pixels=True)
    x = np.random.default_rng(0).integers(256, size=(3, *IMAGES)).astype(np.uint8)
    expected = net.predict((x / 255).astype(np.float32))
    np.testing.assert_allclose(module.forward(x), expected, rtol=1e-5)
    np.testing.assert_allclose(module.forward((x / 255).astype(np.float32)), expected, rtol=1e-5)
    assert module.forward.__doc__.splitlines() == [
        "(N, 2, 6, 5) -> (N, 2, 4, 3). Pixels are from 0 to 1; bytes (uint8) are divided by 255."
    ]


# ---- what cannot be exported


class Odd(Layer):
    """A layer of one's own."""

    def forward(self, x):
        return x


class OddLoss(hb.MeanSquaredError):
    """A loss of one's own."""

    def predict(self, scores):
        return scores + 1


def test_unknown_layers_are_listed_together(tmp_path):
    net = Sequential(Affine(4), Odd(), Residual(Sequential(Odd().named("inner"), ReLU())), Noise(), OddLoss())
    net.build(ROWS)
    with pytest.raises(ValueError) as error:
        export_numpy(net, tmp_path / "net.py", backward=True)
    assert str(error.value).splitlines() == [
        "Sequential: cannot be exported, since there is no plain function for",
        "  odd1 (Odd)",
        "  residual1.body.inner (Odd)",
        "  noise1 (Noise)",
        "  the loss, OddLoss(), with backward",
        "  OddLoss, by what its scores mean",
    ]
    assert not [*tmp_path.iterdir()]


def test_subclasses_are_not_taken_for_their_parents(tmp_path):
    class Doubled(ReLU):
        def forward(self, x):
            return 2 * super().forward(x)

    net = Sequential(Affine(4), Doubled())
    net.build(ROWS)
    with pytest.raises(ValueError, match=r"doubled1 \(Doubled\)"):
        export_numpy(net, tmp_path / "net.py")


def test_a_loss_that_is_not_known_keeps_only_backward_away(tmp_path):
    net = shaken(Sequential(Affine(3), hb.LogSoftmax(), hb.KLDivergence()), ROWS)
    module = export(net, tmp_path, backward=False)
    np.testing.assert_allclose(module.predict(samples(net)), net.predict(samples(net)), atol=1e-6)
    with pytest.raises(ValueError, match=r"the loss, KLDivergence\(\), with backward"):
        export_numpy(net, tmp_path / "net.py", backward=True)


def test_a_net_that_is_not_built(tmp_path):
    with pytest.raises(NotBuiltError, match="call build"):
        export_numpy(Sequential(Affine(3)), tmp_path / "net.py")


@pytest.mark.parametrize("name", ["net", "net.txt", "my-net.py", "2.py"])
def test_names_that_python_cannot_import(name, tmp_path):
    net = shaken(Sequential(Affine(3)), ROWS)
    with pytest.raises(ValueError, match=r"expected a name that Python can import, like net\.py"):
        export_numpy(net, tmp_path / name)


@pytest.mark.parametrize("name", ["numpy", "typing", "class", "sys", "pathlib", "handbrew", "None"])
def test_names_that_mean_something_else(name, tmp_path):
    net = shaken(Sequential(Affine(3)), ROWS)
    with pytest.raises(ValueError, match=rf"{name}\.py: .* that name .*; choose another, like net\.py"):
        export_numpy(net, tmp_path / f"{name}.py")
    assert not [*tmp_path.iterdir()]


def test_the_net_stays_as_it_was(tmp_path):
    net = shaken(Sequential(Affine(3), BatchNorm(), ReLU(), SoftmaxCrossEntropy()), ROWS)
    x = samples(net)
    net.params["affine1.W"].trainable = False
    before = net.state()
    net.forward(x, np.zeros(5, int))
    after = net.state()
    export(net, tmp_path)
    net.backward()
    assert net.training
    assert not net.params["affine1.W"].trainable
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, after[name])
    assert (before["batchnorm1.mean"] != after["batchnorm1.mean"]).any()


def test_no_warnings(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(shaken(Sequential(hb.Log(), hb.Power(0.5, 1, 20), SoftmaxCrossEntropy()), ROWS), tmp_path)
