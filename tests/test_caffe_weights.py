"""Caffemodels, against files made by hand; tests/extras compares with those that protobuf makes."""

import tracemalloc

import numpy as np
import pytest
from caffe_wire import blob, field, varint, whole

from handbrew.data import FileFormatError
from handbrew.nets.caffe.weights import read_caffemodel
from handbrew.nets.safetensors import write_safetensors

W = np.arange(12, dtype=np.float32).reshape(4, 3)
B = np.arange(4, dtype=np.float32)
VAST = field(7, field(1, varint(2**40)))  # the shape of a blob of 2^40 values


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(content)
        return read_caffemodel(path)

    return read


def check(layers, kinds=("InnerProduct", "Convolution"), old=False):
    assert [(layer.name, layer.kind) for layer in layers] == list(zip(("fc/1", "conv"), kinds, strict=True))
    for layer in layers:
        for found, expected in zip(layer.blobs, (W, B), strict=True):
            shape = (1,) * (4 - expected.ndim) + expected.shape if old else expected.shape
            np.testing.assert_array_equal(found, expected.reshape(shape), strict=True)


def test_layers_of_today(read):
    blobs = field(7, blob(W)) + field(7, blob(B))
    conv = field(100, blobs + field(106, b"\x08\x04") + field(2, b"Convolution") + field(1, b"conv"))
    relu = field(100, field(1, b"relu") + field(2, b"ReLU"))
    check(read(field(1, b"net") + field(100, field(1, b"fc/1") + field(2, b"InnerProduct") + blobs) + relu + conv))


def test_layers_of_v1(read):
    blobs = field(6, blob(W, old=True)) + field(6, blob(B, old=True))
    fc, conv = (field(2, field(4, name) + whole(5, kind) + blobs) for name, kind in ((b"fc/1", 14), (b"conv", 4)))
    check(read(fc + conv), old=True)


def test_layers_of_v0(read):
    blobs = field(50, blob(W, old=True)) + field(50, blob(B, old=True))
    fc, conv = (
        field(2, field(2, b"data") + field(1, field(1, name) + field(2, kind) + blobs))
        for name, kind in ((b"fc/1", b"innerproduct"), (b"conv", b"conv"))
    )
    check(read(fc + conv), old=True)


def test_names_that_are_no_utf8_stay_apart(read):
    found = read(b"".join(field(100, field(1, name) + field(7, blob(B))) for name in (b"\xff", b"\xfe")))
    assert [layer.name for layer in found] == ["\\xff", "\\xfe"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'name: "LeNet"\nlayer {\n', r"net\.caffemodel: is text, .* the prototxt.*\(there is no field 13 of kind 6"),
        (
            field(100, field(1, b"fc") + field(7, blob(W)) + field(7, field(7, field(1, varint(2**40))))),
            "layer fc, blob 1",
        ),
        (field(100, field(1, b"fc") + field(7, blob(W)))[:-1], "promises"),
        (whole(1, 8) + field(7, field(1, b"an ONNX model")), "has no layers"),
        (field(100, b"\x0a\x50fc"), "promises 80 bytes where 2"),
    ],
)
def test_what_is_refused(read, content, message):
    with pytest.raises(FileFormatError, match=message):
        read(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "run `git lfs pull`"),
        (b"<html>\n<body>", "is a web page"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"PK\x03\x04\x14\0", "zip archive"),
        (b"\x80\x02}q\0.", "is a pickle"),
        (b"# a net\nlayer { }", "is text, .* have the two changed places?"),
        (whole(1, 8) + field(2, b"pytorch") + field(7, field(11, b"x")) + field(8, whole(2, 13)), "is an ONNX model"),
        (whole(1, 500) + field(2, b"lenet_iter_500.caffemodel") + field(3, blob(W)) * 2, "is a solver's state"),
        (blob(W, old=True), "is a single array"),
        ((field(1, b"net") + field(100, field(1, b"fc") + field(7, blob(W))))[:-9], "is cut off, or damaged; download"),
    ],
)
def test_files_that_are_something_else(read, content, message):
    with pytest.raises(FileFormatError, match=rf"net\.caffemodel: .*{message}"):
        read(content)


@pytest.mark.parametrize("content", [field(100, field(7, blob(B)) * 11), field(100, field(7, blob(B))) * 11])
def test_more_blobs_than_a_net_has(read, monkeypatch, content):
    monkeypatch.setattr("handbrew.nets.caffe.weights.MOST_BLOBS", 10)
    with pytest.raises(FileFormatError, match="more than 10 blobs"):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x12\x00" * 30_000,
        field(100, b"") * 20_000,
        field(100, field(7, b"")) * 10_000,
        field(100, field(7, b"") * 30_000),
        field(100, b"".join(field(number, b"") for number in range(100, 20_000))),
        whole(1, 1) * 30_000,
    ],
)
def test_small_things_many_times_take_no_memory(read, monkeypatch, content):
    """protobuf makes some 500 bytes of each layer of 2."""
    monkeypatch.setattr("handbrew.nets.caffe.weights.MOST_BLOBS", 100)
    tracemalloc.start()
    try:
        read(content)
    except FileFormatError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 * len(content) + 100_000


def test_a_snapshot_in_the_place_of_weights(tmp_path):
    path = tmp_path / "lenet_iter_5.solverstate.safetensors"
    with path.open("wb") as file:
        write_safetensors(file, {"W": W}, {"handbrew.snapshot": "{}"})
    said = r"is a snapshot of a training; --snapshot goes on from it, and its weights are in lenet_iter_5\.caffemodel$"
    with pytest.raises(FileFormatError, match=said):
        read_caffemodel(path)
    path = path.rename(tmp_path / "lenet.caffemodel")
    with pytest.raises(FileFormatError, match="is a safetensors file, not a caffemodel"):
        read_caffemodel(path)
