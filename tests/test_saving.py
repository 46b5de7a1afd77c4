"""Saving and loading: equal bits, equal architecture; damaged, foreign and hostile files are refused."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest
from specimens import Noise, Pair, Running

from handbrew.data import FileFormatError
from handbrew.layers import (
    Affine,
    Branches,
    Constant,
    Layer,
    Loss,
    NotBuiltError,
    Param,
    ReLU,
    Residual,
    SoftmaxCrossEntropy,
    StateError,
    Uniform,
)
from handbrew.nets import Sequential, load_net, read_weights
from handbrew.nets.safetensors import write_safetensors
from handbrew.solvers import SGD

CUSTOM = [Noise, Pair, Running]
ENDINGS = [".safetensors", ".npz"]
rng = np.random.default_rng(5)
X = rng.normal(size=(6, 4)).astype(np.float32)
Y = np.array([0, 1, 2, 2, 1, 0])


@pytest.fixture(params=ENDINGS)
def path(tmp_path, request):
    return tmp_path / f"net{request.param}"


def plain():
    return Sequential(Affine(10), ReLU(), Affine(3).named("fc"), SoftmaxCrossEntropy(), seed=1)


def rich():
    """A net with everything that a file has to tell of."""
    shared = Affine(4, bias=False, weight_init=Uniform(-1, 1))
    head = Sequential(Affine(3), SoftmaxCrossEntropy(class_weight=np.array([1.0, 0.5, 2.0]), ignore_index=9))
    return Sequential(
        Running(),
        shared.named("shared"),
        Residual(Sequential(ReLU(0.1), shared.tied(), seed=8), shortcut=Affine(4, bias_init=Constant(0.5))),
        Branches(Affine(2), Pair(Affine(3), Affine(3))),
        Pair(Running(), Noise()),
        head.named("head"),
        seed=3,
    )


def train(net, steps=3):
    solver = SGD(net, lr=0.05, momentum=0.9)
    for _ in range(steps):
        net.forward(X, Y)
        net.backward()
        solver.step()
    return net


def assert_same_state(found, expected):
    found, expected = found.state(), expected.state()
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name, strict=True)


# ---- round trips


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [plain, rich])
def test_a_trained_net_comes_back_to_the_bit(path, make, dtype):
    net = train(make().astype(dtype))
    net.save(path)
    again = load_net(path, CUSTOM)
    assert repr(again) == repr(net)
    assert [p for p, _ in again.walk()] == [p for p, _ in net.walk()]
    assert again.in_shape == net.in_shape
    assert again.dtype == dtype
    assert_same_state(again, net)
    np.testing.assert_array_equal(again.predict(X), net.predict(X), strict=True)
    train(again, 1)
    assert np.isfinite(again.forward(X, Y))


def test_twins_multipliers_and_frozen_parameters(path):
    net = train(rich())
    net.params["shared.W"].lr_mult = 0.5
    net.params["head.affine1.b"].decay_mult = 0
    net.params["residual1.shortcut.W"].trainable = False
    net.save(path)
    again = load_net(path, CUSTOM)
    for name, p in net.params.items():
        q = again.params[name]
        assert (q.lr_mult, q.decay_mult, q.trainable) == (p.lr_mult, p.decay_mult, p.trainable), name
    assert again.layers[2].body.layers[1].W is again.layers[1].W
    assert "residual1.body.affine1.W" not in again.params


def test_a_net_of_two_dtypes(path):
    net = rich()
    net.layers[2].astype(np.float64)
    net.layers[5].layers[0].astype(np.float64)
    train(net).save(path)
    again = load_net(path, CUSTOM)
    assert {p: part.dtype for p, part in again.walk()} == {p: part.dtype for p, part in net.walk()}
    assert_same_state(again, net)
    np.testing.assert_array_equal(again.predict(X), net.predict(X), strict=True)


def test_a_net_without_parameters(path):
    net = Sequential(ReLU(0.5), SoftmaxCrossEntropy())
    net.build((4,))
    net.save(path)
    again = load_net(path)
    assert repr(again) == repr(net)
    assert again.in_shape == (4,)
    assert again.forward(X, Y) == net.forward(X, Y)


def test_replaced_and_renamed_layers(path):
    net = train(plain())
    net.replace("fc", Affine(5))
    net.replace("relu1", Running())
    net.layers[0].named("first")
    net.save(path)
    again = load_net(path, CUSTOM)
    assert list(again.children) == ["first", "relu1", "fc", "softmaxcrossentropy1"]
    assert repr(again) == repr(net)
    assert_same_state(again, net)


def test_a_net_made_of_another_nets_layers(path):
    part = Sequential(*train(plain()).layers[:-1])
    with pytest.raises(NotBuiltError):
        part.save(path)
    part.forward(X)
    part.save(path)
    np.testing.assert_array_equal(load_net(path).predict(X), part.predict(X))


def test_saving_changes_nothing_and_is_repeatable(path):
    net = train(rich())
    net.forward(X, Y)
    before = pickle.dumps(net)
    net.save(path)
    assert pickle.dumps(net) == before
    net.backward()
    content = path.read_bytes()
    net.save(path)
    assert path.read_bytes() == content


def test_a_loaded_net_saves_to_the_same_bytes(path):
    train(rich()).save(path)
    again = load_net(path, CUSTOM)
    again.save(path.with_stem("again"))
    assert path.with_stem("again").read_bytes() == path.read_bytes()


def test_numpy_reads_the_npz(tmp_path):
    net = train(plain())
    net.save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz", allow_pickle=False) as found:
        arrays = dict(found)
    described = json.loads(str(arrays.pop("handbrew")))
    assert described["net"]["class"] == "Sequential"
    assert list(arrays) == list(net.params)
    for name, p in net.params.items():
        np.testing.assert_array_equal(arrays[name], p.data, strict=True)


def test_an_npz_that_was_written_by_numpy_and_compressed(tmp_path):
    net = train(plain())
    net.save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as found:
        np.savez_compressed(tmp_path / "packed.npz", **found)
    assert_same_state(load_net(tmp_path / "packed.npz"), net)


def test_only_two_endings(tmp_path):
    net = plain()
    net.build((4,))
    for name in ("net", "net.pkl", "net.npz.gz", "net.NPZ"):
        with pytest.raises(ValueError, match=r"a net is saved as .safetensors or .npz"):
            net.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    with pytest.raises(NotBuiltError):
        plain().save(tmp_path / "net.npz")


def test_what_cannot_be_saved_leaves_the_old_file(path):
    class Lambda(Layer):
        def __init__(self, f):
            self.f = f

        def forward(self, x):
            return self.f(x)

    path.write_bytes(b"old")
    net = Sequential(Lambda(lambda x: x))
    net.forward(X)
    with pytest.raises(TypeError, match=r"Lambda\(f=…\) cannot be saved as data: function"):
        net.save(path)
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 1


# ---- net.load


def test_load_into_a_net_that_is_there(path):
    net = train(plain())
    net.save(path)
    other = plain()
    other.forward(X, Y)
    data = [p.data for p in other.params.values()]
    other.load(path)
    assert_same_state(other, net)
    assert all(p.data is d for p, d in zip(other.params.values(), data, strict=True)), "copied, not exchanged"


def test_load_into_an_unbuilt_net_builds_it(path):
    net = train(rich())
    net.save(path)
    other = rich()
    other.load(path)
    assert other.in_shape == (4,)
    assert_same_state(other, net)
    np.testing.assert_array_equal(other.predict(X), net.predict(X))


def test_loading_casts_to_the_nets_dtype(path):
    net = train(plain().astype(np.float64))
    net.save(path)
    other = plain()
    other.load(path)
    assert other.params["fc.W"].data.dtype == np.float32
    np.testing.assert_array_equal(other.params["fc.W"].data, net.params["fc.W"].data.astype(np.float32))


def test_a_solver_goes_on_with_what_was_loaded(path):
    net = train(plain())
    net.save(path)
    solver = SGD(net, lr=0.05)
    net.forward(X, Y), net.backward(), solver.step()
    net.load(path)
    other = load_net(path)
    for each, s in ((net, solver), (other, SGD(other, lr=0.05))):
        each.forward(X, Y), each.backward(), s.step()
    assert_same_state(net, other)


def test_another_nets_file_lists_every_difference_and_changes_nothing(path):
    train(plain()).save(path)
    net = Sequential(Affine(7), ReLU(), Affine(3), Running(), SoftmaxCrossEntropy())
    net.forward(X, Y)
    before = net.state()
    with pytest.raises(StateError) as error:
        net.load(path)
    assert str(error.value).splitlines() == [
        f"{path}: Sequential: this is the state of another net",
        "  missing: affine2.W (7, 3)",
        "  missing: affine2.b (3,)",
        "  missing: running1.scale (3,)",
        "  missing: running1.mean (3,)",
        "  unknown: fc.W (10, 3)",
        "  unknown: fc.b (3,)",
        "  affine1.W: expected shape (4, 7), got (4, 10)",
        "  affine1.b: expected shape (7,), got (10,)",
    ]
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    "other",
    [
        lambda: Sequential(Affine(10), ReLU(), Affine(4).named("fc")),
        lambda: Sequential(Affine(10), Affine(3)),
        lambda: Sequential(Affine(10), ReLU(), Affine(3, bias=False).named("fc")),
        lambda: Sequential(Affine(10), ReLU()),
        lambda: Sequential(Affine(10), Residual(Affine(10))),
    ],
)
def test_another_nets_file_leaves_an_unbuilt_net_unbuilt(path, other):
    train(plain()).save(path)
    net = other()
    with pytest.raises(StateError, match=f"^{path}: Sequential"):
        net.load(path)
    assert net.in_shape is None
    assert not any(part.in_shape for _, part in net.walk())
    net.build((10,))


def test_arrays_without_an_architecture(path):
    net = train(plain())
    if path.suffix == ".npz":
        np.savez(path, **net.state())
    else:
        with path.open("wb") as file:
            write_safetensors(file, net.state(), {})
    arrays, text = read_weights(path)
    assert list(arrays) == list(net.state())
    assert text is None
    with pytest.raises(FileFormatError, match=r"holds arrays but no architecture; make the net and call net.load"):
        load_net(path)
    with pytest.raises(NotBuiltError, match="call build"):
        plain().load(path)
    other = plain()
    other.build((4,))
    other.load(path)
    assert_same_state(other, net)


def test_the_ending_does_not_matter_for_reading(path, tmp_path):
    net = train(plain())
    net.save(path)
    path.rename(tmp_path / "weights.bin")
    assert_same_state(load_net(str(tmp_path / "weights.bin")), net)


def test_custom_classes_are_needed_and_named(path):
    train(rich()).save(path)
    with pytest.raises(
        FileFormatError, match=f"^{path}: the class 'Running' is not handbrew's; .* custom=\\[Running\\]"
    ):
        load_net(path)


# ---- damaged files


def png():
    return bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


def zip_of(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def npz_of(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


MISTYPED = {
    "empty": b"",
    "one byte": b"P",
    "text": b"epoch,loss\n1,0.5\n2,0.4\n",
    "text with a brace in ninth place": b"12345678{not this}",
    "png": png(),
    "pickle": pickle.dumps({"affine1.W": np.ones((4, 10))}),
    "npy": b"\x93NUMPY\x01\x00" + b"\0" * 60,
    "zeros": b"\0" * 1000,
    "empty zip": zip_of(),
    "zip of a text": zip_of(readme_txt="hello"),
    "npz of objects": npz_of(a=np.array([{"a": 1}], object)),
    "npz of strings": npz_of(a=np.array(["a"])),
    "npz with an architecture of numbers": npz_of(handbrew=np.ones(3)),
    "npz with an architecture of texts": npz_of(handbrew=np.array(["{}", "{}"])),
    "npz with an architecture that is no JSON": npz_of(handbrew=np.array("{")),
}


@pytest.mark.parametrize("content", MISTYPED.values(), ids=MISTYPED)
def test_mistyped_files(tmp_path, content):
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    net = plain()
    net.build((4,))
    before = net.state()
    with pytest.raises(FileFormatError) as error:
        load_net(path)
    assert str(error.value).startswith(f"{path}")
    with pytest.raises((FileFormatError, StateError)):
        net.load(path)
    with pytest.raises((FileFormatError, StateError)):
        plain().load(path) if b"{" in content else net.load(path)
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_pytorchs(zipped, tmp_path):
    path, net = tmp_path / "model.pt", Sequential(Affine(2))
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/data.pkl", pickle.dumps({}))
            archive.writestr("model/data/0", bytes(8))
    else:
        path.write_bytes(pickle.dumps({"0.weight": [1.0]}, 2))
    net.build((2,))
    for read in (load_net, read_weights, net.load, lambda path: net.load(path, torch_names=True)):
        with pytest.raises(FileFormatError) as error:
            read(path)
        assert str(error.value) == (
            f"{path}: a PyTorch pickle, which handbrew never reads; in PyTorch: "
            "from safetensors.torch import save_file; "
            f"save_file(torch.load({str(path)!r}, weights_only=True), 'model.safetensors')"
        )


@pytest.mark.parametrize(("ending", "said"), [
    ("onnx", "load_onnx({path!r})"),
    ("caffemodel", "load_caffe('net.prototxt', {path!r})"),
    ("prototxt", "load_caffe({path!r})"),
])  # fmt: skip
def test_files_of_other_readers(ending, said, tmp_path):
    path, net = tmp_path / f"lenet.{ending}", Sequential(Affine(2))
    net.build((2,))
    path.write_bytes(b"\x08\x07name: ")
    for read in (load_net, read_weights, net.load):
        with pytest.raises(FileFormatError) as error:
            read(path)
        assert f"expected a safetensors or npz file; {said.format(path=str(path))} reads" in str(error.value)
    net.save(tmp_path / "net.npz")
    (tmp_path / "net.npz").replace(path)
    load_net(path)  # what it is counts, whatever its name says


@pytest.mark.parametrize("case", ["empty", "text", "png", "empty zip"])
def test_mistyped_files_are_told_apart(tmp_path, case):
    (tmp_path / "net.npz").write_bytes(MISTYPED[case])
    with pytest.raises(FileFormatError, match="expected a safetensors or npz file, got one that starts with b"):
        load_net(tmp_path / "net.npz")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_net(tmp_path / "nowhere.npz")
    with pytest.raises(IsADirectoryError):
        load_net(tmp_path)


def test_cut_short_anywhere(path):
    train(rich()).save(path)
    whole, net = path.read_bytes(), rich()
    net.build((4,))
    before = net.state()
    for length in [*(len(whole) * i // 20 for i in range(20)), *range(len(whole) - 30, len(whole))]:
        path.write_bytes(whole[:length])
        for read in (lambda: load_net(path, CUSTOM), lambda: net.load(path), lambda: read_weights(path)):
            with pytest.raises(FileFormatError, match=f"^{path}"):
                pytest.fail(f"{length} of {len(whole)} bytes: {read()}")
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_more_than_the_whole(tmp_path):
    path = tmp_path / "net.safetensors"
    train(plain()).save(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(FileFormatError, match="the file is cut short or damaged"):
        load_net(path)


def test_a_flipped_bit_in_the_weights_is_noticed(path):
    net = train(plain())
    net.save(path)
    content = bytearray(path.read_bytes())
    content[content.index(net.params["fc.W"].data.tobytes()) + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="CRC" if path.suffix == ".npz" else "SHA-256"):
        load_net(path)


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_in_an_npz_is_noticed_or_harmless(tmp_path, bit):
    path = tmp_path / "net.npz"
    net = Sequential(Affine(2))
    net.build((3,))
    net.save(path)
    whole, (expected, text) = path.read_bytes(), read_weights(path)
    noticed = 0
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 1 << bit
        path.write_bytes(content)
        try:
            found, described = read_weights(path)
        except FileFormatError:
            noticed += 1
            continue
        assert described == text, at
        assert list(found) == list(expected), at
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, strict=True, err_msg=f"byte {at}")
    assert noticed > 0.7 * len(whole)  # the rest are dates, permissions and the like


# ---- files that lie


def forge(path, change, net=None):
    """Save a net, then change what its file says of it."""
    net = net or train(plain())
    net.save(path)
    arrays, text = read_weights(path)
    described = json.loads(text)
    change(described, arrays)
    if path.suffix == ".npz":
        np.savez(path, **arrays, handbrew=np.array(json.dumps(described)))
    else:
        with path.open("wb") as file:
            write_safetensors(file, arrays, {"handbrew": json.dumps(described)})


def put(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(described, arrays):
        place = {"described": described, "arrays": arrays}
        for key in keys:
            place = place[key]
        place[last] = value

    return change


AFFINE = ("described", "net", "arguments", "layers", 0)
LIES = {
    "another class": put(*AFFINE, "class", "os.system"),
    "a base class": put(*AFFINE, "class", "Layer"),
    "huge layer": put(*AFFINE, "arguments", "out_features", 10**12),
    "another size": put(*AFFINE, "arguments", "out_features", 11),
    "no argument": put(*AFFINE, "arguments", {}),
    "huge input": put("described", "in_shape", [10**13]),
    "infinite input": put("described", "in_shape", [1e999]),
    "negative input": put("described", "in_shape", [-4]),
    "input of texts": put("described", "in_shape", ["four"]),
    "input that is a text": put("described", "in_shape", "four"),
    "input that is an object": put("described", "in_shape", {}),
    "no input": put("described", "in_shape", None),
    "images": put("described", "in_shape", [1, 2, 2]),
    "several inputs": put("described", "in_shape", [[4], [4]]),
    "deep input": put("described", "in_shape", json.loads("[" * 500 + "]" * 500)),
    "integers": put("described", "dtype", "", "int64"),
    "half": put("described", "dtype", "", "float16"),
    "no dtype": put("described", "dtype", "", "floaty"),
    "dtype of another kind": put("described", "dtype", "", {}),
    "dtype of nobody": put("described", "dtype", "conv1", "float32"),
    "one dtype": put("described", "dtype", "float32"),
    "another format": put("described", "format", 2),
    "a net that is a layer": put("described", "net", {"class": "ReLU", "arguments": {}}),
    "a net that is a number": put("described", "net", 3),
    "a net that is nothing": put("described", "net", None),
    "multipliers of nobody": put("described", "params", {"fc.V": {"lr_mult": 0.0}}),
    "multipliers that are none": put("described", "params", {"fc.W": {"lr_mult": "fast"}}),
    "multipliers that are a list": put("described", "params", [1]),
    "an array too many": put("arrays", "extra.W", np.ones(3)),
    "an array of another shape": put("arrays", "fc.W", np.ones((3, 10), np.float32)),
    "a scalar": put("arrays", "fc.b", np.float32(1).reshape(())),
    "an array too few": lambda described, arrays: arrays.pop("fc.b"),
    "a key too few": lambda described, arrays: described.pop("params"),
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_lies_are_found(path, change):
    forge(path, change)
    with pytest.raises((FileFormatError, StateError), match=f"^{path}: "):
        load_net(path)


def test_arrays_that_do_not_fit_are_a_state_error(path):
    for case in ("huge layer", "another size", "huge input", "images", "an array too many", "an array too few"):
        forge(path, LIES[case])
        with pytest.raises(StateError):
            load_net(path)


def test_what_a_file_describes_is_a_net(path):
    def change(described, arrays):
        described["net"] = {"class": "ReLU", "arguments": {}}
        arrays.clear()

    forge(path, change)
    with pytest.raises(FileFormatError, match=f"^{path}: describes a ReLU, expected a Sequential"):
        load_net(path)


def test_arguments_that_do_not_fit_are_a_format_error(path):
    for case in ("another class", "a base class", "no argument"):
        forge(path, LIES[case])
        with pytest.raises(FileFormatError):
            load_net(path)
    forge(path, put(*AFFINE, "arguments", "out_features", -3))
    with pytest.raises(FileFormatError, match=f"^{path}: Affine cannot be made from the arguments"):
        load_net(path)


def test_a_deep_file(path):
    deep = {"class": "ReLU", "arguments": {}}
    for _ in range(200):
        deep = {"class": "Sequential", "arguments": {"layers": [deep]}}
    net = Sequential(ReLU())
    net.build((4,))
    forge(path, put("described", "net", deep), net)
    with pytest.raises(FileFormatError):
        load_net(path)


def test_unknown_multipliers_are_left_alone(path):
    forge(path, put("described", "params", {"fc.W": {"lr_mult": 2, "data": 7, "__class__": 1}}))
    p = load_net(path).params["fc.W"]
    assert type(p) is Param
    assert p.lr_mult == 2
    assert p.data.shape == (10, 3)


def run_limited(code, *arguments, megabytes=150):
    """Run Python on ``code`` with little more memory than it has after its imports; return what it says."""
    head = f"""
        import resource, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import numpy as np
        from specimens import *
        from test_saving import *
        with open("/proc/self/statm") as file:
            has = int(file.read().split()[0]) * resource.getpagesize()
        limit = has + {megabytes} * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            np.empty({megabytes} * 2**21, np.uint8)
        except MemoryError:
            print("limited")
    """
    program = textwrap.dedent(head) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[:1] == ["limited"], done.stderr
    assert done.returncode == 0, done.stderr[-2000:]
    return said[1:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")
def test_huge_sizes_are_refused_before_anything_is_allocated(tmp_path):
    huge = {name: LIES[name] for name in ("huge layer", "huge input")}
    twins = {"class": "Sequential", "arguments": {"layers": [{"class": "ReLU", "arguments": {}}]}}
    for n in range(1, 60):
        inner = {"class": "Sequential", "arguments": {"layers": [{"tied": n}, {"tied": n}]}}
        twins["arguments"]["layers"].append(inner)
    weights = {"array": [1], "shape": [1], "dtype": "V1000000000"}
    loss = {"class": "SoftmaxCrossEntropy", "arguments": {"class_weight": weights}}
    huge["twins of twins"] = put("described", "net", twins)
    huge["huge elements"] = put("described", "net", "arguments", "layers", 3, loss)
    for ending in ENDINGS:
        for name, change in huge.items():
            forge(tmp_path / f"{name}{ending}", change)
    net = train(plain())
    text = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (tmp_path / "huge array.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 100)
    (tmp_path / "huge header.safetensors").write_bytes((2**40).to_bytes(8, "little") + b"{}" + b"\0" * 100)
    net.save(tmp_path / "huge member.npz")
    content = (tmp_path / "huge member.npz").read_bytes()
    assert content.count(b"'shape': (4, 10), }      ") == 1
    (tmp_path / "huge member.npz").write_bytes(content.replace(b"(4, 10), }      ", b"(4, 10000000), }"))
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (25000000,), }"
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        archive.writestr("a.npy", start + b"\0" * 1000)
    bomb.write_bytes(
        bomb.read_bytes().replace((1000 + len(start)).to_bytes(4, "little"), (2**31).to_bytes(4, "little"))
    )
    said = run_limited(
        """
        from pathlib import Path
        for path in sorted(Path(sys.argv[1]).iterdir()):
            built, unbuilt = plain(), plain()
            built.build((4,))
            for read in (load_net, built.load, unbuilt.load):
                try:
                    read(path)
                    print(path.name, "loaded")
                except (FileFormatError, StateError):
                    print(path.name, "refused")
        """,
        tmp_path,
    )
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 12
    # The arrays are all right in those whose architecture lies, so a net that is built can take them.
    takes = [f"{name}{ending}" for name in huge for ending in ENDINGS]
    expected = []
    for name in files:
        expected += [f"{name} refused", f"{name} {'loaded' if name in takes else 'refused'}"]
        expected += [f"{name} {'loaded' if name in takes and 'huge input' not in name else 'refused'}"]
    assert said == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")
def test_mutated_files_load_rightly_or_are_refused(tmp_path):
    for ending in ENDINGS:
        train(rich()).save(tmp_path / f"net{ending}")
    said = run_limited("print(*mutate(sys.argv[1]))", tmp_path)
    counts = list(map(int, said[0].split()))
    assert sum(counts) == 4 * 300
    loaded, refused = sum(counts[::2]), sum(counts[1::2])
    assert loaded > 50, counts
    assert refused > 300, counts


EVIL = [
    None, True, False, 0, -1, 1, 2, 3, 10**12, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "W", "ReLU", "Layer", "Sequential", "float64", "O", [], [1], [[4]], {}, {"dict": {}}, {"tuple": [1]},
    {"tied": 0}, {"tied": 1}, {"tied": 2}, {"tied": -1}, {"array": [1], "shape": [1], "dtype": "float32"},
    {"class": "ReLU", "arguments": {}}, {"class": "He", "arguments": {}},
    {"class": "Affine", "arguments": {"out_features": 3}},
    {"class": "Running", "arguments": {}, "custom": True},
]  # fmt: skip


def mutate(folder):
    """Load hundreds of damaged files; count those that loaded and those that were refused, by kind."""
    found = []
    for ending in ENDINGS:
        for damage in (damage_bytes, damage_description):
            generator, loaded, refused = np.random.default_rng(0), 0, 0
            path = f"{folder}/net{ending}"
            with open(path, "rb") as file:
                whole = file.read()
            arrays, text = read_weights(path)
            for _ in range(300):
                damaged = f"{folder}/damaged{ending}"
                damage(generator, damaged, whole, arrays, text)
                try:
                    net = load_net(damaged, CUSTOM)
                    loaded += 1
                except (FileFormatError, StateError):
                    refused += 1
                    continue
                there, _ = read_weights(damaged)
                state = net.state()
                assert state.keys() == there.keys()
                for name, array in state.items():
                    with np.errstate(all="ignore"):
                        np.testing.assert_array_equal(array, there[name].astype(net.dtype))
            found += [loaded, refused]
    return found


def damage_bytes(generator, path, whole, arrays, text):
    content = bytearray(whole)
    for _ in range(generator.integers(1, 4)):
        # Most of a file is numbers; what is said about them stands in its first and last part.
        at = generator.choice(
            [generator.integers(3000), -1 - generator.integers(2000), generator.integers(len(content))]
        )
        kind = generator.integers(5)
        if kind == 0:
            content[at] ^= 1 << generator.integers(8)
        elif kind == 1:
            content[at] = generator.choice([*b'0123456789",:[]{}-e. ', 0, 255])
        elif kind == 2:
            start = at % len(content)
            del content[start : start + generator.integers(1, 20)]
        elif kind == 3:
            start = at % len(content)
            content[start:start] = generator.bytes(generator.integers(1, 20))
        else:
            start = at % (len(content) - 8)
            content[start : start + 8] = (2 ** int(generator.integers(64))).to_bytes(8, "little")
    with open(path, "wb") as file:
        file.write(content)


def damage_description(generator, path, whole, arrays, text):
    described, arrays = json.loads(text), dict(arrays)
    places = list(places_of(described)) + [(arrays, name) for name in arrays]
    for _ in range(generator.integers(1, 3)):
        place, key = places[generator.integers(len(places))]
        if place is arrays:
            array = arrays[key]
            arrays[key] = [
                array.T,
                array[..., None],
                array.astype(np.float64),
                array[:1],
                array.astype(np.int8) * 0,
            ][generator.integers(5)]
        elif isinstance(place, dict) and generator.integers(4) == 0:
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(EVIL[generator.integers(len(EVIL))])
    text = json.dumps(described)
    with open(path, "wb") as file:
        if path.endswith(".npz"):
            np.savez(file, **arrays, handbrew=np.array(text))
        else:
            write_safetensors(file, arrays, {"handbrew": text})


def places_of(value):
    """Every place in a JSON value, as (what holds it, key)."""
    if isinstance(value, (list, dict)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_of(value[key])


class Blk(Layer):
    """A container without ``build``, that changes the shape."""

    def __init__(self, width):
        self.width = width
        self.inner = Affine(width)

    def forward(self, x):
        return self.inner.forward(x)

    def backward(self, dy):
        return self.inner.backward(dy)


class Scaled(Loss):
    """A loss with a parameter."""

    def build(self, in_shape):
        self.gain = self.param("gain", (1,), Constant(2.0))
        return ()

    def forward(self, scores, target, weight=None):
        d = self.cache.d = scores * self.gain.data - self.check_pair(scores, target)
        self.cache.scores = scores
        return self.reduce(d * d, weight)

    def backward(self, dloss=1.0):
        slope = 2 * self.cache.d * self.scale(dloss)
        self.gain.add_grad(np.sum(slope * self.cache.scores, keepdims=True).reshape(1))
        return slope * self.gain.data


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_parts_that_do_not_say_their_shapes_are_loaded_too(tmp_path, suffix):
    X, T = np.ones((2, 4), np.float32), np.zeros((2, 3), np.float32)
    net = Sequential(Blk(7), Affine(3), Scaled())
    net.forward(X, T)
    net.params["scaled1.gain"].data = [5.0]
    path = tmp_path / f"net{suffix}"
    net.save(path)
    again = load_net(path, custom=[Blk, Scaled])
    assert again.forward(X, T) == net.forward(X, T)
    fresh = Sequential(Blk(7), Affine(3), Scaled())
    fresh.load(path)
    assert fresh.forward(X, T) == net.forward(X, T)


def test_custom_classes_by_name(tmp_path):
    net = Sequential(Blk(3), Affine(3))
    net.forward(X)
    net.save(tmp_path / "net.npz")
    again = load_net(tmp_path / "net.npz", custom={"Blk": Blk})
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
