"""A layer's arrays: made once, found by path, cast, shared, read and written."""

import copy
import pickle

import numpy as np
import pytest

from handbrew.layers import (
    Affine,
    Constant,
    DTypeError,
    Layer,
    Normal,
    NotBuiltError,
    ReLU,
    Residual,
    ShapeError,
    StateError,
    build_from,
)


class Centre(Layer):
    """Subtracts a running mean (a buffer) and scales (a parameter)."""

    def build(self, in_shape):
        self.mean = self.buffer("mean", in_shape)
        self.gain = self.param("gain", in_shape, Constant(2.0))
        return in_shape

    def forward(self, x):
        if self.training:
            self.mean.data = 0.5 * self.mean.data + 0.5 * x.mean(axis=0)
        self.cache.x = x - self.mean.data
        return self.cache.x * self.gain.data

    def backward(self, dy):
        self.gain.add_grad((dy * self.cache.x).sum(axis=0))
        return dy * self.gain.data


X = np.float32([[1, 2, 3], [3, 4, 5]])


def test_buffers_are_state_but_not_learned():
    layer = Centre()
    layer.forward(X)
    assert list(layer.params) == ["gain"]
    assert list(layer.buffers) == ["mean"]
    np.testing.assert_array_equal(layer.buffers["mean"].data, [1, 1.5, 2])
    np.testing.assert_array_equal(layer.state()["mean"], [1, 1.5, 2])
    assert list(layer.state()) == ["gain", "mean"]


def test_a_buffer_stays_attached_through_assignment_astype_load_and_copies():
    layer = Centre()
    layer.forward(X)
    layer.astype(np.float64)
    assert layer.mean.data.dtype == np.float64
    layer.forward(X)
    np.testing.assert_array_equal(layer.buffers["mean"].data, [1.5, 2.25, 3])
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        twin.forward(X)
        assert twin.mean is twin.buffers["mean"]
        np.testing.assert_array_equal(twin.mean.data, [1.75, 2.625, 3.5])
    np.testing.assert_array_equal(layer.mean.data, [1.5, 2.25, 3])
    layer.load_state({"gain": np.ones(3), "mean": np.zeros(3)})
    np.testing.assert_array_equal(layer.mean.data, 0)


def test_unbuilt_layers_say_how_to_build():
    with pytest.raises(
        NotBuiltError, match=r"Affine: not built, so its params do not exist yet; call build\(in_shape\)"
    ):
        _ = Affine(3).params
    with pytest.raises(NotBuiltError, match="its buffers do not exist"):
        _ = Centre().buffers
    with pytest.raises(NotBuiltError):
        Affine(3).state()
    assert ReLU().params == {}  # has none, so there is nothing to build


def test_state_is_a_copy_and_load_state_copies():
    layer = Affine(2)
    layer.build(3)
    state = layer.state()
    state["W"][...] = 7
    assert not (layer.W.data == 7).any()
    layer.load_state(state)
    state["W"][...] = 8
    np.testing.assert_array_equal(layer.W.data, 7)


def test_all_differences_in_one_message_and_nothing_changed():
    block = Residual(Affine(4))
    block.build(4)
    before = block.state()
    with pytest.raises(StateError) as caught:
        block.load_state({"body.W": np.zeros((4, 5)), "other": np.zeros(2)})
    text = str(caught.value)
    assert "missing: body.b (4,)" in text
    assert "unknown: other (2,)" in text
    assert "body.W: expected shape (4, 4), got (4, 5)" in text
    for name, array in block.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_astype_before_and_after_build():
    before, after = Affine(3).astype(np.float64), Affine(3)
    before.build(4)
    after.build(4)
    after.astype("float64")
    assert before.W.data.dtype == after.W.data.dtype == before.dtype == np.float64
    with pytest.raises(DTypeError, match="expected float32 or float64, got float16"):
        after.astype(np.float16)


def test_tied_twins_share_arrays_and_add_gradients():
    layer = Affine(3)
    twin = layer.tied()
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    ya, yb = twin.forward(a), layer.forward(b)
    assert twin.W is layer.W
    assert twin.cache is not layer.cache
    layer.backward(yb)
    twin.backward(ya)
    np.testing.assert_allclose(layer.W.grad, a.T @ ya + b.T @ yb, rtol=1e-5)
    layer.W.data = np.zeros((3, 3))
    assert not twin.forward(a).any()


def test_twins_compare_shapes_whoever_is_built_first():
    layer = Affine(3)
    twin = layer.tied()
    twin.build(4)
    with pytest.raises(ShapeError, match=r"its tied twin has W of shape \(4, 3\), this input needs \(5, 3\)"):
        layer.build(5)
    layer.build(4)
    assert layer.W is twin.W


def test_twins_of_containers_and_of_built_layers():
    block = Residual(Residual(Affine(3)), [ReLU()][0])
    block.build(3)
    twin = block.tied()
    y = twin.forward(X)
    np.testing.assert_array_equal(y, block.forward(X))
    assert twin.params["body.body.W"] is block.params["body.body.W"]
    assert twin.body is not block.body


def test_copies_of_twins_are_twins():
    layer = Affine(3)
    pair = [layer, layer.tied()]
    for one, other in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        one.build(3)
        other.build(3)
        assert one.W is other.W
        assert not hasattr(layer, "W")


def test_one_name_for_one_array():
    class Twice(Layer):
        def build(self, in_shape):
            self.param("W", in_shape, Normal())
            self.param("W", in_shape, Normal())
            return in_shape

    class Dotted(Layer):
        def build(self, in_shape):
            self.param("a.b", in_shape, Normal())
            return in_shape

    with pytest.raises(ShapeError, match="cannot make an array called 'W': it is there already"):
        Twice().build(3)
    with pytest.raises(ShapeError, match=r"called 'a\.b': a dot separates layers"):
        Dotted().build(3)


def test_build_from_takes_no_size_on_trust():
    layer = Affine(10**9)
    with pytest.raises(StateError, match=r"W: expected shape \(1000000000, 1000000000\), got \(1,\)"):
        build_from(layer, (10**9,), {"W": np.zeros(1)})
    layer = Affine(2)
    with pytest.raises(StateError, match=r"missing: b \(2,\)"):
        build_from(layer, (3,), {"W": np.ones((3, 2))})
    layer = Affine(2)
    build_from(layer, (3,), {"W": np.ones((3, 2)), "b": np.full(2, 5)})
    np.testing.assert_array_equal(layer.forward(X), X @ np.ones((3, 2)) + 5)


def test_zero_grad():
    layer = Affine(2)
    layer.backward(layer.forward(X))
    layer.zero_grad()
    assert not layer.W.grad.any()
    assert not layer.b.grad.any()


def test_values_that_are_no_real_numbers_change_nothing():
    layer = Affine(2)
    layer.build(3)
    before = layer.state()
    for wrong in (np.array(["x", "y"]), np.array([1j, 2])):
        with pytest.raises(StateError, match="b: expected real numbers, got"):
            layer.load_state({"W": np.zeros((3, 2)), "b": wrong})
        np.testing.assert_array_equal(layer.W.data, before["W"])


def test_build_from_lists_every_misfit():
    with pytest.raises(StateError) as caught:
        build_from(Residual(Affine(4)), (4,), {"body.W": np.zeros((4, 5)), "other": np.zeros(2)})
    text = str(caught.value)
    assert "body.W: expected shape (4, 4), got (4, 5)" in text
    assert "missing: body.b (4,)" in text
    assert "unknown: other (2,)" in text


def test_freezing_a_layer_freezes_all_its_parameters():
    block = Residual(Affine(3))
    block.build(3)
    assert block.trainable
    block.trainable = False
    assert not any(p.trainable for p in block.params.values())
    assert not block.trainable
    block.body.trainable = True
    assert block.trainable
    with pytest.raises(NotBuiltError):
        Affine(3).trainable = False


def test_multipliers_that_are_set_before_the_parameters_are_there():
    layer = Affine(3)
    layer._multipliers = [(2.0, 0.5), (0.0, 1.0)]
    twin = layer.tied()
    layer.build((4,))
    twin.build((4,))
    assert (layer.W.lr_mult, layer.W.decay_mult, layer.W.trainable) == (2, 0.5, True)
    assert (layer.b.lr_mult, layer.b.trainable) == (0, False)
    assert twin.b is layer.b
