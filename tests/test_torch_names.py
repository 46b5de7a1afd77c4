"""PyTorch's state dicts, stored by make_stored_torch.py with what PyTorch computes, and maps of names."""

from pathlib import Path

import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.layers import (
    Affine,
    BatchNorm,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Embedding,
    Flatten,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool2D,
    NotBuiltError,
    PReLU,
    ReLU,
    Residual,
    RMSNorm,
    Sigmoid,
    SoftmaxCrossEntropy,
    StateError,
)
from handbrew.nets import Sequential
from handbrew.nets.safetensors import read_safetensors, write_safetensors

STORED = Path(__file__).with_name("stored_torch")


def chain():
    return Sequential(
        Conv2D(3, 3, padding=1, bias=False), BatchNorm(), ReLU(), MaxPool2D(2, 1),
        Flatten(), Affine(4), BatchNorm(), Sigmoid(), Affine(3),
    )  # fmt: skip


def nested():
    block = Residual(Sequential(Conv2D(4, 3, padding=1, groups=2), InstanceNorm(affine=True)), Conv2D(4, 1, bias=False))
    return Sequential(
        Sequential(Conv2D(4, 3), GroupNorm(2), PReLU()).named("features"),
        block.named("block"),
        ConvTranspose2D(3, 2, stride=2, bias=False).named("up"),
        LayerNorm().named("norm"),
        Flatten(),
        Affine(5, bias=False).named("classifier"),
    )


def sequence():
    return Sequential(Conv1D(4, 3, stride=2, dilation=2), PReLU(shared=True), Flatten(), Affine(2))


def words():
    # PyTorch's RMSNorm takes the smallest step of float32 for eps, where none is given.
    return Sequential(Embedding(7, 3), RMSNorm(eps=float(np.finfo(np.float32).eps)), Affine(2))


NETS = {
    "sequential": chain,
    "nested": nested,
    "sequence": sequence,
    "words": words,
    "float16": chain,
    "bfloat16": chain,
}


def stored(name):
    with np.load(STORED / f"{name}.npz", allow_pickle=False) as file:
        return file["x"], file["y"]


def write(path, arrays):
    with path.open("wb") as file:
        write_safetensors(file, arrays, {})
    return path


def built(net, *shape):
    net.build(shape)
    return net


@pytest.mark.parametrize("name", NETS)
def test_the_net_computes_what_pytorchs_did(name):
    x, y = stored(name)
    net = built(NETS[name](), *x.shape[1:])
    before = net.state()
    net.load(STORED / f"{name}.safetensors", torch_names=True)
    np.testing.assert_allclose(net.predict(x), y, rtol=1e-5, atol=1e-5)
    assert all(a.dtype == np.float32 for a in net.state().values())
    assert all((before[path] != array).any() for path, array in net.state().items())  # nothing was left out


def test_a_map_of_modules():
    x, y = stored("sequential")
    net = Sequential(
        Sequential(Conv2D(3, 3, padding=1, bias=False), BatchNorm(), ReLU(), MaxPool2D(2, 1)).named("features"),
        Flatten(), Affine(4).named("hidden"), BatchNorm(), Sigmoid(), Affine(3).named("scores"), SoftmaxCrossEntropy(),
    )  # fmt: skip
    net.build((2, 6, 5))
    modules = {"0": "features.conv2d1", "1": "features.batchnorm1", "5": "hidden", "6": "batchnorm1", "8": "scores"}
    net.load(STORED / "sequential.safetensors", torch_names=modules)
    np.testing.assert_allclose(net.forward(x[:0]).shape, (0, 3))
    np.testing.assert_allclose(net.eval().forward(x), y, rtol=1e-5, atol=1e-5)


def test_a_map_of_beginnings(tmp_path):
    arrays = {f"module.net.{name}": a for name, a in read_safetensors(STORED / "nested.safetensors")[0].items()}
    path = write(tmp_path / "parallel.safetensors", arrays)
    x, y = stored("nested")
    net = built(nested(), *x.shape[1:])
    net.load(path, torch_names={"module": "norm", "module.net": ""})  # the longest counts
    np.testing.assert_allclose(net.predict(x), y, rtol=1e-5, atol=1e-5)


def test_a_map_after_a_prefix(tmp_path):
    x, y = stored("sequential")
    arrays = {f"module.{name}": a for name, a in read_safetensors(STORED / "sequential.safetensors")[0].items()}
    arrays |= {f"module.fc.{last}": arrays.pop(f"module.8.{last}") for last in ("weight", "bias")}
    net = built(chain(), 2, 6, 5)
    net.load(write(tmp_path / "file.safetensors", arrays), torch_names={"module": "", "fc": "affine2"})
    np.testing.assert_allclose(net.predict(x), y, rtol=1e-5, atol=1e-5)


def test_a_layer_called_as_the_prefix(tmp_path):
    net = built(Sequential(Affine(2).named("module")), 2)
    arrays = {"module.module.weight": np.ones((2, 2)), "module.module.bias": np.ones(2)}
    net.load(write(tmp_path / "file.safetensors", arrays), torch_names={"module": ""})


def lines(net, path, **options):
    with pytest.raises(StateError) as error:
        net.load(path, **options)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_a_map_to_a_layer_that_is_not_there():
    net = built(chain(), 2, 6, 5)
    said = lines(net, STORED / "sequential.safetensors", torch_names={"0": "conv2d", "1": "xyz", "8": "affine2.W"})
    assert said[:3] == [
        "unknown: torch_names has '0': 'conv2d', a layer which the net has not; did you mean 'conv2d1'?",
        "unknown: torch_names has '1': 'xyz', a layer which the net has not",
        "unknown: torch_names has '8': 'affine2.W', a layer which the net has not; did you mean 'affine2'?",
    ]


def test_two_names_for_one_layer(tmp_path):
    net = built(Sequential(Affine(2).named("a"), Affine(2).named("b")), 2)
    arrays = {"x.weight": np.ones((2, 2)), "x.bias": np.ones(2), "y.weight": np.zeros((2, 2)), "y.bias": np.ones(2)}
    path = write(tmp_path / "file.safetensors", arrays)
    assert lines(net, path, torch_names={"x": "a", "y": "a"}) == [
        "a.W: the file has two for it, x.weight and y.weight (torch_names has 'x': 'a', 'y': 'a')",
        "missing: b.W (2, 2)",
        "missing: b.b (2,)",
    ]
    arrays = {"0.weight": np.ones((2, 2)), "0.bias": np.ones(2), "y.weight": np.zeros((2, 2)), "y.bias": np.ones(2)}
    path = write(tmp_path / "file.safetensors", arrays)
    said = lines(net, path, torch_names={"y": "a"})
    assert said[0] == "a.W: the file has two for it, 0.weight and y.weight (torch_names has 'y': 'a')"


@pytest.mark.parametrize("prefix", ["module", "model.net"])
@pytest.mark.parametrize("modules", [True, {"8": "affine2"}])
def test_a_prefix_that_all_names_have(prefix, modules, tmp_path):
    stored = read_safetensors(STORED / "sequential.safetensors")[0]
    path = write(tmp_path / "file.safetensors", {f"{prefix}.{name}": a for name, a in stored.items()})
    net = built(chain(), 2, 6, 5)
    said = lines(net, path, torch_names=modules)
    assert said[0] == f"all of the file's names begin with {prefix}.; torch_names={{{prefix!r}: ''}} takes that away"
    net.load(path, torch_names={prefix: ""} | ({} if modules is True else modules))
    path = write(tmp_path / "file.safetensors", {f"{prefix}.layer{name}": a for name, a in stored.items()})
    assert not any("takes that away" in line for line in lines(net, path, torch_names=modules))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"torch_names": "yes"}, "torch_names: expected True, False or a dict of strings, got 'yes'"),
        ({"torch_names": 1}, "torch_names: expected True, False or a dict of strings, got 1"),
        ({"torch_names": {0: "a"}}, "torch_names: expected names as strings, got {0: 'a'}"),
        ({"torch_names": {"0": 3}}, "torch_names: expected names as strings, got {'0': 3}"),
        ({"names": {"a.W": None}}, "names: expected names as strings, got {'a.W': None}"),
        ({"names": ["a.W"]}, r"names: expected a dict of strings, got \['a.W'\]"),
        ({"names": True}, "names: expected a dict of strings, got True"),
    ],
)
def test_maps_of_other_types(options, said, tmp_path):
    net = built(Sequential(Affine(2).named("a")), 2)
    path = write(tmp_path / "file.safetensors", {"a.weight": np.ones((2, 2)), "a.bias": np.ones(2)})
    with pytest.raises(TypeError, match=said):
        net.load(path, **options)


def test_weights_that_are_tied_there(tmp_path):
    """safetensors stores one of the two names only."""
    net = built(Sequential(Embedding(7, 3).named("emb"), Affine(7, bias=False).named("head")), 2)
    W = np.arange(21, dtype=np.float32).reshape(7, 3)
    path = write(tmp_path / "file.safetensors", {"emb.weight": W})
    net.load(path, names={"head.W": "emb.weight"}, torch_names=True)
    np.testing.assert_array_equal(net.params["emb.W"].data, W)
    np.testing.assert_array_equal(net.params["head.W"].data, W.T)
    path = write(tmp_path / "file.safetensors", {"head.weight": W + 1})
    net.load(path, names={"emb.W": "head.weight"}, torch_names=True)
    np.testing.assert_array_equal(net.params["emb.W"].data, W + 1)
    np.testing.assert_array_equal(net.params["head.W"].data, W.T + 1)


def test_a_name_that_is_claimed_is_no_others(tmp_path):
    net = built(Sequential(Affine(2).named("a"), Affine(2).named("b")), 2)
    b = np.ones(2, np.float32)
    arrays = {"b.W": np.eye(2), "x.W": 2 * np.eye(2), "a.b": b, "b.b": b}
    path = write(tmp_path / "file.safetensors", arrays)
    net.load(path, names={"a.W": "b.W", "b.W": "x.W"})
    np.testing.assert_array_equal(net.params["b.W"].data, 2 * np.eye(2))
    arrays = {"1.weight": np.eye(2), "b.weight": 2 * np.eye(2), "a.bias": b, "b.bias": b}
    net.load(write(tmp_path / "file.safetensors", arrays), {"a.W": "1.weight"}, torch_names=True)
    np.testing.assert_array_equal(net.params["a.W"].data, np.eye(2))
    np.testing.assert_array_equal(net.params["b.W"].data, 2 * np.eye(2))


def test_a_transposed_matrix_is_called_so(tmp_path):
    net = built(Sequential(Affine(3, bias=False).named("a")), 2)
    path = write(tmp_path / "file.safetensors", {"odd": np.ones((3, 2))})
    said = "a.W, the file's odd: expected shape (2, 3), got (3, 2) (transposed; torch_names=True turns a Linear's)"
    assert lines(net, path, names={"a.W": "odd"}) == [said]


def test_a_place_of_very_many_digits(tmp_path):
    net = built(Sequential(Affine(2).named("a")), 2)
    digits = "1" * 5000
    arrays = {f"{digits}.weight": np.ones((2, 2)), "\u0663.bias": np.ones(2), "0.bias": np.ones(2)}
    said = lines(net, write(tmp_path / "file.safetensors", arrays), torch_names=True)
    assert said == [f"unknown: {'1' * 77}… (2, 2)", "unknown: \u0663.bias (2,)", "missing: a.W (2, 2)"]


def test_names_of_ones_own(tmp_path):
    net = built(Sequential(Affine(3).named("a"), Affine(2).named("b")), 4)
    state = {name: a + 1 for name, a in net.state().items()}
    path = write(tmp_path / "own.safetensors", {"first": state["a.W"]} | {n: a for n, a in state.items() if n != "a.W"})
    net.load(path, names={"a.W": "first"})
    np.testing.assert_array_equal(net.params["a.W"].data, state["a.W"])
    np.testing.assert_array_equal(net.params["b.W"].data, state["b.W"])


def test_names_and_pytorchs_layout(tmp_path):
    net = built(Sequential(Affine(3).named("a"), Affine(2).named("b")), 4)
    state = {name: a + 1 for name, a in net.state().items()}
    path = write(
        tmp_path / "both.safetensors",
        {"odd": state["a.W"].T, "a.bias": state["a.b"], "b.weight": state["b.W"].T, "b.bias": state["b.b"]},
    )
    net.load(path, names={"a.W": "odd"}, torch_names=True)
    for name, array in state.items():
        np.testing.assert_array_equal(net.state()[name], array)


def test_tied_layers(tmp_path):
    shared = Affine(3)
    net = built(Sequential(shared.named("a"), shared.tied().named("b")), 3)
    W = np.arange(9, dtype=np.float32).reshape(3, 3)
    once = {"a.weight": W, "a.bias": W[0]}
    net.load(write(tmp_path / "once.safetensors", once), torch_names=True)
    net.load(write(tmp_path / "twice.safetensors", once | {"b.weight": W}), torch_names=True)
    np.testing.assert_array_equal(net.params["a.W"].data, W.T)
    with pytest.raises(StateError, match=r"a\.W: the file has two for it, a\.weight and b\.weight"):
        net.load(write(tmp_path / "two.safetensors", once | {"b.weight": W + 1}), torch_names=True)


def test_a_layer_of_ones_own(tmp_path):
    class Gain(Layer):
        def build(self, in_shape):
            self.gain = self.param("gain", in_shape, Affine(1).weight_init, fan_in=1)
            return in_shape

        def forward(self, x):
            return x * self.gain.data

    net = built(Sequential(Gain(), Affine(2)), 3)
    arrays = {"0.gain": np.ones(3), "1.weight": np.ones((2, 3)), "1.bias": np.ones(2)}
    net.load(write(tmp_path / "own.safetensors", arrays), torch_names=True)
    np.testing.assert_array_equal(net.params["gain1.gain"].data, np.ones(3))


def test_every_difference_is_listed_and_nothing_changed(tmp_path):
    net = built(Sequential(Affine(3).named("a"), BatchNorm().named("bn"), Affine(2).named("b")), 4)
    before = net.state()
    arrays = {
        "a.weight": np.ones((3, 4), np.float32),
        "a.bias": np.ones(4, np.float32),  # wrong shape
        "a.num_batches_tracked": np.array(3),
        "bn.weight": np.ones(3, np.float32),
        "bn.bias": np.ones(3, np.float32),
        "bn.running_var": np.ones(3, np.float32),  # and no mean
        "b.weight": np.ones((2, 5), np.float32),  # wrong shape, turned
        "rnn.weight_hh_l0": np.ones((8, 2), np.float32),  # no such layer
        "2.scale": np.ones(2, np.float32),  # no such array
        "9.weight": np.ones(2, np.float32),
    }
    with pytest.raises(StateError) as error:
        net.load(write(tmp_path / "file.safetensors", arrays), {"b.b": "beta", "c.W": "x"}, torch_names=True)
    assert str(error.value).splitlines()[1:] == [
        "  unknown: names has 'c.W', which the net has not",
        "  unknown: rnn.weight_hh_l0 (8, 2)",
        "  unknown: 2.scale (2,)",
        "  unknown: 9.weight (2,)",
        "  a.b, the file's a.bias: expected shape (3,), got (4,)",
        "  b.W, the file's b.weight: expected shape (3, 2), got (5, 2) (transposed)",
        "  missing: b.b (2,), which names says is beta",
        "  missing: bn.mean (3,)",
    ]
    for name, array in before.items():
        np.testing.assert_array_equal(net.state()[name], array)


def test_a_net_that_is_not_built():
    net = chain()
    with pytest.raises(NotBuiltError, match=r"call build\(in_shape\)"):
        net.load(STORED / "sequential.safetensors", torch_names=True)
    net.build((2, 6, 5))
    net.load(STORED / "sequential.safetensors", torch_names=True)


def test_without_names_the_file_is_not_ours():
    net = built(chain(), 2, 6, 5)
    with pytest.raises(StateError, match=r"unknown: 0\.weight"):
        net.load(STORED / "sequential.safetensors")
    with pytest.raises(StateError, match=r"unknown: 0\.weight"):
        net.load(STORED / "sequential.safetensors", torch_names=False)


def test_a_damaged_file(tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes((STORED / "sequential.safetensors").read_bytes()[:-4])
    with pytest.raises(FileFormatError, match="cut short"):
        built(chain(), 2, 6, 5).load(path, torch_names=True)
