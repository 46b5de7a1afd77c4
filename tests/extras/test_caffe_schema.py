"""The messages of Caffe's files: numbers, defaults and what is set."""

import os
import subprocess
import sys

import pytest
from caffe_wire import field, whole
from google.protobuf import descriptor_pool

from handbrew.nets.caffe.blobs import blob_proto
from handbrew.nets.caffe.schema import messages


def test_bytes_of_known_fields():
    net = messages().NetParameter(name="n")
    layer = net.layer.add(name="conv", type="Convolution", bottom=["a"], top=["b"])
    layer.convolution_param.num_output = 5
    layer.convolution_param.kernel_size.extend([3, 1])
    layer.clip_param.max = 0
    content = field(1, b"conv") + field(2, b"Convolution") + field(3, b"a") + field(4, b"b")
    content += field(106, whole(1, 5) + whole(4, 3) + whole(4, 1)) + field(148, b"\x15\0\0\0\0")
    assert net.SerializeToString() == field(1, b"n") + field(100, content)


def test_arrays_are_packed():
    assert messages().BlobProto(data=[0, 0]).SerializeToString() == field(5, bytes(8))
    assert messages().BlobShape(dim=[2, 3]).SerializeToString() == field(1, b"\x02\x03")


def test_defaults_and_what_is_set():
    pooling = messages().PoolingParameter()
    assert (pooling.pool, pooling.stride, pooling.pad, pooling.round_mode) == (0, 1, 0, pooling.CEIL)
    assert not pooling.HasField("pad")
    pooling.pad = 0
    assert pooling.HasField("pad")
    assert messages().NetState().phase == 1
    assert messages().HingeLossParameter().norm == messages().HingeLossParameter.L1 == 1
    assert messages().FillerParameter().type == "constant"
    assert messages().BatchNormParameter().moving_average_fraction == pytest.approx(0.999)
    assert messages().SolverParameter().random_seed == -1


def test_it_stands_beside_other_schemas_of_the_same_names():
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
    assert messages() is messages()


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_it_works_on_each_implementation_of_protobuf(implementation):
    program = """
from handbrew.nets.caffe.text import read_net
net = read_net('input: "x" input_shape { dim: 1 dim: 2 } layers { type: POOLING name: "p" bottom: "x" top: "p" '
               'pooling_param { pool: AVE } blobs_lr: 2 }')
pool = net.layer[1]
assert net.layer[0].input_param.shape[0].dim == [1, 2], net
assert (pool.type, pool.pooling_param.pool, pool.param[0].lr_mult) == ("Pooling", 1, 2), net
assert pool.HasField("pooling_param") and not pool.HasField("relu_param")
"""
    env = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
    subprocess.run([sys.executable, "-c", program], check=True, env=env, timeout=60)


def test_an_array_becomes_a_message():
    import numpy as np

    blob = blob_proto(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert list(blob.shape.dim) == [2, 3]
    assert list(blob.data) == [0, 1, 2, 3, 4, 5]
    assert list(blob_proto(np.array([1.5, 2.5])).double_data) == [1.5, 2.5]
