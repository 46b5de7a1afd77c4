"""Damaged and hostile models of other programs, as ``damage.py`` has it for handbrew's own files.

``python tests/damage_models.py 10000`` needs the extras caffe, hdf5 and onnx.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

import damage
import h5py
import judges_models
import numpy as np
import onnx
from caffe_wire import caffemodel, field, varint, whole
from hostile_models import hostile
from onnx.reference import ReferenceEvaluator

from handbrew.layers import ShapeError
from handbrew.nets import GraphError
from handbrew.nets.caffe import load_caffe, read_caffemodel, read_net, read_solver
from handbrew.nets.onnx import load_onnx

# ---- whole files

NET = b"""name: "small"  # a comment
layer {
  name: "data"
  type: 'Input'
  top: "data"
  input_param { shape: { dim: 2 dim: 1 dim: 8 dim: 8 } }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 }
  param { name: "bias" lr_mult: 2 decay_mult: 0 }
  convolution_param {
    num_output: 4 group: 1 kernel_size: 3 pad: 1 stride: 2 bias_term: true
    weight_filler { type: "xavier" variance_norm: AVERAGE }
    bias_filler { type: "constant" value: -0.25e0 }
  }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: .5 } }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 5e-05 beta: 0.75 } }
layer {
  name: "pool" type: "Pooling" bottom: "norm" top: "pool"
  pooling_param { pool: MAX kernel_h: 2 kernel_w: 2 stride: 2 }
}
layer { name: "fc" "type": "InnerProduct" }
layer { name: "cut" type: "Slice" bottom: "pool" top: "a" top: "b" slice_param { axis: 1 slice_point: [2] } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" eltwise_param { coeff: 1 coeff: -1 } }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" include { phase: TRAIN not_stage: "deploy" } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" exclude < phase: TRAIN >; }
""".replace(b'layer { name: "fc" "type": "InnerProduct" }\n', b"")
SOLVER = b"""net: "train_val.prototxt"
test_iter: 100
test_interval: 500  # iterations
base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "multistep" gamma: 1e-1 stepvalue: 5000 stepvalue: 8000
display: 100
max_iter: 10000
snapshot: 5000
snapshot_prefix: 'lenet'
solver_mode: CPU
regularization_type: "L2"
test_state: { stage: 'a' 'b' level: -1 }
"""

# fmt: off
NUMBERS = [
    "0", "1", "2", "3", "-1", "-2", "7", "1.5", "-inf", "nan", "1e39", "1e-45", "0x7fffffff", "010", "255", "65536",
    "1000000000", "2147483647", "-2147483648", "4294967295", "4294967296", "9223372036854775807",
    "18446744073709551616", "3f", "[1,2]", "[]", "'7'", "{}",
]
TEXTS = [
    f"'{text}'"
    for text in (
        "", "conv", "data", "prob", "fc", "a", "a.b", "../x", "nan", "gaussian", "bilinear", "1", "TRAIN",
        r"\377", r"\000", "BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution", "DummyData", "Eltwise",
        "Embed", "Flatten", "Im2col", "InnerProduct", "LSTM", "Parameter", "Pooling", "Python", "ReLU", "Reshape",
        "SPP", "Scale", "Silence", "Slice", "Softmax", "SoftmaxWithLoss", "Split", "Tile",
    )
]
WORDS = ["true", "false", "MAX", "AVE", "STOCHASTIC", "TRAIN", "TEST", "SUM", "0", "1", "'t'", "AVERAGE", "inf"]
# fmt: on
PAIR = re.compile(rb"(\w+): ?('[^']*'|\"[^\"]*\"|[-+.\w]+)")


def forged_text(content, rng):
    """A text of good form that says something else: values, fields or lines changed, lost or put elsewhere."""
    for _ in range(rng.integers(1, 4)):
        pairs, lines = list(PAIR.finditer(content)), content.split(b"\n")
        if not pairs:
            break
        pair, other = (pairs[at] for at in rng.integers(len(pairs), size=2))
        at, there = rng.integers(len(lines), size=2)
        match rng.integers(8):
            case 0:
                content = content[: pair.start()] + content[pair.end() :]
            case 1:
                content = content[: pair.end()] + b" " + other[0] + content[pair.end() :]
            case 2:
                lines.insert(there, lines[at])
                content = b"\n".join(lines)
            case 3:
                lines.insert(there, lines.pop(at))
                content = b"\n".join(lines)
            case _:
                kinds = NUMBERS if pair[2][:1] in b"-.0123456789" else TEXTS if pair[2][:1] in b"'\"" else WORDS
                value = kinds[rng.integers(len(kinds))].encode()
                content = content[: pair.start(2)] + value + content[pair.end(2) :]
    return content


ARRAYS = {
    "conv": [np.arange(36, dtype=np.float32).reshape(4, 1, 3, 3), np.ones(4, np.float32)],
    "fc": [np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8), np.zeros(3, np.float32)],
}
TYPES = {"conv": "Convolution", "fc": "InnerProduct"}


def hdf5():
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        for name, arrays in ARRAYS.items():
            for number, array in enumerate(arrays):
                made[f"data/{name}/{number}"] = array
    return file.getvalue()


def onnx_model():
    """Written by the onnx package, not by handbrew."""
    node, numbers = onnx.helper.make_node, np.random.RandomState(0).uniform
    weights = {"W": (4, 2, 3, 3), "B": (4,), "scale": (4,), "bias": (4,), "mean": (4,), "var": (4,), "M": (3, 16)}
    nodes = [
        node("Conv", ["x", "W", "B"], ["conv"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["conv", "scale", "bias", "mean", "var"], ["norm"], "norm", epsilon=1e-3),
        node("LeakyRelu", ["norm"], ["relu"], "relu", alpha=0.25),
        node("AveragePool", ["relu"], ["pool"], "pool", kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1),
        node("Reshape", ["pool", "shape"], ["flat"], "flat"),
        node("Gemm", ["flat", "M"], ["fc"], "fc", transB=1, alpha=0.5),
        node("Softmax", ["fc"], ["y"], "prob", axis=1),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "small",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 2, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3])],
        [onnx.numpy_helper.from_array(numbers(0.1, 1, size).astype(np.float32), w) for w, size in weights.items()]
        + [onnx.numpy_helper.from_array(np.array([0, -1]), "shape")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def forged_model(content, rng):
    """Messages of good form that say something else somewhere; the lengths of those around it are right."""
    parts = [
        (number, kind, value if kind == 0 else bytes(value)) for number, kind, value in judges_models.fields(content)
    ]
    inner = [at for at, (_, kind, value) in enumerate(parts) if kind == 2 and len(value) > 3]
    if inner and rng.random() < 0.8:
        at = inner[rng.integers(len(inner))]
        number, kind, value = parts[at]
        try:
            value = forged_model(value, rng)
        except (ValueError, IndexError):  # a text, or packed numbers
            value = damage.damaged(value, rng)
        parts[at] = number, kind, value
        return b"".join(map(encoded, parts))
    at = rng.integers(len(parts))
    number, kind, value = parts[at]
    match rng.integers(5):
        case 0:
            parts.pop(at)
        case 1:
            parts.insert(rng.integers(len(parts)), parts[at])
        case 2:
            parts[at] = int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 50, 100, 2**29 - 1])), kind, value
        case _ if kind == 0:
            parts[at] = number, kind, int(damage.HUGE[rng.integers(len(damage.HUGE))])
        case _:
            parts[at] = number, kind, damage.damaged(value, rng)
    return b"".join(map(encoded, parts))


def encoded(part):
    number, kind, value = part
    if kind == 0:
        return whole(number, value)
    return field(number, value) if kind == 2 else varint(number << 3 | kind) + value


# ---- the kinds of files


def read_text(path):
    """The text's tree, once it is clear that a net can be made of it."""
    load_caffe(path)
    return judges_models.tree(read_net(path))


def read_solver_text(path):
    return judges_models.tree(read_solver(path))


def read_model(path):
    """Arrays by layer, once it is clear that ``load_caffe`` gives them to the layers that they are for, or refuses."""
    found = [[layer.name, layer.blobs] for layer in read_caffemodel(path)]
    load_caffe(NET.decode(), path)
    return found


class Outputs:
    """What a net makes of a fixed input; equal to what is about the same, and to what could not be computed."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __eq__(self, other):
        if self.arrays is None or other.arrays is None:
            return True
        same = [a.shape == b.shape for a, b in zip(self.arrays, other.arrays, strict=True)]
        close = [np.allclose(a, b, 1e-3, 1e-4, equal_nan=True) for a, b in zip(self.arrays, other.arrays, strict=True)]
        return all(same) and all(close)

    def __repr__(self):
        return f"Outputs({self.arrays})"


X = np.random.RandomState(1).uniform(-1, 1, (2, 2, 8, 8)).astype(np.float32)


def read_onnx(path):
    net = load_onnx(path)
    with np.errstate(all="ignore"):
        try:
            outputs = net.eval().forward(X)
        except (ShapeError, GraphError, MemoryError):  # another net, which takes other inputs, or far too much
            return Outputs(None)
    return Outputs(outputs if isinstance(outputs, tuple) else (outputs,))


def judged_onnx(content):
    try:
        with np.errstate(all="ignore"):
            return Outputs(ReferenceEvaluator(onnx.ModelProto.FromString(content)).run(None, {"x": X}))
    except Exception:
        return Outputs(None)


def judged_hdf5(content):
    with tempfile.NamedTemporaryFile() as place:
        Path(place.name).write_bytes(content)
        with h5py.File(place.name) as file:
            groups = {
                name: [group[number] for number in sorted(group, key=int)] for name, group in file["data"].items()
            }
            return [[name, [np.asarray(one) for one in blobs]] for name, blobs in groups.items() if blobs]


def judged_text(content):
    return ordered(judges_models.prototxt(content))


def ordered(value):
    if isinstance(value, dict):
        return {name: [ordered(one) for one in value[name]] for name in sorted(value)}
    return value


def model(old=False):
    return caffemodel(ARRAYS, TYPES, old)


KINDS = {
    "prototxt": (lambda: NET, damage.damaged, read_text, judged_text),
    "prototxt, values": (lambda: NET, forged_text, read_text, judged_text),
    "solver": (lambda: SOLVER, damage.damaged, read_solver_text, judged_text),
    "solver, values": (lambda: SOLVER, forged_text, read_solver_text, judged_text),
    "caffemodel": (model, damage.damaged, read_model, judges_models.caffemodel),
    "caffemodel, values": (model, forged_model, read_model, judges_models.caffemodel),
    "caffemodel, V1": (lambda: model(old=True), damage.damaged, read_model, judges_models.caffemodel),
    "caffemodel, hdf5": (hdf5, damage.damaged, read_model, judged_hdf5),
    "onnx": (onnx_model, damage.damaged, read_onnx, judged_onnx),
    "onnx, values": (onnx_model, forged_model, read_onnx, judged_onnx),
}


def load_weights(path):
    return load_caffe(NET.decode(), path)


READERS = {"load_caffe": load_caffe, "read_caffemodel": read_caffemodel, "load_caffe with weights": load_weights}
READERS |= {"read_solver": read_solver, "load_onnx": load_onnx}

if __name__ == "__main__":
    damage.KINDS, damage.READERS, damage.hostile = KINDS, READERS, hostile
    load_caffe(NET.decode()).forward(X[:, :1])  # imports what is imported late
    if len(sys.argv) == 2:
        sys.exit(damage.main(int(sys.argv[1]), __file__))
    damage.answer(*sys.argv[1:])
