"""Caffemodels as protobuf makes and reads them, and files of which little is left whole."""

import math

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handbrew.data import FileFormatError
from handbrew.nets.caffe.schema import messages
from handbrew.nets.caffe.weights import LayerWeights, read_caffemodel, write_caffemodel

W = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
B = np.arange(4, dtype=np.float64) / 3
WEIGHTS = [LayerWeights("fc/1", "InnerProduct", [W, B]), LayerWeights("fc/1", "InnerProduct", [W[:2]])]


def net():
    net = messages().NetParameter(name="two of one name")
    net.layer.add(name="data", type="Input", top=["x"])
    for _ in WEIGHTS:
        net.layer.add(name="fc/1", type="InnerProduct", bottom=["x"], top=["y"]).inner_product_param.num_output = 4
    return net


def check(found, expected):
    assert [layer[:2] for layer in found] == [layer[:2] for layer in expected]
    for layer, other in zip(found, expected, strict=True):
        for array, twin in zip(layer.blobs, other.blobs, strict=True):
            np.testing.assert_array_equal(array, twin, strict=True)


def with_blobs():
    full = net()
    for layer, weights in zip(full.layer[1:], WEIGHTS, strict=True):
        for array in weights.blobs:
            blob = layer.blobs.add()
            blob.shape.dim.extend(array.shape)
            (blob.double_data if array.dtype == np.float64 else blob.data).extend(array.ravel().tolist())
    return full


def test_what_protobuf_writes_is_read_and_what_is_written_protobuf_reads(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(with_blobs().SerializeToString())
    check(read_caffemodel(path), WEIGHTS)
    for args in ((net(), WEIGHTS), (with_blobs(),)):
        write_caffemodel(path, *args)
        assert messages().NetParameter.FromString(path.read_bytes()) == with_blobs()
        check(read_caffemodel(path), WEIGHTS)


def test_weights_of_no_layer_are_refused(tmp_path):
    with pytest.raises(ValueError, match="layers that the net does not have: fc/1, other"):
        write_caffemodel(tmp_path / "x", net(), [*WEIGHTS, WEIGHTS[0], LayerWeights("other", "", [W])])
    assert not list(tmp_path.iterdir())


def text(value):
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def judged(content):
    """What protobuf makes of the bytes."""
    found = []
    for layer in messages().NetParameter.FromString(content).layer:
        arrays = []
        for blob in layer.blobs:
            data = np.array(blob.double_data or np.array(blob.data, np.float32))
            shape = tuple(blob.shape.dim)
            if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
                shape = (blob.num, blob.channels, blob.height, blob.width)
            if data.size != math.prod(shape) or not all(size > 0 for size in shape):
                raise DecodeError(f"{shape} of {data.size}")
            arrays.append(data.reshape(shape))
        if arrays:
            found.append(LayerWeights(text(layer.name), text(layer.type), arrays))
    return found


CONTENT = with_blobs().SerializeToString()


CHANGES = st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), max_size=3)


@settings(max_examples=500, deadline=None)
@given(CHANGES, st.integers(0, len(CONTENT)))
@example([(235, 0)], 0)  # a number where the name, a text, is expected: protobuf passes over it
def test_damaged_files_are_refused_or_read_as_protobuf_does(tmp_path_factory, changes, end):
    content = bytearray(CONTENT)
    for at, byte in changes:
        content[at] = byte
    content = bytes(content[: end if end % 2 else None])
    path = tmp_path_factory.getbasetemp() / "damaged.caffemodel"
    path.write_bytes(content)
    try:
        found = read_caffemodel(path)
    except FileFormatError:
        return
    try:
        expected = judged(content)
    except (DecodeError, UnicodeDecodeError):
        return  # by what is not read: a layer's parameters
    check(found, expected)
