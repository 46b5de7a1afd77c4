"""Architectures as data: out and in again, and nothing that is not handbrew's or ``custom``."""

import json

import numpy as np
import pytest
from specimens import Noise, Pair, Running

from handbrew.data import FileFormatError
from handbrew.layers import (
    Affine,
    Branches,
    Configurable,
    Constant,
    Initializer,
    Layer,
    Normal,
    ReLU,
    Reshape,
    Residual,
    SoftmaxCrossEntropy,
)
from handbrew.nets import Sequential
from handbrew.nets.architecture import MOST_TWINS, Decoder, Encoder, handbrews


def through_json(value, custom=()):
    return Decoder(custom).decode(json.loads(json.dumps(Encoder().encode(value))))


class Odd(Layer):
    """Takes an argument of any kind."""

    def __init__(self, value=None):
        self.value = value


@pytest.mark.parametrize("name", handbrews())
def test_every_public_class_comes_back(name):
    cls = handbrews()[name]
    for arguments in ((), (2,), (0, 1), (2, 1), (ReLU(),), (Affine(2), ReLU()), ("x", (ReLU(), "x", "y"))):
        try:
            made = cls(*arguments)
            break
        except (TypeError, ValueError):
            pass
    again = through_json(made)
    assert type(again) is cls
    assert repr(again) == repr(made)


@pytest.mark.parametrize(
    "made",
    [
        Affine(3, bias=False, weight_init=Normal(std=0.5), bias_init=Constant(-1)),
        Residual(Affine(4), shortcut=Sequential(ReLU(0.25), Affine(4), seed=3)),
        Branches(Affine(1), Affine(2), Residual(ReLU())),
        Reshape(2, -1),
        SoftmaxCrossEntropy(ignore_index=-1, class_weight=[1, 2.5], reduction="sum"),
        Sequential(Affine(3).named("fc"), Sequential(ReLU(), seed=0).named("rest")),
    ],
    ids=repr,
)
def test_arguments_come_back(made):
    again = through_json(made)
    assert repr(again) == repr(made)
    assert [path for path, _ in again.walk()] == [path for path, _ in made.walk()]


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -0.1, 1e-300, float("inf"), "Grüße\n",
        [], (), [1, (2.5, [None])], (3, 3), {}, {"a": (1,), "tied": 0},
    ],
    ids=repr,
)  # fmt: skip
def test_plain_data_keep_their_types(value):
    again = through_json(Odd(value), [Odd]).value
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_arrays_come_back_bit_by_bit(dtype, shape):
    value = np.random.default_rng(0).uniform(0, 200, shape).astype(dtype)
    again = through_json(Odd(value), [Odd]).value
    np.testing.assert_array_equal(again, value)
    assert again.dtype == value.dtype.newbyteorder("=")
    assert again.shape == shape


def test_arrays_with_infinities_and_nan():
    value = np.array([np.inf, -np.inf, np.nan, -0.0])
    np.testing.assert_array_equal(through_json(Odd(value), [Odd]).value, value)


def test_numpys_numbers_are_numbers():
    again = through_json(Affine(np.int64(3), bias=np.True_, weight_init=Constant(np.float32(0.1))))
    assert repr(again) == f"Affine(3, weight_init=Constant({float(np.float32(0.1))}))"


def test_layers_within_lists_and_dicts():
    made = Odd({"left": ReLU(), "right": [Affine(2), (Odd(3),)]})
    again = through_json(made, [Odd])
    assert repr(again) == repr(made)
    assert [path for path, _ in again.walk()] == ["", "value.left", "value.right.0", "value.right.1.0"]


@pytest.mark.parametrize(
    "value", [len, object(), b"bytes", {1: 2}, {1}, 1j, np.array([1j]), np.array(["a"]), np.array([None]), int],
    ids=repr,
)  # fmt: skip
def test_what_is_no_data_is_named(value):
    with pytest.raises(TypeError, match=r"Odd\(value=…\) cannot be saved as data: \w+ "):
        Encoder().encode(Sequential(Affine(2), Odd([value])))


def test_present_values_count():
    made = Affine(3)
    made.weight_init = Constant(2)
    assert repr(through_json(made)) == "Affine(3, weight_init=Constant(2))"


# ---- twins


def test_twins_are_twins_again():
    shared, block = Affine(4), Sequential(Affine(4), Noise())
    net = Sequential(ReLU(), shared, block, shared.tied().named("again"), Residual(block.tied()), shared.tied())
    again = through_json(net, [Noise])
    assert repr(again) == repr(net)
    net.build((4,)), again.build((4,))
    assert list(again.params) == list(net.params)
    assert again.layers[3].W is again.layers[1].W is again.layers[5].W
    assert again.layers[4].body.layers[0].W is again.layers[2].layers[0].W
    assert again.layers[2].layers[0].W is not again.layers[1].W


def test_a_twin_that_was_changed_cannot_be_described():
    block = Sequential(Affine(4), ReLU())
    twin = block.tied()
    twin.replace("relu1", ReLU(0.5))
    with pytest.raises(TypeError, match=r"was changed after tied\(\) and cannot be saved"):
        Encoder().encode(Sequential(block, twin))


def test_twins_of_twins_cannot_fill_the_memory():
    layers = [{"class": "ReLU", "arguments": {}}]
    for n in range(1, 18):  # each holds the one before twice; number 0 is the whole
        layers.append({"class": "Sequential", "arguments": {"layers": [{"tied": n}, {"tied": n}]}})
    decoder = Decoder()
    with pytest.raises(FileFormatError, match=f"more than {MOST_TWINS:,} tied layers"):
        decoder.decode({"class": "Sequential", "arguments": {"layers": layers}})
    assert decoder.twins < 3 * MOST_TWINS


@pytest.mark.parametrize("number", [1, -7, 99, "0", None, [0], 0.0, 1e9])
def test_ties_to_nowhere(number):
    value = {"class": "Sequential", "arguments": {"layers": [{"tied": number}]}}
    with pytest.raises((FileFormatError, LookupError, TypeError)):
        Decoder().decode(value)


def test_a_layer_is_no_part_of_its_twin():
    with pytest.raises(FileFormatError, match="tied to one that it is a part of"):
        Decoder().decode({"class": "Sequential", "arguments": {"layers": [{"tied": 0}]}})


# ---- classes of one's own


class Spread(Layer):
    """Positional arguments, some with defaults, before any number of others, and names of all kinds."""

    def __init__(self, first, /, width, depth=3, *layers, scale=1.0, **more):
        self.first, self.width, self.depth, self.layers_, self.scale = first, width, depth, layers, scale
        self.more = more


@pytest.mark.parametrize(
    "made",
    [
        Spread(1, 2),
        Spread(1, 2, 3, ReLU()),
        Spread(1, 2, 4, ReLU(), Affine(2), scale=2.0, other=5),
        Spread(1, 2, other=None),
    ],
    ids=repr,
)
def test_every_kind_of_argument(made):
    again = through_json(made, [Spread])
    assert repr(again) == repr(made)
    assert (again.first, again.width, again.depth, again.more) == (1, 2, made.depth, made.more)
    assert len(again.layers_) == len(made.layers_)


def test_custom_containers_and_initialisers():
    class Ramp(Initializer):
        def sample(self, rng, shape, fan_in, fan_out):
            return np.arange(np.prod(shape), dtype=float).reshape(shape)

    made = Pair(Affine(2, weight_init=Ramp()), Sequential(Running(), Affine(2)))
    assert repr(through_json(made, [Pair, Running, Ramp])) == repr(made)
    for missing, rest in (("Ramp", [Pair, Running]), ("Pair", [Running, Ramp]), ("Running", [Pair, Ramp])):
        with pytest.raises(FileFormatError, match=rf"'{missing}' is not handbrew's; .* pass custom=\[{missing}\]"):
            through_json(made, rest)


def test_a_class_of_ones_own_that_bears_a_name_of_handbrews():
    own = type("Affine", (Affine,), {})
    made = Sequential(own(3), Affine(2))
    again = through_json(made, [own])
    assert [type(layer) for layer in again.layers] == [own, Affine]
    with pytest.raises(FileFormatError, match="the class 'Affine' is not handbrew's"):
        through_json(made)
    assert [type(layer) for layer in through_json(Sequential(Affine(2)), [own]).layers] == [Affine]


def test_a_net_with_a_constructor_of_its_own():
    class MLP(Sequential):
        def __init__(self, *sizes, slope=0.0):
            super().__init__(*(layer for n in sizes for layer in (Affine(n), ReLU(slope))), seed=2)

    made = MLP(4, 3, slope=0.5)
    assert repr(made) == "MLP(4, 3, slope=0.5)"
    again = through_json(made, [MLP])
    assert type(again) is MLP
    assert repr(again.layers) == repr(made.layers)


@pytest.mark.parametrize("custom", [[ReLU()], [int], ["ReLU"], [None], [lambda: ReLU()]])
def test_custom_holds_classes(custom):
    with pytest.raises((TypeError, AttributeError)):
        Decoder(custom)


# ---- what is refused

NAMES = [
    "os.system", "__import__", "eval", "exec", "open", "type", "object",
    "Layer", "Loss", "Net", "Initializer", "Configurable", "Cache", "Param", "check_layer",
    "handbrew.layers.Affine", "Affine.__init__", "affine", "", "Affine ",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("custom", [True, False])
def test_other_names_are_refused(name, custom):
    value = {"class": name, "arguments": {"value": "touch /tmp/pwned"}, "custom": custom}
    with pytest.raises(FileFormatError, match=r"the class .* is not handbrew's"):
        Decoder([Odd]).decode(value)


def test_what_may_be_named_is_what_computes():
    known = handbrews()
    assert {"Affine", "ReLU", "Sequential", "Residual", "He"} <= known.keys()
    assert all(issubclass(c, Configurable) for c in known.values())
    assert not {"Layer", "Loss", "Initializer", "Configurable", "Net"} & known.keys()


BAD = [
    {"class": "Affine", "arguments": {}},
    {"class": "Affine", "arguments": {"out_features": "ten"}},
    {"class": "Affine", "arguments": {"out_features": None}},
    {"class": "Affine", "arguments": {"out_features": -3}},
    {"class": "Affine", "arguments": {"out_features": [3]}},
    {"class": "Affine", "arguments": {"out_features": 3, "color": "red"}},
    {"class": "Affine", "arguments": {"self": 3}},
    {"class": "Affine", "arguments": [3]},
    {"class": "Affine", "arguments": None},
    {"class": "Affine"},
    {"class": ["Affine"], "arguments": {"out_features": 3}},
    {"class": None, "arguments": {}},
    {"class": 5, "arguments": {}},
    {"arguments": {}},
    {},
    {"class": "Sequential", "arguments": {"layers": []}},
    {"class": "Sequential", "arguments": {"layers": 5}},
    {"class": "Sequential", "arguments": {"layers": "ReLU"}},
    {"class": "Sequential", "arguments": {"layers": [5]}},
    {"class": "Sequential", "arguments": {"layers": [{"class": "He", "arguments": {}}]}},
    {"class": "Sequential", "arguments": {"layers": [{"class": "ReLU", "arguments": {}}], "seed": -1}},
    {"class": "ReLU", "arguments": {}, "name": 5},
    {"class": "ReLU", "arguments": {}, "name": "no word"},
    {"class": "ReLU", "arguments": {}, "name": "a.b"},
    {"class": "He", "arguments": {}, "name": "fc"},
    {"array": [1], "dtype": "O", "shape": [1]},
    {"array": [1], "dtype": "V1000000000", "shape": [1]},
    {"array": ["a"], "dtype": "U1000000000", "shape": [1]},
    {"array": [1], "dtype": "float32,(100000,100000)float32", "shape": [1]},
    {"array": [1], "dtype": "float32", "shape": [10**12]},
    {"array": [], "dtype": "float32", "shape": [0, 2**62, 2**62]},
    {"array": [1, 2], "dtype": "float32", "shape": [-1, -2]},
    {"array": ["a"], "dtype": "float32", "shape": [1]},
    {"array": [[1, 2]], "dtype": "float32", "shape": [1]},
    {"array": 1, "dtype": "float32", "shape": [1]},
    {"array": [1], "dtype": "float32"},
    {"array": [1], "dtype": ["float32"], "shape": [1]},
    {"array": [1], "dtype": "float32", "shape": [1], "order": "F"},
    {"tuple": 5},
    {"dict": [1]},
]


@pytest.mark.parametrize("value", BAD, ids=json.dumps)
def test_what_does_not_fit_is_refused(value):
    with pytest.raises((FileFormatError, TypeError, ValueError, KeyError, AttributeError)):
        Decoder().decode(value)


def test_long_arguments_do_not_flood_the_message():
    with pytest.raises(FileFormatError) as error:
        Decoder().decode({"class": "Affine", "arguments": {"out_features": ["x" * 1000] * 1000}})
    assert str(error.value).startswith("Affine cannot be made from the arguments {'out_features': ['xxx")
    assert len(str(error.value)) < 500
    with pytest.raises(FileFormatError) as error:
        Decoder().decode({"class": "\x1b[31m" + "x" * 10_000, "arguments": {}})
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 100
