"""Children, paths, names, random numbers by path."""

import copy
import json
import pickle

import numpy as np
import pytest

from handbrew.layers import Affine, Dropout, Layer, LayerReuseError, ReLU, Residual, StateError
from handbrew.nets import Sequential


class Block(Layer):
    """A user's own container: layers in an attribute, a list, a tuple and a dict."""

    def __init__(self):
        self.first = Affine(4)
        self.rest = [Affine(4), ReLU(), Affine(4)]
        self.pair = (Affine(4),)
        self.by_name = {"last": Affine(4)}

    def forward(self, x):
        for layer in self.children.values():
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.children.values()):
            dy = layer.backward(dy)
        return dy


class Noise(Layer):
    def forward(self, x):
        self.cache.noise = self.rng.normal(size=x.shape).astype(x.dtype)
        return x + self.cache.noise

    def backward(self, dy):
        return dy


def test_children_in_the_order_of_assignment():
    names = ["first", "rest.0", "rest.1", "rest.2", "pair.0", "by_name.last"]
    assert list(Block().children) == names
    assert [path for path, _ in Residual(Block()).walk()] == ["", "body", *(f"body.{name}" for name in names)]


def test_params_of_a_users_container():
    block = Block()
    block.forward(np.ones((2, 4), np.float32))
    assert [name for name in block.params if name.endswith("W")] == [
        "first.W",
        "rest.0.W",
        "rest.2.W",
        "pair.0.W",
        "by_name.last.W",
    ]


def test_modes_dtype_and_state_reach_every_child():
    block = Block().astype(np.float64)
    block.forward(np.ones((2, 4)))
    assert {p.data.dtype for p in block.params.values()} == {np.dtype(np.float64)}
    block.eval()
    assert not any(layer.training for _, layer in block.walk())
    block.train()
    assert all(layer.training for _, layer in block.walk())
    other = Block()
    other.forward(np.ones((2, 4)))
    other.load_state(block.state())
    np.testing.assert_array_equal(other.params["rest.2.W"].data, block.params["rest.2.W"].data.astype(np.float32))


def initial(*layers, seed=0):
    net = Sequential(*layers, seed=seed)
    net.build((4,))
    return {name: p.data.copy() for name, p in net.params.items()}


def test_inserting_a_layer_changes_nobody_elses_initial_values():
    plain = initial(Affine(4), Affine(4), Residual(Affine(4)))
    longer = initial(Affine(4), ReLU(), Noise(), Affine(4), ReLU(), Residual(Affine(4)))
    assert plain.keys() == longer.keys()
    for name in plain:
        np.testing.assert_array_equal(plain[name], longer[name])


def test_layers_draw_differently_and_so_do_seeds():
    weights = initial(Affine(4), Affine(4))
    assert not np.array_equal(weights["affine1.W"], weights["affine2.W"])
    again, other = initial(Affine(4), Affine(4)), initial(Affine(4), Affine(4), seed=1)
    np.testing.assert_array_equal(again["affine2.W"], weights["affine2.W"])
    assert not np.array_equal(other["affine2.W"], weights["affine2.W"])


def test_an_inner_nets_own_seed_wins_for_what_is_below_it():
    def inner(outer_seed):
        return initial(Sequential(Affine(4), seed=5), seed=outer_seed)["sequential1.affine1.W"]

    np.testing.assert_array_equal(inner(0), inner(1))
    np.testing.assert_array_equal(inner(0), initial(Affine(4), seed=5)["affine1.W"])


def test_a_bare_layers_seed():
    def weights(seed):
        layer = Affine(3)
        layer.seed = seed
        layer.build(4)
        return layer.W.data

    np.testing.assert_array_equal(weights(1), weights(1))
    np.testing.assert_array_equal(weights(None), weights(0))
    assert not np.array_equal(weights(0), weights(1))


def test_initial_values_and_forward_passes_draw_from_separate_streams():
    x = np.zeros((3, 4), np.float32)

    def noise(*before):
        net = Sequential(*before, Noise())
        net.forward(x)
        return net.layers[-1].cache.noise

    np.testing.assert_array_equal(noise(), noise(ReLU()))
    one, two = Noise(), Noise()
    Sequential(one, two).forward(x)
    assert not np.array_equal(one.cache.noise, two.cache.noise)


def test_nobody_draws_from_numpys_global_generator():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Sequential(Affine(4), Noise()).forward(np.zeros((3, 4), np.float32))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_one_object_has_one_place():
    layer = Affine(4)
    block = Block()
    block.rest.append(block.first)
    with pytest.raises(LayerReuseError, match=r"one Affine object stands at 'first' and at 'rest\.3'.*tied\(\)"):
        block.forward(np.ones((2, 4), np.float32))
    with pytest.raises(LayerReuseError, match=r"'affine1' and at 'residual1\.body'"):
        Sequential(layer, Residual(layer))


def test_where_names_the_path_for_errors():
    net = Sequential(Residual(Sequential(Affine(4).named("fc"))))
    net.build((4,))
    fc = net.layers[0].body.layers[0]
    assert fc.where == "Sequential > residual1 (Residual) > body (Sequential) > fc (Affine)"


@pytest.mark.parametrize("name", ["", "a.b", "two words", " fc", "a\0b", 3])
def test_names_are_words(name):
    with pytest.raises(ValueError, match="a layer's name is a word"):
        Affine(3).named(name)


def test_a_child_that_is_replaced_later_takes_the_place_and_its_seed():
    net = Sequential(Residual(Affine(4)), seed=3)
    net.build((4,))
    expected = net.layers[0].body.W.data.copy()
    net.layers[0].body = Affine(4)
    net.forward(np.ones((2, 4), np.float32))
    assert net.layers[0].body.where == "Sequential > residual1 (Residual) > body (Affine)"
    np.testing.assert_array_equal(net.layers[0].body.W.data, expected)


class Stack(Layer):
    """Makes its children in ``build``."""

    def build(self, in_shape):
        self.parts = [Affine(4), Affine(4)]
        for part in self.parts:
            in_shape = part.build(in_shape)
        return in_shape

    def forward(self, x):
        for part in self.parts:
            x = part.forward(x)
        return x

    def backward(self, dy):
        for part in reversed(self.parts):
            dy = part.backward(dy)
        return dy


def test_children_made_in_build_have_their_place_and_the_nets_seed():
    def weights(seed):
        net = Sequential(Stack(), seed=seed)
        net.build((4,))
        return [part.W.data for part in net.layers[0].parts], net.layers[0].parts[1].where

    (one, two), where = weights(0)
    assert where == "Sequential > stack1 (Stack) > parts.1 (Affine)"
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, weights(5)[0][0])


def test_nested_lists_hold_children_too():
    block = Block()
    block.grid = [[Affine(4)], {"a": (Affine(4),)}]
    assert list(block.children)[-2:] == ["grid.0.0", "grid.1.a.0"]


def test_one_object_is_refused_in_a_tree_in_use():
    net = Sequential(Residual(Affine(4)), Affine(4))
    net.forward(np.ones((2, 4), np.float32))
    block = net.layers[0]
    with pytest.raises(LayerReuseError):
        block.shortcut = block.body
    assert block.shortcut is None
    with pytest.raises(LayerReuseError):
        block.shortcut = net.layers[1]


def test_a_newcomer_takes_on_dtype_and_mode():
    net = Sequential(Residual(Affine(4)), Noise()).astype(np.float64)
    net.forward(np.ones((2, 4)))
    net.eval()
    net.layers[0].body = Affine(4)
    assert not net.layers[0].body.training
    assert net.predict(np.ones((2, 4))).dtype == np.float64
    net.train()
    net.layers[0].shortcut = Affine(4)
    assert net.layers[0].shortcut.training
    net.layers[0].eval()  # frozen on purpose
    net.replace("noise1", Noise())
    assert not net.layers[0].training


def test_copies_of_a_used_layer_draw_different_numbers():
    x = np.zeros((3, 4), np.float32)
    noise = Noise()
    noise.forward(x)
    one, two = copy.deepcopy(noise), copy.deepcopy(noise)
    Sequential(one, two).forward(x)
    assert not np.array_equal(one.cache.noise, two.cache.noise)


def test_a_copy_of_one_layer_does_not_take_the_net_along():
    net = Sequential(Affine(4), Affine(400))
    net.forward(np.ones((2, 4), np.float32))
    assert len(pickle.dumps(net.layers[0])) < 2000


def test_a_parameter_is_not_replaced_by_an_array():
    layer = Affine(4)
    layer.build(4)
    with pytest.raises(TypeError, match=r"Affine: W is a Param; set layer\.W\.data"):
        layer.W = np.zeros((4, 4))


def noisy():
    return Sequential(Affine(4), Residual(Noise()), Dropout(0.5).named("drop"), Noise(), seed=2)


def test_generators_go_on_from_where_they_were():
    x = np.ones((3, 4), np.float32)
    net, other = noisy(), noisy()
    assert net.generator_states() == {}
    net.forward(x)
    states = net.generator_states()
    assert list(states) == ["residual1.body", "drop", "noise1"]
    expected = [net.forward(x) for _ in range(2)]
    net.load_generator_states(states)
    other.load_generator_states(json.loads(json.dumps(states)))  # as a file would bring them
    for y in expected:
        np.testing.assert_array_equal(net.forward(x), y)
        np.testing.assert_array_equal(other.forward(x), y)


def test_generators_that_are_left_out_start_afresh():
    x = np.ones((3, 4), np.float32)
    net = noisy()
    first, _ = net.forward(x), net.forward(x)
    net.load_generator_states({})
    np.testing.assert_array_equal(net.forward(x), first)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: None,
        lambda s: [s],
        lambda s: {},
        lambda s: s | {"bit_generator": "MT19937"},
        lambda s: s | {"state": 5},
        lambda s: s | {"state": {"state": 1}},
        lambda s: s | {"state": s["state"] | {"state": -1}},
        lambda s: s | {"state": s["state"] | {"inc": 1 << 128}},
        lambda s: s | {"state": s["state"] | {"inc": 0.5}},
        lambda s: s | {"state": s["state"] | {"inc": "1"}},
        lambda s: s | {"has_uint32": 1 << 70},
        lambda s: s | {"uinteger": float("nan")},
        lambda s: s | {"more": 0},
    ],
)
def test_what_is_no_generators_state_is_refused_and_changes_nothing(spoil):
    x = np.ones((3, 4), np.float32)
    net = noisy()
    net.forward(x)
    states = net.generator_states()
    wrong = states | {"drop": spoil(states["drop"]), "nowhere.else": states["drop"]}
    with pytest.raises(StateError, match=r"another net\n  unknown: nowhere\.else\n  drop: expected a state of PCG64"):
        net.load_generator_states(wrong)
    assert net.generator_states() == states
