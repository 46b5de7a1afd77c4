"""The contract of ``Layer``: building, modes, first forward, copies."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from handbrew.layers import Affine, Layer, LayerReuseError, NotBuiltError, ReLU, ShapeError, Zeros, inference
from handbrew.nets import Sequential

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


class Swish(Layer):
    """A complete layer: nothing to register, no constructor."""

    def forward(self, x):
        c = self.cache
        c.s = 0.5 * np.tanh(0.5 * x) + 0.5
        c.y = x * c.s
        return c.y

    def backward(self, dy):
        c = self.cache
        return dy * (c.s + c.y * (1 - c.s))


class Sum(Layer):
    """Another output shape, and no ``build`` to say so."""

    def forward(self, x):
        return x.sum(axis=1, keepdims=True)

    def backward(self, dy):
        return np.repeat(dy, self.in_shape[0], axis=1)


class HonestSum(Sum):
    def build(self, in_shape):
        return (1,)


class LyingSum(Sum):
    def build(self, in_shape):
        return (2,)


class Bilinear(Layer):
    """Two inputs."""

    def forward(self, a, b):
        self.cache.a, self.cache.b = a, b
        return a * b

    def backward(self, dy):
        return dy * self.cache.b, dy * self.cache.a


def test_a_bare_layer_is_complete():
    layer = Swish()
    y = layer.forward(X)
    np.testing.assert_allclose(y, X / (1 + np.exp(-X)), rtol=1e-5)
    assert layer.backward(y).shape == X.shape
    assert (layer.in_shape, layer.out_shape) == ((4,), (4,))
    assert layer.params == {}
    assert repr(layer) == "Swish()"


def test_build_by_hand_and_by_first_forward_are_the_same():
    by_hand, by_forward = Affine(3), Affine(3)
    assert by_hand.build((4,)) == (3,)
    np.testing.assert_array_equal(by_hand.forward(X), by_forward.forward(X))
    assert by_hand.out_shape == by_forward.out_shape == (3,)


def test_building_again():
    layer = Affine(3)
    layer.build(4)
    W = layer.W
    assert layer.build((4,)) == layer.build([np.int64(4)]) == (3,)
    assert layer.W is W
    with pytest.raises(ShapeError, match=r"Affine: already built for input of shape \(4,\), got \(5,\)"):
        layer.build(5)


def test_a_build_that_fails_can_be_tried_again():
    layer = Affine(3)
    with pytest.raises(ShapeError):
        layer.build((1, 2, 3))
    assert layer.build(4) == (3,)


def test_a_users_layer_without_build_may_change_the_shape():
    layer = Sum()
    layer.forward(X)
    assert layer.out_shape == (1,)
    net = Sequential(Sum(), Affine(3))
    assert net.forward(X).shape == (5, 3)  # built by the real arrays
    net = Sequential(HonestSum(), Affine(3))
    assert net.build((4,)) == (3,)


@pytest.mark.parametrize("make", [Sum, LyingSum])
def test_a_build_that_says_the_wrong_shape_is_found(make):
    layer = make()
    said = layer.build((4,))
    with pytest.raises(ShapeError, match=rf"build said the output's shape is \({said[0]},\), forward made \(1,\)"):
        layer.forward(X)


def test_several_inputs():
    layer = Bilinear()
    assert layer.build(((4,), (4,))) == (4,)
    np.testing.assert_array_equal(layer.forward(X, 2 * X), 2 * X * X)
    assert layer.in_shape == ((4,), (4,))


def test_later_calls_pay_nothing_for_the_first():
    layer = Swish()
    assert "forward" in vars(layer)
    layer.forward(X)
    assert "forward" not in vars(layer)
    assert layer.forward.__func__ is Swish.forward


def test_super_forward_works_on_the_first_call():
    class Doubled(Affine):
        def forward(self, x):
            return 2 * super().forward(x)

        def build(self, in_shape):
            return super().build(in_shape)

    layer, plain = Doubled(3), Affine(3)
    np.testing.assert_array_equal(layer.forward(X), 2 * plain.forward(X))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("built", [False, True])
def test_copies_stand_on_their_own(clone, built):
    layer = Affine(3)
    if built:
        layer.forward(X)
    twin = clone(layer)
    np.testing.assert_array_equal(twin.forward(X), layer.forward(X))
    twin.W.data = np.zeros((4, 3))
    assert layer.W.data.all()
    assert twin.params["W"] is twin.W


def test_input_of_another_length_is_fine_where_the_layer_allows_it():
    layer = Swish()
    layer.forward(X)
    assert layer.forward(np.ones((2, 9), np.float32)).shape == (2, 9)


def test_training_by_default_and_modes_return_the_layer():
    layer = Swish()
    assert layer.training
    assert layer.eval() is layer
    assert not layer.training
    assert layer.train().training


def test_inference_leaves_no_trace():
    block = Sequential(Affine(3), ReLU())
    y = block.forward(X)
    frozen = block.layers[1].eval()
    expected = block.backward(y)
    block.zero_grad()
    with inference(block):
        assert not any(layer.training for _, layer in block.walk())
        block.forward(X[:2])
    assert block.training
    assert not frozen.training
    np.testing.assert_array_equal(block.backward(y), expected)


def test_inference_restores_after_an_error():
    layer = Affine(3)
    layer.forward(X)
    with pytest.raises(ZeroDivisionError), inference(layer):
        1 / 0  # noqa: B018
    assert layer.training
    assert layer.cache.x is X


def test_undefined_methods_are_named():
    class Half(Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"Half defines no forward\(self, x\)"):
        Half().forward(X)
    with pytest.raises(NotImplementedError, match=r"Half defines no backward\(self, dy\)"):
        Half().backward(X)


def test_forward_and_backward_write_into_nothing():
    x, dy = X.copy(), np.ones((5, 3), np.float32)
    x.flags.writeable = dy.flags.writeable = False
    layer = Affine(3)
    layer.forward(x)
    layer.backward(dy)


def test_backward_twice_after_one_forward():
    layer = Affine(3)
    dy = layer.forward(X)
    first = layer.backward(dy)
    once = layer.W.grad.copy()
    np.testing.assert_array_equal(layer.backward(dy), first)
    np.testing.assert_allclose(layer.W.grad, 2 * once, rtol=1e-6)


def test_reuse_in_a_bare_container():
    class Loop(Layer):
        def __init__(self):
            self.a = Affine(4)
            self.b = self.a

        def forward(self, x):
            return self.b.forward(self.a.forward(x))

    with pytest.raises(LayerReuseError, match=r"Loop: one Affine object stands at 'a' and at 'b'"):
        Loop().forward(X)


def test_mistakes_that_beginners_make():
    class Forgot(Layer):
        def build(self, in_shape):
            self.w = self.param("w", in_shape, Zeros())

        def forward(self, x):
            return x * self.w.data

    class Raw(Layer):
        def build(self, in_shape):
            self.w = self.param("w", in_shape, np.zeros(in_shape))
            return in_shape

    with pytest.raises(ShapeError, match="Forgot: build returned nothing; let it return the output's shape"):
        Forgot().forward(X)
    with pytest.raises(TypeError, match=r"Raw: expected an initialiser for w, like He\(\) or Zeros\(\), got ndarray"):
        Raw().build(4)
    with pytest.raises(TypeError, match="Affine: expected an array, got a list"):
        Affine(3).forward([[1.0, 2.0]])


def test_signatures_are_the_constructors():
    assert str(inspect.signature(Swish)) == "()"
    assert str(inspect.signature(ReLU)).startswith("(negative_slope: ")


def test_a_build_that_fails_leaves_nothing_behind():
    class Late(Layer):
        def build(self, in_shape):
            self.w = self.param("w", in_shape, Zeros())
            if in_shape == (3,):
                raise ShapeError("three is too few")
            return in_shape

    layer = Late()
    with pytest.raises(ShapeError, match="too few"):
        layer.build(3)
    assert layer.build(4) == (4,)
    assert layer.w.shape == (4,)

    net = Sequential(Affine(3), Late(), Affine(2))
    with pytest.raises(ShapeError, match="too few"):
        net.build((5,))
    net.replace("late1", ReLU())
    assert net.build((7,)) == (2,)  # the lower layer was not left built for 5
    assert net.params["affine1.W"].shape == (7, 3)


def test_keyword_input_on_the_first_call():
    np.testing.assert_array_equal(Affine(3).forward(x=X), Affine(3).forward(X))
    assert Sequential(Affine(3)).forward(x=X).shape == (5, 3)


def test_arguments_for_a_class_that_takes_none():
    with pytest.raises(TypeError, match="Swish takes no arguments: it defines no __init__"):
        Swish(0.5, color=3)


def test_a_container_without_build_cannot_be_built_by_hand():
    class Two(Layer):
        def __init__(self):
            self.a, self.b = Affine(2), Affine(2)

        def forward(self, x):
            return self.a.forward(x) + self.b.forward(x)

    with pytest.raises(NotBuiltError, match=r"Two: holds layers but defines no build\(in_shape\); define it, or run"):
        Two().build(4)
    two = Two()
    assert two.forward(X).shape == (5, 2)
    assert two.build(4) == (2,)
