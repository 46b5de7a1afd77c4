"""Weights from Caffe's files into graphs, and back."""

import numpy as np
import pytest
from caffe_text import Doubled, conv, dense, entry, layer, random

from handbrew.data import FileFormatError
from handbrew.layers import Zeros
from handbrew.nets.caffe import (
    LayerWeights,
    load_caffe,
    load_weights,
    read_caffemodel,
    read_net,
    save_caffemodel,
    weights_of,
    write_caffemodel,
)

FLAT, IMAGE = entry("data", 4, 5), entry("data", 2, 3, 8, 8)
W, B = random(3, 5), random(3)


def loaded(text, *weights, **options):
    net = load_caffe(text, **options)
    load_weights(net, [LayerWeights(*given) for given in weights])
    return net


def test_an_inner_product_is_transposed():
    net = loaded(FLAT + dense("fc", "data", 3), ("fc", "InnerProduct", [W, B]))
    np.testing.assert_array_equal(net.params["fc.W"].data, W.T)
    x = random(4, 5)
    np.testing.assert_allclose(net.forward(x), x @ W.T + B, rtol=1e-5, atol=1e-6)


def test_a_transposed_inner_product_is_as_the_file_has_it():
    text = FLAT + layer("fc", "InnerProduct", "data", options="inner_product_param { num_output: 3 transpose: true }")
    net = loaded(text, ("fc", "", [W.T, B]))
    x = random(4, 5)
    np.testing.assert_allclose(net.forward(x), x @ W.T + B, rtol=1e-5, atol=1e-6)


def test_shapes_of_old_files():
    kernel = random(3, 3, 3, 3)
    net = loaded(
        IMAGE + conv("c", "data") + layer("p", "PReLU", "c", options="prelu_param { channel_shared: true }")
        + layer("n", "BatchNorm", "p") + dense("fc", "n", 2),
        ("c", "", [kernel, B.reshape(1, 1, 1, 3)]),
        ("p", "", [np.full((), 0.5)]),
        ("n", "", [B.reshape(1, 1, 1, 3), B.reshape(1, 1, 1, 3) ** 2, np.full((1, 1, 1, 1), 4)]),
        ("fc", "", [np.ones((1, 1, 2, 108)), np.ones((1, 1, 1, 2))]),
    )  # fmt: skip
    np.testing.assert_array_equal(net.params["c.b"].data, B)
    np.testing.assert_array_equal(net.params["c.W"].data, kernel)
    np.testing.assert_array_equal(net.params["p.slope"].data, [0.5])
    np.testing.assert_allclose(net.children["n"].mean.data, B / 4, rtol=1e-6)
    assert net.params["fc.W"].data.all()


def test_other_layers_keep_what_they_begin_with():
    text = FLAT + dense("fc", "data", 3) + dense("new", "fc", 3)
    before = load_caffe(text).params["new.W"].data
    with pytest.warns(UserWarning, match="initial values") as told:
        net = loaded(text, ("fc", "", [W, B]), ("old", "", [np.zeros((7, 7))]))
    np.testing.assert_array_equal(net.params["new.W"].data, before)
    assert [str(warning.message) for warning in told] == [
        "'new' keeps its initial values, which are random where a filler makes them so; the weights have none for it, "
        "and no layer took those of 'old'"
    ]


def test_fine_tuning_is_told_which_layers_begin_anew():
    text = FLAT + dense("fc", "data", 3) + dense("new", "fc", 3) + layer("n", "BatchNorm", "new")
    with pytest.warns(UserWarning, match="^'new', 'n' keep their initial values; the weights have none for them$"):
        loaded(text, ("fc", "", [W, B]), phase="TRAIN")


def test_twins_of_a_layer_that_found_weights_are_not_named():
    shared = "param { name: 'w' } param { name: 'b' }"
    net = loaded(FLAT + dense("a", "data", 3, shared) + dense("b", "data", 3, shared), ("a", "", [W, B]))
    np.testing.assert_array_equal(net.params["a.W"].data, W.T)


def test_weights_that_no_layer_takes_are_no_news_where_all_found_theirs():
    """So it is with each net that was trained with losses of more layers than it is deployed with."""
    loaded(FLAT + dense("fc", "data", 3), ("fc", "", [W, B]), ("loss1/classifier", "", [W, B]))


def test_of_many_layers_some_are_named():
    text = FLAT + "".join(dense(f"a{i}", "data", 1) for i in range(30))
    with pytest.warns(UserWarning, match="'a19' and 10 more keep"):
        loaded(text)


@pytest.mark.parametrize("place", ["built", "not built"])
@pytest.mark.parametrize(("shape", "hint"), [((3, 6), True), ((2, 5), False)])
def test_a_fan_in_that_differs_asks_for_the_size_of_the_input(place, shape, hint):
    text = (FLAT if place == "built" else layer("data", "Data", "", "data")) + dense("fc", "data", 3)
    net = load_caffe(text)
    with pytest.raises(FileFormatError, match="another net's caffemodel") as raised:  # noqa: PT012
        load_weights(net, [LayerWeights("fc", "", [np.zeros(shape), B])])
        net.forward(random(4, 5))
    assert ("was the size of its input changed?" in str(raised.value)) == hint


def test_weights_of_several_files_in_their_order(tmp_path):
    text = FLAT + dense("a", "data", 3) + dense("b", "a", 3)
    first, second = tmp_path / "1.caffemodel", tmp_path / "2.caffemodel"
    write_caffemodel(first, read_net(text), [LayerWeights("a", "", [W, B]), LayerWeights("b", "", [W[:, :3], B])])
    write_caffemodel(second, read_net(text), [LayerWeights("b", "", [W[:, 1:4], 2 * B])])
    net = load_caffe(text, [first, str(second)])
    np.testing.assert_array_equal(net.params["a.W"].data, W.T)
    np.testing.assert_array_equal(net.params["b.b"].data, 2 * B)
    with pytest.warns(UserWarning, match="'a' keeps"):
        load_caffe(text, (second,))


@pytest.mark.parametrize("place", ["built", "not built"])
@pytest.mark.parametrize(
    ("blobs", "said"),
    [
        ([np.zeros((3, 6)), B], r"fc, W: expected a blob of shape \(3, 5\), got \(3, 6\)"),
        ([W.T, B], r"fc, W: expected a blob of shape \(3, 5\), got \(5, 3\)"),
        ([W], "fc: expected 2 blobs, got 1"),
        ([W, B, B], "fc: expected 2 blobs, got 3"),
    ],
)
def test_a_misfit_says_to_rename_the_layer(place, blobs, said):
    text = (FLAT if place == "built" else layer("data", "Data", "", "data")) + dense("fc", "data", 3)
    net = load_caffe(text)

    def fill():
        load_weights(net, [LayerWeights("fc", "", blobs)])
        net.forward(random(4, 5))

    with pytest.raises(FileFormatError, match=rf"(?s)(rename.*{said})|({said}.*rename)"):
        fill()


def test_all_misfits_are_listed_and_nothing_is_changed():
    net = load_caffe(FLAT + dense("a", "data", 3) + dense("b", "a", 3) + dense("c", "b", 3))
    before = net.state()
    with pytest.raises(FileFormatError, match=r"(?s)b, W.*c: expected 2"):
        load_weights(net, [LayerWeights("a", "", [W, B]), LayerWeights("b", "", [W, B]), LayerWeights("c", "", [])])
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_net_that_is_built_later_begins_with_them():
    text = layer("data", "Data", "", "data label") + dense("fc", "data", 3) + dense("g", "fc", 2)
    with pytest.warns(UserWarning, match="'g' keeps its initial values"):
        net = loaded(text + layer("loss", "SoftmaxWithLoss", "g label"), ("fc", "", [W, B]))
    net.forward(random(4, 5))
    np.testing.assert_array_equal(net.params["fc.W"].data, W.T)
    assert net.params["fc.W"].data.flags.c_contiguous


def test_none_of_the_layers_is_there():
    with pytest.warns(UserWarning, match="none of the layers"):
        loaded(FLAT + dense("fc", "data", 3), ("other", "", [W, B]))


def test_names_with_dots_and_of_several_layers():
    text = FLAT + dense("f.c", "data", 3)
    np.testing.assert_array_equal(loaded(text, ("f.c", "", [W, B])).params["f_c.W"].data, W.T)
    with pytest.warns(UserWarning, match="several layers"):
        net = loaded(
            FLAT + layer("a", "ReLU", "data", "x") + dense("a", "x", 3, tops="y") + dense("a", "y", 3, tops="z"),
            ("a", "", [W, B]),
            ("a", "", [W[:, :3], B]),
        )
    np.testing.assert_array_equal(net.params["a_2.W"].data, W.T)
    np.testing.assert_array_equal(net.params["a_3.W"].data, W[:, :3].T)


class Scaled(Doubled):
    """y = w x, with a w of its own."""

    def build(self, in_shape):
        self.w = self.param("w", (), Zeros())
        self.v = self.param("v", (2,), Zeros())
        return in_shape

    def forward(self, x):
        return self.w.data * x


@pytest.mark.parametrize("source", [FLAT, layer("data", "Data", "", "data")])
def test_a_layer_of_ones_own_takes_them_in_the_order_of_making(source):
    text = source + layer("own", "Mine", "data")
    net = loaded(text, ("own", "", [np.full((), 3.0), np.ones(2)]), custom={"Mine": Scaled})
    x = random(4, 5)
    np.testing.assert_array_equal(net.forward(x), 3 * x)
    np.testing.assert_array_equal(net.params["own.v"].data, [1, 1])
    assert [blob.shape for blob in weights_of(net)[0].blobs] == [(), (2,)]


def test_there_and_back(tmp_path):
    kinds = {
        "a": conv("a", "data", 4),
        "b": layer("b", "Deconvolution", "a", options="convolution_param { num_output: 2 kernel_size: 2 }"),
        "n": layer("n", "BatchNorm", "b"),
        "s": layer("s", "Scale", "n", options="scale_param { bias_term: true }"),
        "i": layer("i", "Bias", "s"),
        "p": layer("p", "PReLU", "i"),
        "fc.1": dense("fc.1", "p", 3),
        "w": layer("w", "Parameter", "", options="parameter_param { shape { dim: 2 dim: 3 } }"),
    }
    text = IMAGE + "".join(kinds.values())
    net = load_caffe(text)
    state = {name: random(*array.shape) for name, array in net.state().items()}
    net.load_state(state)
    path = tmp_path / "net.caffemodel"
    save_caffemodel(path, read_net(text), net)
    assert [given.name for given in read_caffemodel(path)] == [*kinds]  # with Caffe's names
    again = load_caffe(text, path)
    for name, array in again.state().items():
        np.testing.assert_array_equal(array, state[name])
