"""Parameters of Caffe's layers that have names are shared."""

import numpy as np
import pytest
from caffe_text import conv, dense, entry, layer, random

from handbrew.data import FileFormatError
from handbrew.layers import Affine, Bias, ShapeError
from handbrew.nets.caffe import InnerProduct, load_caffe, weights_of

RNG = np.random.default_rng(0)
FLAT = entry("data", 4, 5)
W, BOTH, LR = "param { name: 'w' }", "param { name: 'w' } param { name: 'b' }", "param { name: 'w' lr_mult: "


def check_gradients(net, *shapes):
    """Compare with central differences; ``check_layer`` makes layers anew, and so unties them."""
    net.astype(np.float64)
    inputs = [RNG.normal(size=(2, *shape)) for shape in shapes]
    dy = RNG.normal(size=net.forward(*inputs).shape)
    net.backward(dy)
    for p in net.params.values():
        grad, step = p.grad.copy(), np.zeros_like(p.data)
        for i in np.ndindex(p.shape):
            step[i] = 1e-6
            p.data += step
            up = net.forward(*inputs)
            p.data -= 2 * step
            down = net.forward(*inputs)
            p.data += step
            step[i] = 0
            assert grad[i] == pytest.approx(np.sum(dy * (up - down)) / 2e-6, rel=1e-5, abs=1e-6)


def test_layers_with_the_same_names_share_everything():
    text = entry("x", 4, 5) + entry("y", 4, 5) + dense("f", "x", 3, BOTH) + dense("g", "y", 3, BOTH)
    net = load_caffe(text + layer("sum", "Eltwise", "f g"))
    assert [*net.params] == ["f.W", "f.b"]
    net.params["f.b"].data = [1, 2, 3]
    x, y = random(4, 5), random(4, 5)
    np.testing.assert_allclose(net.forward(x, y), (x + y) @ net.params["f.W"].data + [2, 4, 6], rtol=1e-5, atol=1e-6)
    check_gradients(net, (5,), (5,))


def test_weights_alone_are_shared_and_each_has_its_bias():
    text = FLAT + dense("f", "data", 5, W) + dense("g", "f", 5, W)
    net = load_caffe(text)
    assert [*net.params] == ["f.W", "f/bias.b", "g/bias.b"]
    assert [type(node.layer) for node in net.nodes] == [Affine, Bias, Affine, Bias]
    assert net.outputs == ("g",)
    x = random(4, 5)
    w, b, c = (p.data for p in net.params.values())
    b[...], c[...] = random(5), random(5)
    np.testing.assert_allclose(net.forward(x), (x @ w + b) @ w + c, rtol=1e-5, atol=1e-5)
    check_gradients(net, (5,))
    assert [[blob.shape for blob in given.blobs] for given in weights_of(net)] == [[(5, 5), (5,)]] * 2


def test_a_bias_of_two_convolutions():
    unnamed = "param {} param { name: 'b' }"
    text = entry("data", 2, 3, 8, 8) + conv("f", "data", 3, unnamed) + conv("g", "f", 3, unnamed)
    net = load_caffe(text)
    assert [*net.params] == ["f.W", "f/bias.b", "g.W"]
    check_gradients(net, (3, 8, 8))


def test_an_autoencoder_goes_back_by_the_weights_it_came_by():
    turned = "inner_product_param { num_output: 5 transpose: true } "
    text = FLAT + dense("code", "data", 3, W) + layer("out", "InnerProduct", "code", None, turned + W)
    net = load_caffe(text)
    assert [*net.params] == ["code.W", "code/bias.b", "out/bias.b"]
    assert isinstance(net.children["out"], InnerProduct)
    x, w = random(4, 5), net.params["code.W"].data
    np.testing.assert_allclose(net.forward(x), x @ w @ w.T, rtol=1e-5, atol=1e-5)
    check_gradients(net, (5,))


def test_who_shares_with_nobody_stays_whole():
    net = load_caffe(FLAT + dense("f", "data", 3, W) + dense("g", "f", 2, "param { name: 'v' }"))
    assert [*net.params] == ["f.W", "f.b", "g.W", "g.b"]


def test_the_same_parameter_twice_in_one_name_and_layer():
    net = load_caffe(FLAT + layer("f", "PReLU", "data", options=W) + layer("g", "PReLU", "f", options=W))
    assert [*net.params] == ["f.slope"]
    check_gradients(net, (5,))


def test_multipliers_of_what_is_shared():
    first, later = dense("f", "data", 5, LR + "3 }"), dense("g", "f", 5, LR + "3 }")
    assert load_caffe(FLAT + first + later).params["f.W"].lr_mult == 3
    silent = load_caffe(FLAT + dense("f", "data", 5, W) + later)
    assert silent.params["f.W"].lr_mult == 3  # as Caffe has it
    with pytest.raises(FileFormatError, match=r"'g': the shared parameter 'w' has lr_mult 4 here and 3 in"):
        load_caffe(FLAT + first + dense("g", "f", 5, LR + "4 }"))


def test_sizes_that_differ():
    with pytest.raises(FileFormatError, match=r"tied twin has W of shape \(5, 3\), this input needs \(3, 2\)"):
        load_caffe(FLAT + dense("f", "data", 3, BOTH) + dense("g", "f", 2, BOTH))


def test_parameters_of_different_kinds():
    text = FLAT + layer("f", "PReLU", "data", options=W) + layer("g", "Bias", "f", options=W)
    with pytest.raises(FileFormatError, match=r"'g' \(Bias\): cannot share the parameter 'w' with .*'f' \(PReLU\)"):
        load_caffe(text)


def test_permissive_sharing_is_of_equal_shapes():
    permissive = "param { name: 'w' share_mode: PERMISSIVE }"
    assert len(load_caffe(FLAT + dense("f", "data", 5, permissive) + dense("g", "f", 5, permissive)).params) == 3


def test_the_first_forward_refuses_what_does_not_fit_too():
    net = load_caffe(layer("data", "Data", "", "data") + dense("f", "data", 3, BOTH) + dense("g", "f", 2, BOTH))
    with pytest.raises(ShapeError, match="tied twin"):
        net.forward(random(4, 5))
