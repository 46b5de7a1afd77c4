"""ONNX files that somebody wanted to do harm with: each is refused, quickly, in little memory."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handbrew.data import FileFormatError
from handbrew.layers import ShapeError
from handbrew.nets.onnx import load_onnx

node = helper.make_node


def model(nodes, initializers=(), inputs=None, outputs=("y",), shape=("N", 4)):
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)] if inputs is None else inputs
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "test", given, ends, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def tensor(name, dims, raw=b"", kind=TensorProto.FLOAT):
    return TensorProto(name=name, data_type=kind, dims=dims, raw_data=raw)


def refused(path, made):
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    with pytest.raises(FileFormatError) as caught:
        load_onnx(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


@pytest.fixture(autouse=True)
def little_memory():
    """Nothing here may take more than a gigabyte beyond what the tests have."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


GEMM = [node("Gemm", ["x", "W"], ["y"])]


@pytest.mark.parametrize(
    "dims", [[2**40], [2**20, 2**20], [2**62, 4], [2**63 - 1] * 3, [4, -3], [1] * 65, [0, 2**62]], ids=str
)
def test_sizes_are_checked_before_anything_is_made(dims, path):
    raw = b"" if 0 in dims else b"\0" * 48
    said = refused(path, model(GEMM, [tensor("W", dims, raw)]))
    assert "W" in said or "Gemm" in said


def test_too_few_numbers(path):
    short = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[2**40], float_data=[1.0])
    assert "needs 1,099,511,627,776 numbers" in refused(path, model(GEMM, [short]))


@pytest.mark.parametrize("kind", [0, TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.INT4, 99])
def test_what_is_no_number(kind, path):
    assert "data type" in refused(path, model(GEMM, [tensor("W", [4, 3], b"\0" * 48, kind)]))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", ["huge"], ["y"])],
        [node("Expand", ["x", "huge"], ["a"]), node("Neg", ["a"], ["y"])],
        [node("Tile", ["x", "huge"], ["y"])],
        [node("Range", ["zero", "end", "one"], ["y"])],
        [node("Constant", [], ["a"], value_ints=[2**20, 2**20]), node("ConstantOfShape", ["a"], ["y"])],
    ],
    ids=lambda nodes: nodes[0].op_type,
)
def test_much_out_of_little(nodes, path):
    known = [
        numpy_helper.from_array(np.array([2**20, 2**20]), "huge"),
        numpy_helper.from_array(np.array(0), "zero"),
        numpy_helper.from_array(np.array(2**40), "end"),
        numpy_helper.from_array(np.array(1), "one"),
    ]
    refused(path, model(nodes, known))


@pytest.mark.parametrize("axis", [0, 1])
def test_constants_that_double(axis, path):
    """Each operator makes little of what it gets, all together do not."""
    nodes = [node("Concat", [f"a{i}", f"a{i}"], [f"a{i + 1}"], axis=axis) for i in range(46)]
    known = [numpy_helper.from_array(np.zeros((32, 32), np.float32), "a0")]
    assert re.search("too much out of constants|would make", refused(path, model(nodes, known, outputs=("a46",))))


@pytest.mark.parametrize(
    "make",
    [
        lambda i: node("Neg", [f"a{i}"], [f"a{i + 1}"]),
        lambda i: node("Concat", [f"a{i}"] * 5000, [f"a{i + 1}"], axis=0),
        lambda i: node("Upsample", [f"a{i}", "scales"], [f"a{i + 1}"], mode="nearest"),
    ],
    ids=["Neg", "Concat", "Upsample"],
)
def test_constants_that_come_to_much(make, path):
    """A budget is kept for all that is folded, and asked before each is."""
    known = [
        numpy_helper.from_array(np.zeros((1, 1, 512, 512), np.float32), "a0"),
        numpy_helper.from_array(np.array([1, 1, 4096, 4096], np.float32), "scales"),
    ]
    made = model([make(i) for i in range(400)], known, outputs=("a400",))
    made.opset_import[0].version = 9 if made.graph.node[0].op_type == "Upsample" else 21
    assert re.search("too much out of constants|would make", refused(path, made))


@pytest.mark.parametrize(
    "made",
    [
        node("Pad", ["x", "pads"], ["y"]),
        node("Resize", ["x", "", "scales"], ["y"]),
        node("AveragePool", ["x"], ["y"], kernel_shape=[2**40, 2**40], pads=[2**40] * 4),
        node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], pads=[2**33] * 4),
        node("Conv", ["x", "W"], ["y"], pads=[2**33] * 4),
        node("Conv", ["x", "W"], ["y"], dilations=[2**62, 2**62]),
        node("ConvTranspose", ["x", "W"], ["y"], strides=[2**33, 2**33]),
        node("ConvTranspose", ["x", "W"], ["y"], output_shape=[2**33, 2**33]),
        node("DepthToSpace", ["x"], ["y"], blocksize=2**62),
        node("MaxUnpool", ["x", "i"], ["y"], kernel_shape=[2**30, 2**30], strides=[2**30, 2**30]),
        node("Softmax", ["x"], ["y"], axis=2**62),
        node("Transpose", ["x"], ["y"], perm=[2**62] * 4),
        node("Split", ["x"], ["y"], num_outputs=2**62),
        node("GroupNormalization", ["x", "w", "w"], ["y"], num_groups=2**62),
        node("LRN", ["x"], ["y"], size=2**62 + 1),
        node("ReduceSum", ["x", "pads"], ["y"]),
        node("Slice", ["x", "pads", "pads"], ["y"]),
    ],
    ids=lambda made: made.op_type,
)
def test_attributes_beyond_all_measure(made, path):
    """Refused when it is read, or else when it is run: nobody gets so much memory."""
    known = [
        numpy_helper.from_array(np.array([2**40] * 8), "pads"),
        numpy_helper.from_array(np.full(4, 2**20, np.float32), "scales"),
        numpy_helper.from_array(np.zeros((2, 2, 2, 2), np.float32), "W"),
        numpy_helper.from_array(np.zeros((1, 2, 3, 3), np.int64), "i"),
        numpy_helper.from_array(np.zeros(2, np.float32), "w"),
    ]
    path.write_bytes(model([made], known, shape=(1, 2, 3, 3)).SerializeToString())
    try:
        net = load_onnx(path)
        y = net.predict(np.zeros((1, 2, 3, 3), np.float32))
        assert y.size < 1000
    except (FileFormatError, ShapeError, ValueError, MemoryError):
        pass


def test_many_operators(path):
    """A chain of so many is a net, and takes its time in proportion."""
    nodes = [node("Relu", [f"a{i}" if i else "x"], [f"a{i + 1}"]) for i in range(5_000)]
    path.write_bytes(model(nodes, outputs=("a5000",)).SerializeToString())
    assert len(load_onnx(path).layers) == 5_000


def test_a_circle(path):
    nodes = [node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["a"]), node("Relu", ["x"], ["y"])]
    assert "reads 'a', which nothing before it makes" in refused(path, model(nodes))


def test_graphs_in_graphs(path):
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(30):
        inner = helper.make_graph([node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)][:1], "g", [], [])
        if inner.ByteSize() > 10**6:
            break
    assert "If" in refused(path, model([node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]))


def test_messages_in_messages(path):
    deep = b""
    for _ in range(100_000):
        deep = b"\x3a" + _varint(len(deep)) + deep[:200]
    refused(path, deep)


def _varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


class TestOtherFiles:
    """Data that lie beside the model."""

    def refers(self, location, **entries):
        held = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL)
        for key, value in {"location": location, **entries}.items():
            held.external_data.add(key=key, value=str(value))
        return model(GEMM, [held])

    @pytest.mark.parametrize("location", ["data.bin", "inner/data.bin"])
    def test_are_read(self, location, tmp_path, path):
        W = np.arange(12, dtype=np.float32).reshape(4, 3)
        (tmp_path / "inner").mkdir()
        (tmp_path / location).write_bytes(b"before" + W.tobytes() + b"after")
        path.write_bytes(self.refers(location, offset=6, length=48).SerializeToString())
        np.testing.assert_array_equal(load_onnx(path).params["gemm.W"].data, W)

    @pytest.mark.parametrize(
        "location",
        [
            "/etc/passwd",
            "../secret.bin",
            "inner/../../secret.bin",
            "",
            ".",
            "inner",
            "C:secret",
            "a\\..\\b",
            "a\0b",
            "none",
        ],
    )
    def test_elsewhere_are_not(self, location, tmp_path, path):
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "inner").mkdir()
        (tmp_path / "secret.bin").write_bytes(bytes(48))
        refused(tmp_path / "net" / "net.onnx", self.refers(location))

    def test_behind_links_are_not(self, tmp_path):
        (tmp_path / "secret.bin").write_bytes(bytes(48))
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "data.bin").symlink_to(tmp_path / "secret.bin")
        (tmp_path / "net" / "inner").symlink_to(tmp_path)
        for location in ("data.bin", "inner/secret.bin"):
            assert "is a link" in refused(tmp_path / "net" / "net.onnx", self.refers(location))

    @pytest.mark.parametrize(
        "entries",
        [{"offset": -8}, {"offset": 2**62}, {"offset": 1}, {"length": 47}, {"length": 2**62}, {"offset": "x"}],
    )
    def test_of_another_size_are_not(self, entries, tmp_path, path):
        (tmp_path / "data.bin").write_bytes(bytes(48))
        refused(path, self.refers("data.bin", **entries))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_that_are_no_files_are_not(self, tmp_path, path):
        os.mkfifo(tmp_path / "data.bin")
        refused(path, self.refers("data.bin"))


def test_reading_needs_no_more_than_the_parser(tmp_path):
    """Neither onnxruntime nor the shape inference of the onnx package, whose C++ sees nothing of a hostile file."""
    path = tmp_path / "net.onnx"
    path.write_bytes(model([node("Relu", ["x"], ["y"])]).SerializeToString())
    program = f"""
import sys
from pathlib import Path
from handbrew.nets.onnx import load_onnx
load_onnx({str(path)!r})
print("onnxruntime" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
    assert onnx.__version__
