"""Caffe's nets as graphs: wiring, phases, parameters, errors."""

import numpy as np
import pytest
from caffe_text import Doubled, conv, dense, entry, layer, random

from handbrew.data import FileFormatError
from handbrew.layers import Affine, Conv1D, Conv2D, Flatten, ReLU, check_layer
from handbrew.nets.caffe.assembly import DATA, KINDS
from handbrew.nets.caffe.load import input_shapes, load_caffe, to_graph
from handbrew.nets.caffe.passing import StopGradient
from handbrew.nets.caffe.text import read_net

IMAGE, FLAT = entry("data", 2, 3, 8, 8), entry("data", 4, 5)


def test_every_layer_of_caffe_is_known_but_recurrent_ones():
    types = """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop
        Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Output HingeLoss Im2col
        InfogainLoss InnerProduct LRN Log MVN MultinomialLogisticLoss PReLU Parameter Pooling Power ReLU Reduction
        Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH
        Threshold Tile"""
    assert sorted(KINDS) == sorted(types.split())
    assert sorted(DATA) == ["Data", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData"]


class TestWiring:
    def test_layers_and_blobs_have_caffes_names(self):
        net = load_caffe(IMAGE + conv("conv1", "data", tops="a") + dense("fc", "a", 5))
        assert [node.name for node in net.nodes] == ["conv1", "fc/flatten", "fc"]
        assert net.inputs == ("data",)
        assert net.outputs == ("fc",)
        x = random(2, 3, 8, 8)
        y = net.forward(x)
        assert [*net.blobs] == ["data", "a", "fc/flatten", "fc"]
        np.testing.assert_array_equal(y, net.blobs["a"].reshape(2, -1) @ net.params["fc.W"].data)

    def test_a_layer_in_place_is_a_blob_of_its_own(self):
        net = load_caffe(
            IMAGE
            + layer("scaled", "Power", "data", "data", "power_param { scale: -2 }")
            + conv("conv1", "data")
            + layer("relu1", "ReLU", "conv1", "conv1")
            + layer("drop1", "Dropout", "conv1", "conv1")
            + layer("next", "Power", "conv1")
        )
        x = random(2, 3, 8, 8)
        y = net.forward(x)
        assert [*net.blobs] == ["data", "data/scaled", "conv1/conv1", "conv1/relu1", "conv1", "next"]
        np.testing.assert_array_equal(net.blobs["data/scaled"], -2 * x)
        np.testing.assert_array_equal(y, np.maximum(net.blobs["conv1/conv1"], 0))

    def test_who_reads_before_the_change_in_place_gets_what_was_there(self):
        net = load_caffe(
            FLAT
            + layer("a", "Power", "data", "a", "power_param { shift: -100 }")
            + layer("before", "Power", "a")
            + layer("relu", "ReLU", "a", "a")
            + layer("after", "Power", "a")
        )
        before, after = net.forward(random(4, 5))
        assert (before < 0).all()
        assert not after.any()

    def test_a_blob_goes_to_several(self):
        net = load_caffe(FLAT + dense("a", "data", 5) + layer("b", "TanH", "a") + layer("sum", "Eltwise", "a b a"))
        check_layer(net, (5,))

    def test_names_that_handbrew_cannot_have(self):
        net = load_caffe(FLAT + dense("a.b c", "data", 2, tops="out.put") + dense("a_b c", "data", 2, tops="out_put"))
        assert [node.name for node in net.nodes] == ["a_b_c", "a_b_c_2"]
        assert net.outputs == ("out_put", "out_put_2")

    def test_two_layers_of_one_name_are_told_apart_and_reported(self):
        with pytest.warns(UserWarning, match=r"several layers are called 'a'; layer 2 is 'a_2' now"):
            net = load_caffe(FLAT + dense("a", "data", 2) + layer("a", "ReLU", "a", "b"))
        assert [node.name for node in net.nodes] == ["a", "a_2"]

    def test_several_pairs_of_blobs_share_the_weights(self):
        net = load_caffe(entry("x", 2, 3, 8, 8) + entry("y", 2, 3, 5, 5) + conv("c", "x y", tops="a b"))
        assert [*net.params] == ["c.W", "c.b"]
        x, y = random(2, 3, 8, 8), random(2, 3, 5, 5)
        a, b = net.forward(x, y)
        np.testing.assert_array_equal(a, net.children["c"].forward(x))
        np.testing.assert_array_equal(b, net.children["c/2"].forward(y))
        assert b.shape == (2, 3, 3, 3)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (FLAT + dense("a", "dta", 2), r"layer 1, 'a' \(InnerProduct\): unknown bottom blob 'dta'; did you mean"),
            (FLAT + dense("a", "b", 2) + dense("b", "data", 2), "'b'; a layer further down makes it"),
            (
                FLAT + dense("a", "data", 2) + dense("b", "data", 2, tops="a"),
                r"layer 2, 'b' .*top blob 'a' has two producers, .*layer 1, 'a' \(InnerProduct\)",
            ),
            (FLAT + layer("in", "Input", "", "data") + dense("a", "data", 2), "two producers"),
            (FLAT + layer("a", "Eltwise", "data"), r"'a' \(Eltwise\): expected at least 2 bottom blobs, got 1"),
            (FLAT + layer("a", "TanH", "data", "b c"), r"'a' \(TanH\): expected 1 top blobs, got 2"),
            (IMAGE + conv("a", "data", tops="b c"), "as many tops as bottoms"),
            (FLAT, "no layer that computes anything"),
            (FLAT + layer("a", "Bogus", "data"), r"cannot run layer 1, 'a' \(Bogus\); give layers of your own"),
            (FLAT + layer("a", "LSTM", "data") + layer("b", "Python", "a"), r"'a' \(LSTM\), layer 2, 'b' \(Python\)"),
            (FLAT + layer("a", "LRN", "data", options="lrn_param { local_size: 4 }"), "odd number"),
            (IMAGE + layer("a", "Pooling", "data"), "expected a kernel_size"),
            (IMAGE + layer("a", "Convolution", "data", options="convolution_param { kernel_size: 3 }"), "num_output"),
            (entry("data", 2, 3, 2, 2) + conv("a", "data"), r"Graph > a \(Conv2D\): the kernel spans \(3, 3\)"),
            (FLAT + dense("a", "data", 2, "loss_weight: 1 loss_weight: 2"), "one for each of 1 tops"),
            (FLAT + dense("a", "data", 2, "propagate_down: 1 propagate_down: 0"), "one for each of 1 bottoms"),
            (
                FLAT + layer("a", "InnerProduct", "data", options="inner_product_param { num_output: 1 weight_filler "
                "{ type: 'magic' } }"),
                "unknown filler type 'magic'",
            ),
        ],
    )  # fmt: skip
    def test_errors_name_the_layer_and_the_blob(self, text, said):
        with pytest.raises(FileFormatError, match=said):
            load_caffe(text)


class TestPhases:
    text = (
        FLAT
        + layer("drop", "Dropout", "data", "data", "include { phase: TRAIN }")
        + dense("fc", "data", 3)
        + layer("prob", "Softmax", "fc", None, "include { phase: TEST }")
        + layer("extra", "TanH", "fc", None, "include { min_level: 2 stage: 'more' }")
    )

    def test_phase_is_which_layers_are_in_and_the_mode(self):
        test, train = load_caffe(self.text), load_caffe(self.text, phase="train")
        assert test.outputs == ("prob",)
        assert not test.training
        assert not test.children["fc"].training
        assert train.outputs == ("fc",)
        assert train.training

    def test_level_and_stages(self):
        assert load_caffe(self.text, level=2, stages=["more"]).outputs == ("prob", "extra")


class TestLosses:
    text = entry("data", 4, 5) + entry("label", 4) + dense("fc", "data", 3)

    def test_a_loss_may_leave_out_its_top(self):
        net = load_caffe(self.text + layer("loss", "SoftmaxWithLoss", "fc label", ""))
        X, y = random(4, 5), np.array([0, 2, 1, 1])
        loss = net.forward(X, y)
        scores = X @ net.params["fc.W"].data
        expected = (np.log(np.exp(scores).sum(1)) - scores[range(4), y]).mean()
        assert loss == pytest.approx(expected, 1e-5)
        assert net.blobs["loss"] == loss
        np.testing.assert_array_equal(net.forward(X), net.blobs["fc"])  # without a target, the scores

    def test_labels_may_be_floating_point_numbers(self):
        net = load_caffe(self.text + layer("loss", "SoftmaxWithLoss", "fc label"))
        X, y = random(4, 5), np.array([0, 2, 1, 1])
        assert net.forward(X, y) == net.forward(X, y[:, None, None, None].astype(np.float32))

    def test_weights_of_losses_and_of_other_blobs(self):
        net = load_caffe(
            entry("data", 4, 5)
            + entry("label", 4)
            + dense("fc", "data", 3, "loss_weight: 0.5")
            + layer("loss", "SoftmaxWithLoss", "fc label", "loss probs", "loss_weight: 2 loss_weight: 0.25")
            + layer("ignored", "SoftmaxWithLoss", "fc label", None, "loss_weight: 0")
        )
        X, y = random(4, 5), np.array([0, 2, 1, 1])
        total = net.forward(X, y)
        blobs = net.blobs
        expected = 0.5 * blobs["fc"].sum() + 2 * blobs["loss"] + 0.25 * blobs["probs"].sum()
        assert total == pytest.approx(float(expected), 1e-5)
        net.backward()
        probs = blobs["probs"]  # whose elements sum to 1 whatever the scores are: no gradient of theirs
        np.testing.assert_allclose(net.grads["fc"], 0.5 + 2 * (probs - np.eye(3)[y]) / 4, atol=1e-6)

    def test_accuracy_beside_the_loss_leaves_the_label_a_target(self):
        net = load_caffe(
            self.text + layer("accuracy", "Accuracy", "fc label") + layer("loss", "SoftmaxWithLoss", "fc label")
        )
        assert net.data == ("data",)
        X, y = random(4, 5), np.array([0, 2, 1, 1])
        net.forward(X, y)
        assert net.blobs["accuracy"] == np.mean(net.blobs["fc"].argmax(1) == y)

    def test_propagate_down_keeps_the_gradient_from_what_is_below(self):
        net = load_caffe(
            self.text
            + dense("fc2", "fc", 3, "propagate_down: false")
            + layer("loss", "SoftmaxWithLoss", "fc2 label", None, "propagate_down: true propagate_down: false")
        )
        assert [type(node.layer) for node in net.nodes if "stop" in node.name] == [StopGradient]
        assert net.targets == ("label",)  # which gets no gradient anyway
        net.forward(random(4, 5), np.zeros(4, int))
        net.backward()
        assert not net.params["fc.W"].grad.any()
        assert net.params["fc2.W"].grad.any()


class TestParameters:
    def test_multipliers(self):
        net = load_caffe(FLAT + dense("fc", "data", 3, "param { lr_mult: 2 decay_mult: 0.5 } param { lr_mult: 0 }"))
        W, b = net.params["fc.W"], net.params["fc.b"]
        assert (W.lr_mult, W.decay_mult, W.trainable) == (2, 0.5, True)
        assert (b.lr_mult, b.decay_mult, b.trainable) == (0, 1, False)
        net.forward(random(4, 5))
        net.backward(random(4, 3))
        assert W.grad.any()
        assert not b.grad.any()

    @pytest.mark.parametrize(("kind", "fan_in"), [("Convolution", 30 // 3 * 9), ("Deconvolution", 90 // 3 * 9)])
    def test_fans_of_fillers_are_those_of_the_blob(self, kind, fan_in):
        options = "convolution_param { num_output: 90 kernel_size: 3 group: 3 weight_filler { type: 'msra' } }"
        net = load_caffe(entry("data", 1, 30, 5, 5) + layer("c", kind, "data", options=options))
        assert net.params["c.W"].data.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)

    def test_slopes_decay_as_in_caffe(self):
        assert load_caffe(FLAT + layer("a", "PReLU", "data")).params["a.slope"].decay_mult == 1

    def test_multipliers_of_a_net_that_is_built_later(self):
        text = layer("data", "Data", "", "data label") + dense("fc", "data", 3, "param { lr_mult: 7 }")
        net = load_caffe(text + layer("loss", "SoftmaxWithLoss", "fc label"))
        assert input_shapes(read_net(text)) is None
        net.forward(random(4, 5))
        assert net.params["fc.W"].lr_mult == 7

    def test_conv1d_where_samples_have_two_axes(self):
        net = load_caffe(entry("data", 2, 3, 9) + conv("a", "data") + layer("b", "ReLU", "a") + conv("c", "b"))
        assert [type(node.layer) for node in net.nodes] == [Conv1D, ReLU, Conv1D]
        assert net.forward(random(2, 3, 9)).shape == (2, 3, 5)
        assert type(load_caffe(IMAGE + conv("a", "data")).children["a"]) is Conv2D

    def test_flatten_only_where_it_is_needed(self):
        net = load_caffe(IMAGE + dense("a", "data", 4) + dense("b", "a", 3))
        assert [type(node.layer) for node in net.nodes] == [Flatten, Affine, Affine]


class TestCustom:
    x = random(4, 5)

    def test_a_class_by_type(self):
        net = load_caffe(FLAT + layer("a", "Twice", "data"), custom={"Twice": Doubled})
        np.testing.assert_array_equal(net.forward(self.x), 2 * self.x)

    def test_a_function_of_the_message_and_a_type_that_is_known(self):
        text = FLAT + layer("a", "Power", "data", options="power_param { scale: 3 }")
        net = load_caffe(text, custom={"Power": lambda proto: Doubled(proto.power_param.scale)})
        assert isinstance(net.children["a"], Doubled)
        np.testing.assert_array_equal(net.forward(self.x), 3 * self.x)

    @pytest.mark.parametrize("text", ["{'factor': 5}", '{\\"factor\\": 5}', "'factor': 5", ""])
    def test_a_python_layer(self, text):
        options = f'python_param {{ module: "m" layer: "Doubled" param_str: "{text}" }}'
        net = load_caffe(FLAT + layer("a", "Python", "data", options=options), custom={"Doubled": Doubled})
        np.testing.assert_array_equal(net.forward(self.x), (5 if text else 2) * self.x)

    @pytest.mark.parametrize("text", ["__import__('os')", "5", "factor: 2", "(" * 400])
    def test_param_str_is_never_run(self, text):
        options = f'python_param {{ layer: "Doubled" param_str: "{text}" }}'
        with pytest.raises(FileFormatError, match="param_str: expected a dict"):
            load_caffe(FLAT + layer("a", "Python", "data", options=options), custom={"Doubled": Doubled})

    def test_what_is_no_layer(self):
        with pytest.raises(FileFormatError, match="expected a Layer from custom, got int"):
            load_caffe(FLAT + layer("a", "Twice", "data"), custom={"Twice": lambda proto: 5})

    def test_the_layer_is_named_whose_bottoms_do_not_fit(self):
        with pytest.raises(FileFormatError, match=r"layer 1, 'a' \(Twice\): Doubled\.forward .* 2 bottoms"):
            load_caffe(FLAT + layer("a", "Twice", "data data"), custom={"Twice": Doubled})

    def test_an_instance_is_no_class(self):
        with pytest.raises(FileFormatError, match=r"'a' .*give a class, or a function .* got a Doubled"):
            load_caffe(FLAT + layer("a", "Twice", "data"), custom={"Twice": Doubled()})

    def test_what_a_users_function_raises_names_the_layer(self):
        with pytest.raises(FileFormatError, match=r"layer 1, 'a' \(Twice\): <lambda> raised ZeroDivisionError: div"):
            load_caffe(FLAT + layer("a", "Twice", "data"), custom={"Twice": lambda proto: 1 / 0})

    def test_the_hook_is_named(self):
        options = 'python_param { module: "m" layer: "Mine" }'
        with pytest.raises(FileFormatError, match=r'custom=\{"Mine": MyLayer\}'):
            load_caffe(FLAT + layer("a", "Python", "data", options=options))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Convoluton", 'Did you mean type: "Convolution", where it says "Convoluton"'),
        ("RELU", 'type: "ReLU", where'),
        ("INNER_PRODUCT", 'type: "InnerProduct", where'),
        ("DepthwiseConvolution", "with a group for each channel"),
    ],
)
def test_a_type_that_is_almost_one(kind, said):
    with pytest.raises(FileFormatError, match=said):
        load_caffe(FLAT + layer("a", kind, "data"))


@pytest.mark.parametrize("kind", ["Permute", "LSTM"])
def test_a_type_that_is_like_no_other(kind):
    with pytest.raises(FileFormatError, match=rf'custom=\{{"{kind}": MyLayer\}}$'):
        load_caffe(FLAT + layer("a", kind, "data"))


@pytest.mark.parametrize("kind", ["DepthwiseConvolution", "ConvolutionDepthwise"])
def test_depthwise_convolutions_of_others(kind):
    options = "convolution_param { num_output: 3 group: 3 kernel_size: 3 weight_filler { type: 'msra' } }"
    x, net = random(2, 3, 8, 8), load_caffe(IMAGE + layer("a", kind, "data", options=options))
    expected = load_caffe(IMAGE + layer("a", "Convolution", "data", options=options))
    expected.load_state(net.state())
    np.testing.assert_array_equal(net.forward(x), expected.forward(x))
    own = load_caffe(IMAGE + layer("a", kind, "data", options=options), custom={kind: Doubled})
    assert isinstance(own.children["a"], Doubled)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("kernel_size: 2", "has global_pooling and a kernel size; leave out one of them"),
        ("pool: STOCHASTIC", "MAX or AVE, not STOCHASTIC"),
    ],
)
def test_global_pooling_says_what_does_not_fit(options, said):
    with pytest.raises(FileFormatError, match=said):
        load_caffe(IMAGE + layer("a", "Pooling", "data", options=f"pooling_param {{ global_pooling: true {options} }}"))


@pytest.mark.parametrize("rest", ["", layer("r", "Reshape", "a", "a", "reshape_param { shape { dim: 1 dim: -1 } }")])
def test_a_net_without_inputs_is_built(rest):
    source = layer("a", "DummyData", "", "a", "dummy_data_param { shape { dim: 2 dim: 3 } }")
    net = load_caffe(source + rest + dense("b", "a", 4))
    assert net.params["b.W"].shape == ((6 if rest else 3), 4)
    assert net.forward().shape == ((1 if rest else 2), 4)


class TestWhoseFaultItIs:
    def test_files_that_are_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load_caffe(tmp_path / "none.prototxt")
        with pytest.raises(IsADirectoryError):
            load_caffe(tmp_path)
        with pytest.raises(FileNotFoundError):
            load_caffe(FLAT + dense("a", "data", 3), tmp_path / "none.caffemodel")

    def test_a_file_that_a_layer_names(self):
        text = entry("data", 4, 5) + entry("label", 4)
        text += layer("loss", "InfogainLoss", "data label", options="infogain_loss_param { source: 'none.bin' }")
        with pytest.raises(FileFormatError, match=r"'loss' .*No such file.*none\.bin"):
            load_caffe(text)

    def test_phases(self):
        text = FLAT + layer("drop", "Dropout", "data", "data", "include { phase: TRAIN }") + dense("a", "data", 3)
        assert len(load_caffe(text, phase="TEST").nodes) == 1
        assert load_caffe(text, phase="Train").training
        with pytest.raises(ValueError, match=r'^phase must be "train" or "test", got \'training\'$'):
            load_caffe(text, phase="training")

    def test_errors_have_their_path_once(self, tmp_path):
        path = tmp_path / "net.prototxt"
        path.write_text("layer { nam: 'a' }")
        with pytest.raises(FileFormatError) as raised:
            load_caffe(path)
        assert str(raised.value).count(str(path)) == 1


def test_not_all_of_many_unknown_layers_are_named():
    with pytest.raises(FileFormatError, match=r"layer 50, 'a49' \(Bogus\) and 10 more; give layers") as raised:
        load_caffe(FLAT + "".join(layer(f"a{i}", "Bogus", "data") for i in range(60)))
    assert "a50" not in str(raised.value)


def test_a_sample_whose_shape_depends_on_their_number():
    text = FLAT + layer("a", "Reshape", "data", options="reshape_param { shape { dim: 2 dim: -1 } }")
    net = load_caffe(text + dense("b", "a", 3))
    assert net.params["b.W"].shape == (10, 3)
    assert net.forward(random(4, 5)).shape == (2, 3)


def test_a_size_beyond_memory_is_refused():
    with pytest.raises(FileFormatError, match="is not built on a file's word"):
        load_caffe(entry("data", 1, 1 << 20) + dense("a", "data", 1 << 30))


def test_to_graph_builds_nothing():
    graph = to_graph(read_net(FLAT + dense("a", "data", 3)))
    assert graph.in_shape is None
    graph.build((7,))
    assert graph.params["a.W"].shape == (7, 3)
