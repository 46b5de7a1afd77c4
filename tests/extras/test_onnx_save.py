"""Nets as ONNX models: the checker takes them, onnxruntime agrees, and they come back."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from handbrew.layers import (
    ELU,
    GELU,
    LRN,
    MVN,
    SELU,
    Abs,
    Add,
    Affine,
    ArgMax,
    AvgPool2D,
    BatchNorm,
    Bias,
    Branches,
    Clip,
    Concat,
    Contrastive,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Crop,
    Dropout,
    Dropout2D,
    Embedding,
    EuclideanLoss,
    Exp,
    Flatten,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GroupNorm,
    Huber,
    Infogain,
    InstanceNorm,
    KLDivergence,
    Layer,
    LayerNorm,
    Log,
    LogSoftmax,
    Maximum,
    MaxPool2D,
    MaxUnpool2D,
    MeanAbsoluteError,
    MeanSquaredError,
    MulticlassHinge,
    Multiply,
    NegativeLogLikelihood,
    Normalize,
    NotBuiltError,
    OneVsRestHinge,
    Pad2D,
    Power,
    PReLU,
    RandomCrop,
    RandomFlip,
    Reduce,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Scale,
    Sigmoid,
    SigmoidCrossEntropy,
    SiLU,
    Slice,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SpatialPyramidPool,
    Split,
    StochasticPool2D,
    Tanh,
    Threshold,
    Tile,
    Transpose,
    Triplet,
    Upsample2D,
)
from handbrew.nets import Graph, Sequential, cifar10_full, cifar10_quick, lenet, load_net, mlp, resnet20, vgg_small
from handbrew.nets.caffe import (
    BatchReindex,
    CaffeArgMax,
    CaffeBatchNorm,
    CaffeConcat,
    CaffeEmbed,
    CaffeReduction,
    CaffeReshape,
    CaffeSlice,
    CaffeSplit,
    InnerProduct,
    StopGradient,
)
from handbrew.nets.onnx import load_onnx, save_onnx

IMAGES, FEATURES = (4, 7, 9), (4,)
LAYERS = [
    *((layer, IMAGES) for layer in (
        Abs(), ArgMax(), ArgMax(2, keepdims=True), BatchNorm(), BatchNorm(affine=False), Bias(-1), Clip(-0.5, 0.5),
        AvgPool2D(3, 2), AvgPool2D(3, 2, 1), AvgPool2D(3, 2, 1, count_include_pad=False),
        AvgPool2D(3, 2, ceil_mode=True),
        AvgPool2D(2, 2, 1, ceil_mode=True), AvgPool2D((4, 3), (3, 2), (1, 1), ceil_mode=True),
        AvgPool2D(2, 2, 1, True, False),
        Conv2D(5, 3), Conv2D(6, (3, 2), (2, 1), (1, 2, 0, 1), (1, 2), 2, bias=False), ConvTranspose2D(5, 3, 2, 1, 1),
        ConvTranspose2D(6, (3, 2), (2, 3), (1, 0, 0, 1), (1, 2), (2, 1), 2, bias=False), Crop((3, 4), (1, 2)),
        Dropout(),
        Dropout2D(), ELU(0.7), Exp(2.0, 0.5, 0.1), Flatten(), Flatten(2), GELU(), GELU("tanh"), GlobalAvgPool2D(),
        GlobalAvgPool2D(keepdims=True), GlobalMaxPool2D(), GroupNorm(2), GroupNorm(2, affine=False), InstanceNorm(),
        InstanceNorm(affine=True), LRN(3, 0.1, 0.7, 1.2), LRN(4, 0.1, 0.7, 1.2, average=False),
        LRN(3, 0.1, within_channel=True), LRN(4, 0.1, within_channel=True, average=False), LayerNorm(),
        LayerNorm(affine=False), Log(10.0, 0.1, 3.0), LogSoftmax(), LogSoftmax(-1), MVN(), MVN(True, eps=1e-3),
        MVN(eps=1e-5, eps_inside=True), MVN(normalize_variance=False), MaxPool2D(2), MaxPool2D((3, 2), (2, 1), (1, 0)),
        MaxPool2D(2, 2, ceil_mode=True), MaxPool2D(2, 3, 1, ceil_mode=True), MaxPool2D(2, 3, ceil_mode=True),
        Normalize((0.1, 0.2, 0.3, 0.4), 2.0), Normalize(0.5, 0.25), PReLU(), PReLU(shared=True), Pad2D((1, 2), 0.5),
        Pad2D((1, 2, 3, 0), mode="replicate"), Pad2D(2, mode="reflect"), Power(2.0, 0.5, 1.0), Power(1.0, 0.5, 1.0),
        RMSNorm(), RMSNorm(affine=False), RandomCrop(2), RandomFlip(), ReLU(), ReLU(0.1), Reduce(),
        Reduce("mean", 2, 0.5),
        Reduce("abs_sum", -1), Reduce("square_sum", 2), Reshape(0, -1), Reshape(-1), Reshape(2, 2, -1), SELU(), Scale(),
        Scale(2, 2, bias=True), Scale(1, 0), Scale(1, -1, bias=True), SiLU(), SiLU(1.7), Sigmoid(), Slice(1, 3),
        Slice(-2, None, -1), Softmax(), Softmax(-2), Softplus(), SpatialPyramidPool(2),
        SpatialPyramidPool(2, average=True),
        Tanh(), Threshold(0.2), Tile(2), Tile(3, -1), Transpose(2, 3, 1), Upsample2D((2, 3)), Upsample2D(2, "bilinear"),
        Upsample2D((3, 2), "bilinear", align_corners=True), Residual(Conv2D(4, 3, padding=1)),
        Residual(Sequential(Conv2D(6, 3, padding=1), BatchNorm()), Conv2D(6, 1)),
        Branches(Conv2D(2, 1), Sequential(Conv2D(3, 3, padding=1), ReLU())),
        Branches(Conv2D(2, 1), Conv2D(2, 1), merge=Add()), Sequential(ReLU(), StochasticPool2D(2)),
        Sequential(ReLU(), StochasticPool2D(3, 2, 1, ceil_mode=True)),
    )),
    *((layer, FEATURES) for layer in (
        Affine(5), Affine(5, bias=False), BatchNorm(), PReLU(), GroupNorm(2), RMSNorm(), Normalize((1, 2, 3, 4), 1),
        MVN(across_channels=True), LRN(3), LRN(2), Reshape(2, 2), LayerNorm(),
    )),
    (Affine(5), (3, 4)), (Affine(5), (3, 2, 2, 4)), (Conv1D(5, 3, 2, (1, 0), 2), (4, 11)),
    (InstanceNorm(affine=True), (4, 5)),
    (LayerNorm(), (3, 4)),
]  # fmt: skip
LOSSES = [
    Contrastive(), EuclideanLoss(), Huber(), Infogain(np.eye(3)), KLDivergence(), MeanAbsoluteError(),
    MeanSquaredError(),
    MulticlassHinge(), NegativeLogLikelihood(), OneVsRestHinge(), SigmoidCrossEntropy(), SoftmaxCrossEntropy(),
    Triplet(),
]  # fmt: skip
GRAPHS = {
    "two inputs, two outputs": (
        lambda: Graph(
            ("a", "b"),
            (Affine(3), "a", "p"),
            (Affine(3), "b", "q"),
            (Multiply(), ("p", "q"), "r"),
            (Add((0.5, 2.0)), ("r", "p"), "s"),
            (Maximum(), ("s", "q", "p"), "t"),
            (Concat(), ("t", "s"), "u"),
            outputs=("u", "r"),
        ),
        ((4,), (5,)),
    ),
    "split": (lambda: Graph("x", (Split(points=(1, 3)), "x", ("a", "b", "c")), (Affine(2), "c", "d")), ((6,),)),
    "split evenly": (lambda: Graph("x", (Split(2), "x", ("a", "b")), (Multiply(), ("a", "b"), "c")), ((6,),)),
    "crop to": (lambda: Graph(("x", "y"), (Crop(), ("x", "y"), "z")), ((2, 5, 5), (2, 3, 4))),
    "scale by": (lambda: Graph(("x", "y"), (Scale(0), ("x", "y"), "z")), ((4, 5, 5), (4,))),
    "add to": (lambda: Graph(("x", "y"), (Bias(0), ("x", "y"), "z")), ((4, 5), ())),
    "unpool": (
        lambda: Graph(
            "x",
            (MaxPool2D(2, return_indices=True), "x", ("a", "i")),
            (MaxUnpool2D(2, output_size=(7, 9)), ("a", "i"), "y"),
        ),
        (IMAGES,),
    ),
    "an input as output": (lambda: Graph("x", (ReLU(), "x", "y"), outputs=("x", "y", "y")), ((4,),)),
}
ZOO = {
    lenet: (1, 28, 28),
    mlp: (1, 28, 28),
    cifar10_quick: (3, 32, 32),
    cifar10_full: (3, 32, 32),
    vgg_small: (3, 32, 32),
    resnet20: (3, 32, 32),
}


def several(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def stirred(net, shapes):
    """The net built, all its arrays being something else than what they start with."""
    net.build(shapes[0] if len(shapes) == 1 else shapes)
    rng = np.random.default_rng(1)
    for b in net.buffers.values():
        b.data = rng.uniform(0.5, 1.5, b.shape)
    for p in net.params.values():
        p.data = p.data + 0.1 * rng.standard_normal(p.shape)
    return net


def outputs_of(net, xs):
    return several(net.predict(xs[0]) if len(xs) == 1 else net.eval().forward(*xs))


def agree(found, wanted, tol=1e-5):
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * max(1.0, np.abs(b).max(initial=0)))


def run(path, xs):
    """What onnxruntime makes of it."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {given.name: x for given, x in zip(session.get_inputs(), xs, strict=True)})


def goes_out_and_back(net, path, *shapes, samples=3):
    xs = [np.random.default_rng(0).standard_normal((samples, *shape)).astype(np.float32) for shape in shapes]
    wanted = outputs_of(stirred(net, shapes), xs)
    save_onnx(net, path)
    agree(run(path, xs), wanted)
    back = load_onnx(path)
    agree(outputs_of(back, xs), wanted)
    assert all(y.dtype in (np.float32, np.int64) for y in outputs_of(back, xs))
    again = path.with_name("again.onnx")
    save_onnx(back, again)
    agree(outputs_of(load_onnx(again), xs), wanted)
    return back


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: repr(value)[:60])
def test_each_layer(layer, shape, tmp_path):
    goes_out_and_back(Sequential(layer), tmp_path / "net.onnx", shape)


@pytest.mark.parametrize("make", ZOO, ids=lambda make: make.__name__)
def test_each_ready_made_net(make, tmp_path):
    back = goes_out_and_back(make(seed=0), tmp_path / "net.onnx", ZOO[make])
    kinds = {type(layer).__name__ for layer in back.layers}
    assert not {kind for kind in kinds if kind.startswith("Onnx")} or make is cifar10_full  # LRN within channels


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_ends_in_what_predict_says(loss, tmp_path):
    goes_out_and_back(Sequential(Affine(3), loss), tmp_path / "net.onnx", (4,))


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name, tmp_path):
    make, shapes = GRAPHS[name]
    goes_out_and_back(make(), tmp_path / "net.onnx", *shapes)


def test_nets_in_nets(tmp_path):
    inner = Graph("x", (Affine(4), "x", "y"), (Add(), ("x", "y"), "z"))
    net = Sequential(Sequential(Affine(4), ReLU()), inner, Sequential(Affine(3), SoftmaxCrossEntropy()))
    goes_out_and_back(net, tmp_path / "net.onnx", (5,))


def test_tied_layers_share_an_initialiser(tmp_path):
    first = Affine(4)
    net = Graph("x", (first.named("a"), "x", "y"), (first.tied().named("b"), "y", "z"))
    goes_out_and_back(net, tmp_path / "net.onnx", (4,))
    assert len(onnx.load(tmp_path / "net.onnx").graph.initializer) == 2


def test_tokens(tmp_path):
    net = Sequential(Embedding(10, 4, bias=True), Affine(3))
    tokens = np.random.default_rng(0).integers(0, 10, (3, 5))
    net.build((5,))
    save_onnx(net, tmp_path / "net.onnx")
    agree(run(tmp_path / "net.onnx", [tokens]), [net.predict(tokens)])
    back = load_onnx(tmp_path / "net.onnx")
    assert isinstance(back.layers[0], Embedding)
    agree([back.predict(tokens)], [net.predict(tokens)])


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_the_batch_may_have_any_size(samples, tmp_path):
    goes_out_and_back(lenet(seed=0), tmp_path / "net.onnx", (1, 28, 28), samples=samples)


def test_float64(tmp_path):
    net = stirred(Sequential(Affine(5), BatchNorm(), Tanh(), Exp(2.0), Affine(3), SoftmaxCrossEntropy()), [(4,)])
    net.astype(np.float64)
    x = np.random.default_rng(0).standard_normal((3, 4))
    save_onnx(net, tmp_path / "net.onnx")
    assert {tensor.data_type for tensor in onnx.load(tmp_path / "net.onnx").graph.initializer} == {11}
    agree(ReferenceEvaluator(str(tmp_path / "net.onnx")).run(None, {"x": x}), [net.predict(x)], 1e-12)
    back = load_onnx(tmp_path / "net.onnx")
    assert back.dtype == np.float64
    agree([back.predict(x)], [net.predict(x)], 1e-12)


def test_a_precision_that_is_asked_for(tmp_path):
    net = stirred(Sequential(Conv2D(3, 3), Upsample2D(2)).astype(np.float64), [(2, 5, 5)])
    x = np.random.default_rng(0).standard_normal((2, 2, 5, 5))
    wanted = net.predict(x)
    save_onnx(net, tmp_path / "net.onnx", dtype=np.float32)
    agree(run(tmp_path / "net.onnx", [x.astype(np.float32)]), [wanted])
    assert net.dtype == np.float64
    np.testing.assert_array_equal(net.predict(x), wanted)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_scales_are_float32_in_every_precision(mode, tmp_path):
    net = Sequential(Upsample2D(2, mode)).astype(np.float64)
    net.build((2, 3, 4))
    save_onnx(net, tmp_path / "net.onnx")
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 4))
    agree([load_onnx(tmp_path / "net.onnx").predict(x)], [net.predict(x)], 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("by", ["sizes", "scales"])
def test_a_resize_to_sizes_that_are_worked_out(by, dtype, tmp_path):
    """As PyTorch writes interpolate: written again, it is what it was."""
    node = onnx.helper.make_node
    nodes = [
        node("Shape", ["x"], ["all"]),
        node("Slice", ["all", "zero", "two"], ["first"]),
        node("Concat", ["first", "hw"], ["sizes"], axis=0),
        node("Cast", ["sizes"], ["floats"], to=onnx.TensorProto.FLOAT),
        node("Cast", ["all"], ["before"], to=onnx.TensorProto.FLOAT),
        node("Div", ["floats", "before"], ["scales"]),
        node("Resize", ["x", "", "scales"] if by == "scales" else ["x", "", "", "sizes"], ["y"], mode="linear"),
    ]
    known = {"zero": np.array([0]), "two": np.array([2]), "hw": np.array([8, 6])}
    held = [onnx.numpy_helper.from_array(array, name) for name, array in known.items()]
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x, y = (onnx.helper.make_tensor_value_info(name, kind, ["N", 2, 4, 3]) for name in "xy")
    y.type.tensor_type.ClearField("shape")
    graph = onnx.helper.make_graph(nodes, "test", [x], [y], held)
    opsets = [onnx.helper.make_opsetid("", 21)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "net.onnx")
    net, image = load_onnx(tmp_path / "net.onnx"), np.random.default_rng(0).standard_normal((3, 2, 4, 3)).astype(dtype)
    wanted = net.predict(image)
    assert wanted.shape == (3, 2, 8, 6)
    save_onnx(net, tmp_path / "again.onnx")
    if dtype == np.float32:
        agree(run(tmp_path / "again.onnx", [image]), [wanted])
    agree([load_onnx(tmp_path / "again.onnx").predict(image)], [wanted])


def test_a_mode_does_not_matter(tmp_path):
    net = Sequential(BatchNorm(), Dropout()).train()
    goes_out_and_back(net, tmp_path / "net.onnx", (4,))
    assert net.training


@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(),
        SoftmaxCrossEntropy(class_weight=[1.0, 2.0, 3.0], ignore_index=1, reduction="sum"),
        NegativeLogLikelihood(),
        MeanSquaredError(),
        MeanSquaredError(reduction="sum"),
        MeanAbsoluteError(),
        EuclideanLoss(),
        EuclideanLoss(reduction="sum"),
    ],
    ids=repr,
)
def test_with_the_loss(loss, tmp_path):
    rng = np.random.default_rng(0)
    net, x = Sequential(Affine(3), loss), rng.standard_normal((6, 4)).astype(np.float32)
    labels = isinstance(loss, (SoftmaxCrossEntropy, NegativeLogLikelihood))
    target = rng.integers(0, 3, 6) if labels else rng.standard_normal((6, 3)).astype(np.float32)
    wanted = net.forward(x, target)
    save_onnx(net, tmp_path / "net.onnx", loss=True)
    np.testing.assert_allclose(run(tmp_path / "net.onnx", [x, target]), [wanted], rtol=1e-5)
    back = load_onnx(tmp_path / "net.onnx")
    np.testing.assert_allclose(back.forward(x, target), wanted, rtol=1e-5)
    assert repr(back.loss) == repr(loss)
    back.backward()
    net.backward()
    np.testing.assert_allclose(back.params["affine1_Gemm.W"].grad, net.params["affine1.W"].grad, rtol=1e-5)
    assert back.predict(x).shape == (6, 3)


def test_a_distance_that_others_wrote_is_no_loss(tmp_path):
    net = Sequential(Affine(3), MeanSquaredError())
    net.build((4,))
    save_onnx(net, tmp_path / "net.onnx", loss=True)
    model = onnx.load(tmp_path / "net.onnx")
    model.producer_name = "another"
    onnx.save(model, tmp_path / "net.onnx")
    assert load_onnx(tmp_path / "net.onnx").loss is None


@pytest.mark.parametrize("weights", [{}, {"first": 0.5}, {"first": 0.25, "second": 2.0, "a": 0.5}])
def test_with_several_losses_it_is_the_weighted_sum(weights, tmp_path):
    net = Graph(
        ("x", "label", "wanted"),
        (Affine(3), "x", "a"),
        (SoftmaxCrossEntropy(), ("a", "label"), "first"),
        (Affine(2), "a", "b"),
        (MeanSquaredError(), ("b", "wanted"), "second"),
        loss_weights=weights,
        seed=0,
    )
    rng = np.random.default_rng(0)
    x, label, wanted = rng.standard_normal((5, 4)), rng.integers(0, 3, 5), rng.standard_normal((5, 2))
    xs = x.astype(np.float32), label, wanted.astype(np.float32)
    loss = net.forward(*xs)
    save_onnx(net, tmp_path / "net.onnx", loss=True)
    agree(run(tmp_path / "net.onnx", xs), [np.float32(loss)])
    agree([np.float32(load_onnx(tmp_path / "net.onnx").forward(*xs))], [np.float32(loss)])


def ends_of(path):
    return [end.name for end in onnx.load(path).graph.output]


def test_outputs_are_called_as_blobs(tmp_path):
    path, loss = tmp_path / "net.onnx", Sequential(Affine(3), SoftmaxCrossEntropy())
    ends = (Tanh(), "a", "probs"), (Affine(3), "z", "emb"), (Add(), ("a", "z"), "sum")
    net = Graph(("x", "z"), (Affine(3), "x", "a"), *ends)
    goes_out_and_back(net, path, (3,), (3,))
    assert ends_of(path) == ["probs", "emb", "sum"]
    assert load_onnx(path).outputs == ("probs", "emb", "sum")
    goes_out_and_back(loss, path, (4,))
    assert ends_of(path) == ["output"]
    save_onnx(loss, path, loss=True)
    assert ends_of(path) == ["loss"]


def test_an_output_that_is_an_input(tmp_path):
    net = Graph(("x", "z"), (Add(), ("x", "z"), "y"), outputs=("x", "y", "y"))
    goes_out_and_back(net, tmp_path / "net.onnx", (3,), (3,))
    assert ends_of(tmp_path / "net.onnx") == ["x_2", "y", "y_2"]


class TestSizesThatWereOpen:
    """A model leaves sizes open, is read, and written again."""

    @pytest.fixture
    def path(self, tmp_path):
        net = Sequential(Conv2D(4, 3), ReLU(), GlobalAvgPool2D(), Affine(3))
        net.build((3, 8, 8))
        save_onnx(net, tmp_path / "net.onnx", in_shape=(3, None, None))
        return tmp_path / "net.onnx"

    @staticmethod
    def sizes(path):
        return [d.dim_param or d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]

    @pytest.mark.parametrize("used", [False, True])
    @pytest.mark.parametrize("saved", [False, True])
    def test_stay_open(self, saved, used, path, tmp_path):
        net = load_onnx(path)
        assert net.open_shape == (3, None, None)
        if used:
            net.predict(np.zeros((2, 3, 9, 7), np.float32))
        if saved:
            net.save(tmp_path / "net.safetensors")
            net = load_net(tmp_path / "net.safetensors")
        save_onnx(net, tmp_path / "again.onnx")
        assert self.sizes(tmp_path / "again.onnx") == ["batch", 3, "height", "width"]
        x = np.random.default_rng(0).standard_normal((2, 3, 6, 5)).astype(np.float32)
        agree(run(tmp_path / "again.onnx", [x]), [net.predict(x)])

    def test_unless_they_are_given(self, path, tmp_path):
        net = load_onnx(path)
        net.predict(np.zeros((2, 3, 9, 7), np.float32))
        save_onnx(net, tmp_path / "again.onnx", in_shape=(3, 9, 7))
        assert self.sizes(tmp_path / "again.onnx") == ["batch", 3, 9, 7]

    def test_tokens(self, tmp_path):
        node = onnx.helper.make_node
        nodes = [
            node("Gather", ["w", "ids"], ["e"]),
            node("ReduceMean", ["e", "axes"], ["p"], keepdims=0),
            node("Gemm", ["p", "W"], ["y"]),
        ]
        known = {"w": np.ones((20, 6), np.float32), "axes": np.array([1]), "W": np.ones((6, 3), np.float32)}
        held = [onnx.numpy_helper.from_array(array, name) for name, array in known.items()]
        ids = onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["N", "S"])
        y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
        graph = onnx.helper.make_graph(nodes, "test", [ids], [y], held)
        opsets = [onnx.helper.make_opsetid("", 21)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "net.onnx")
        save_onnx(load_onnx(tmp_path / "net.onnx"), tmp_path / "again.onnx")
        agree(run(tmp_path / "again.onnx", [np.ones((2, 5), np.int64)]), [np.full((2, 3), 6, np.float32)])

    def test_what_depends_on_them_is_told(self, tmp_path):
        node = onnx.helper.make_node
        places = onnx.numpy_helper.from_array(np.ones((1, 32, 4), np.float32), "places")
        x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", "S", 4])
        y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
        graph = onnx.helper.make_graph([node("Add", ["x", "places"], ["y"])], "test", [x], [y], [places])
        opsets = [onnx.helper.make_opsetid("", 21)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "net.onnx")
        net = load_onnx(tmp_path / "net.onnx")
        with pytest.raises(ValueError, match=r"pass in_shape=\(32, 4\)"):
            save_onnx(net, tmp_path / "again.onnx")
        save_onnx(net, tmp_path / "again.onnx", in_shape=(32, 4))
        assert self.sizes(tmp_path / "again.onnx") == ["batch", 32, 4]


class Custom(Layer):
    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


class Louder(ReLU):
    def forward(self, x):
        return 2 * super().forward(x)


def test_lists_all_layers_without_operators(tmp_path):
    net = Sequential(Affine(3), Custom().named("mine"), ReLU(), Residual(Louder()))
    with pytest.raises(TypeError) as caught:
        save_onnx(net, tmp_path / "net.onnx", (4,))
    assert "mine: Custom()" in str(caught.value)
    assert "residual1.body: Louder()" in str(caught.value)
    assert "Affine" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


def test_a_subclass_that_computes_the_same_is_written(tmp_path):
    class Named(ReLU):
        pass

    goes_out_and_back(Sequential(Named()), tmp_path / "net.onnx", (4,))


def test_a_loss_without_operator_is_told(tmp_path):
    with pytest.raises(TypeError, match="Huber"):
        save_onnx(Sequential(Affine(3), Huber()), tmp_path / "net.onnx", (4,), loss=True)


def test_needs_to_be_built(tmp_path):
    with pytest.raises(NotBuiltError):
        save_onnx(Sequential(Affine(3)), tmp_path / "net.onnx")
    save_onnx(Sequential(Affine(3)), tmp_path / "net.onnx", (4,))


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        save_onnx(Sequential(Affine(3)), path, (4,))
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


CAFFE = [
    (CaffeArgMax(), IMAGES), (CaffeArgMax(axis=2), IMAGES), (CaffeArgMax(axis=1, out_max_val=True), IMAGES),
    (Sequential(CaffeBatchNorm(), Scale(bias=True)), IMAGES), (CaffeReduction("MEAN", 1, 2.0), IMAGES),
    (CaffeReduction("ASUM", -1), IMAGES), (CaffeReduction("SUMSQ"), IMAGES), (CaffeReshape((0, 2, -1)), IMAGES),
    (InnerProduct(5), IMAGES), (InnerProduct(5, 2, transpose=True), IMAGES),
    (InnerProduct(3, transpose=True, bias=False), (4,)),
    (StopGradient(), (4,)), (CaffeEmbed(3, 4), (5,)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), CAFFE, ids=lambda value: repr(value)[:60])
def test_layers_of_caffe(layer, shape, tmp_path):
    x = np.random.default_rng(0).integers(0, 3, (3, *shape)).astype(np.float32)
    net = stirred(Sequential(layer), [shape])
    save_onnx(net, tmp_path / "net.onnx")
    agree(run(tmp_path / "net.onnx", [x]), [net.predict(x)])
    agree([load_onnx(tmp_path / "net.onnx").predict(x)], [net.predict(x)])


def test_graphs_of_caffe(tmp_path):
    net = Graph(
        ("x", "rows"),
        (CaffeSlice((1, 3)), "x", ("a", "b", "c")),
        (CaffeSlice(parts=2), "b", ("d", "e")),
        (CaffeSplit(2), "d", ("f", "g")),
        (CaffeConcat(), ("a", "f", "c", "g", "e"), "h"),
        (BatchReindex(), ("h", "rows"), "y"),
    )
    x = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    rows = np.array([2, 0, 0, 1], np.float32)
    net.build(((6,), ()))
    save_onnx(net, tmp_path / "net.onnx")
    agree(run(tmp_path / "net.onnx", [x, rows]), outputs_of(net, [x, rows]))
    agree(outputs_of(load_onnx(tmp_path / "net.onnx"), [x, rows]), outputs_of(net, [x, rows]))


def test_what_only_some_arguments_of_can_be_written(tmp_path):
    for layer in (CaffeArgMax(top_k=2), CaffeBatchNorm(use_global_stats=False), CaffeSlice((1, 2), axis=0)):
        net = Graph("x", (layer, "x", ("a", "b", "c") if isinstance(layer, CaffeSlice) else "a"))
        with pytest.raises(TypeError, match=type(layer).__name__):
            save_onnx(net, tmp_path / "net.onnx", (4,))


# ---- images of any size


FREE = [
    Sequential(Conv2D(4, 3, padding=1), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(2, 1)),
    Sequential(Conv2D(4, 3), GlobalAvgPool2D(), Affine(3), SoftmaxCrossEntropy()),
    Sequential(MaxPool2D(2, ceil_mode=True), MaxPool2D(3, 2, 1, ceil_mode=True), AvgPool2D(3, 2, 1, ceil_mode=True)),
    Sequential(AvgPool2D(3, 2, 1, ceil_mode=True, count_include_pad=False), AvgPool2D(2, ceil_mode=True)),
    Sequential(LRN(3), Upsample2D(2), ConvTranspose2D(2, 2, stride=2), Softmax(1)),
    Sequential(Slice(0, 2), MVN(), Branches(Conv2D(3, 1), ReLU()), Residual(Conv2D(5, 3, padding=1))),
]


@pytest.mark.parametrize("net", FREE, ids=lambda net: "-".join(type(layer).__name__ for layer in net.layers))
def test_images_of_any_size(net, tmp_path):
    stirred(net, [(3, 8, 12)])
    save_onnx(net, tmp_path / "net.onnx", in_shape=(3, None, None))
    for size in ((8, 12), (9, 13), (14, 7), (11, 11), (17, 30)):
        x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
        agree(run(tmp_path / "net.onnx", [x]), [net.predict(x)])
    names = [d.dim_param for d in onnx.load(tmp_path / "net.onnx").graph.input[0].type.tensor_type.shape.dim]
    assert names == ["batch", "", "height", "width"]
    x = np.ones((1, 3, 8, 12), np.float32)
    agree([load_onnx(tmp_path / "net.onnx").predict(x)], [net.predict(x)])


def test_a_reshape_of_any_size(tmp_path):
    net = Sequential(Conv2D(4, 3, padding=1), Reshape(0, -1), Tanh())
    net.build((2, 5, 5))
    save_onnx(net, tmp_path / "net.onnx", in_shape=(2, None, None))
    x = np.random.default_rng(0).standard_normal((3, 2, 6, 7)).astype(np.float32)
    agree(run(tmp_path / "net.onnx", [x]), [net.predict(x)])


def test_one_open_size(tmp_path):
    net = stirred(Sequential(Conv2D(2, 3)), [(3, 8, 12)])
    save_onnx(net, tmp_path / "net.onnx", in_shape=(3, 8, None))
    x = np.ones((1, 3, 8, 15), np.float32)
    agree(run(tmp_path / "net.onnx", [x]), [net.predict(x)])


def test_two_inputs_of_any_size(tmp_path):
    net = Graph(("a", "b"), (Conv2D(3, 1), "a", "c"), (Add(), ("c", "b"), "d"))
    net.build(((3, 4, 4), (3, 4, 4)))
    save_onnx(net, tmp_path / "net.onnx", in_shape=((3, None, None), (3, None, None)))
    xs = [np.ones((1, 3, 6, 5), np.float32)] * 2
    agree(run(tmp_path / "net.onnx", xs), [net.forward(*xs)])


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (Sequential(Flatten(), Affine(3).named("fc")), "is no net for samples of any size: .*fc"),
        (Sequential(ReLU(), Reshape(3, 96).named("rows")), "rows depends on the size|is no net for samples of any"),
        (Sequential(ReLU(), Slice(0, -2, axis=3), SpatialPyramidPool(2).named("spp")), "spp depends on the size"),
        (Graph("x", (Split(2, axis=2).named("halves"), "x", ("a", "b"))), "halves depends on the size"),
    ],
)
def test_layers_that_depend_on_the_size(net, said, tmp_path):
    net.build((3, 8, 12))
    with pytest.raises(ValueError, match=said):
        save_onnx(net, tmp_path / "net.onnx", in_shape=(3, None, None))
    assert not list(tmp_path.iterdir())


def test_open_sizes_that_cannot_be(tmp_path):
    net, path = (
        Sequential(MaxPool2D(2, 3, 1, ceil_mode=True).named("pool"), SoftmaxCrossEntropy(1)),
        tmp_path / "a.onnx",
    )
    with pytest.raises(NotBuiltError, match="not built"):
        save_onnx(net, path, in_shape=(3, None, None))
    net.build((3, 8, 12))
    with pytest.raises(TypeError, match=r"pool: MaxPool2D.*, for images of any size"):
        save_onnx(net, path, in_shape=(3, None, None))
    net = Sequential(ReLU(), SoftmaxCrossEntropy(1))
    net.build((3, 8, 12))
    with pytest.raises(ValueError, match=r"expected \(3, 8, 12\) with None for each size left open, got \(1, None"):
        save_onnx(net, path, in_shape=(1, None, None))
    with pytest.raises(ValueError, match="with loss=True no size can be left open"):
        save_onnx(net, path, in_shape=(3, None, None), loss=True)
