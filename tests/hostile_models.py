"""Models of other programs that somebody wanted to do harm with: see ``damage_models.py``."""

import io
import pickle

import damage
import h5py
import numpy as np
import onnx
from caffe_wire import field, varint

HEAD = b"layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }\n"


def one(kind, options, bottom="data", top="y"):
    """A net of one layer after its input."""
    return HEAD + f"layer {{ name: 'y' type: '{kind}' bottom: '{bottom}' top: '{top}' {options} }}\n".encode()


def chain(layers):
    return b"".join(b"layer { name: '%s' type: 'ReLU' bottom: '%s' top: '%s' }\n" % layer for layer in layers)


def huge_blob(*dims, data=b""):
    """A caffemodel with a blob that says it has this shape."""
    shape = field(7, field(1, b"".join(varint(size % 2**64) for size in dims)))
    return field(100, field(1, b"conv") + field(2, b"Convolution") + field(7, field(5, data) + shape))


def hostile_hdf5(make):
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        make(made)
    return file.getvalue()


def hostile(mark):
    """Files by name. None of them is anything that a reader should accept."""
    yield "a pickle", pickle.dumps({"conv": damage.Bait(mark)})
    yield "a Python layer", one("Python", f"python_param {{ module: 'os' layer: 'mkdir' param_str: '{mark}' }}")
    yield "a lone brace", b"layer {" * 3
    for depth in (50, 1000, 100_000):
        yield f"messages {depth} deep", b"layer { " * depth + b"}" * depth
        yield f"shapes {depth} deep", b"input_shape { " * depth + b"} " * depth
    yield "a circle", HEAD + chain([(b"a", b"b", b"a"), (b"b", b"a", b"b")])
    yield "a layer that reads itself", HEAD + chain([(b"a", b"a", b"b"), (b"b", b"b", b"a")])
    yield "a blob from nowhere", HEAD + chain([(b"a", b"nowhere", b"a")])
    yield "two producers", HEAD + chain([(b"a", b"data", b"y"), (b"b", b"data", b"y")])
    yield "a NUL", HEAD + b"\0" + chain([(b"a", b"data", b"y")])
    yield "an unknown layer", one("../../evil", "")
    yield "a million layers", b"layer{}" * 10**6
    yield "as many layers as there is room for", b"layer{}" * (2**21 // 7)
    yield "a number of endless digits", one("Convolution", "convolution_param { pad: " + "9" * 10**6 + " }")
    yield "a name of a megabyte", one("x" * 10**6, "")
    yield "endless tops", one("Slice", "top: 'b' " * 10_000)
    for n in (10**9, 2**31, 2**32 - 1):
        yield f"{n} output channels", one("Convolution", f"convolution_param {{ num_output: {n} kernel_size: 1 }}")
        yield f"{n} outputs", one("InnerProduct", f"inner_product_param {{ num_output: {n} }}")
        yield f"a kernel of {n}", one("Convolution", f"convolution_param {{ num_output: 1 kernel_size: {n} }}")
        yield f"a pad of {n}", one("Convolution", f"convolution_param {{ num_output: 1 kernel_size: 1 pad: {n} }}")
        yield f"{n} rows", one("Embed", f"embed_param {{ input_dim: {n} num_output: {n} }}")
        yield (
            f"a stride of 0 and {n} groups",
            one("Convolution", f"convolution_param {{ num_output: {n} kernel_size: 1 stride: 0 group: {n} }}"),
        )
        yield (
            f"a parameter of {n}",
            HEAD
            + (
                b"layer { name: 'p' type: 'Parameter' top: 'y' parameter_param { shape { dim: %d dim: %d } } }" % (n, n)
            ),
        )
    for size in (2**40, 2**62, 2**63 - 1, -1, 0):
        yield f"a blob of {size} values", huge_blob(size)
        yield f"a blob of {size} values, a few of them there", huge_blob(size, data=bytes(400))
        yield f"a blob of {size} times 2**40 values", huge_blob(size, 2**40, data=bytes(400))
        yield f"a field of {size} bytes", varint(100 << 3 | 2) + varint(size % 2**64) + bytes(100)
    yield "a blob of 100,000 axes", huge_blob(*[1] * 100_000, data=bytes(4))
    yield "a blob of 2**200 values", huge_blob(*[2**40] * 5, data=bytes(4))
    yield "a number that does not end", b"\xff" * 10**6
    yield "layers of nothing but blobs", field(100, field(1, b"conv") + field(7, b"") * 10**6)
    yield "a million layers of the same name", field(100, field(1, b"conv") + field(7, b"")) * 10**6
    yield from hostile_onnx()
    yield "hdf5: elsewhere", hostile_hdf5(lambda file: file.__setitem__("data", h5py.ExternalLink("/etc/passwd", "/")))
    yield "hdf5: in itself", hostile_hdf5(in_itself)
    yield (
        "hdf5: 2**40 values",
        hostile_hdf5(
            lambda file: file.create_dataset("data/conv/0", (2**40,), "f4", chunks=(2**10,), compression="gzip")
        ),
    )
    yield (
        "hdf5: objects",
        hostile_hdf5(lambda file: file.create_dataset("data/conv/0", data=["text"], dtype=h5py.string_dtype())),
    )
    yield (
        "hdf5: raw data elsewhere",
        hostile_hdf5(lambda file: file.create_dataset("data/conv/0", (4,), "f4", external=[("/etc/passwd", 0, 16)])),
    )


def onnx_of(*nodes, shape=(2, 2), **constants):
    """A model with these nodes, from ``x`` to ``y``; constants are arrays, or shapes of tensors without data."""
    graph = onnx.GraphProto(name="hostile", node=[onnx.helper.make_node(*node[:3], **node[3]) for node in nodes])
    for value, name in ((graph.input.add(), "x"), (graph.output.add(), "y")):
        value.CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape if name == "x" else None))
    for name, value in constants.items():
        if isinstance(value, np.ndarray):
            graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        else:
            graph.initializer.append(onnx.TensorProto(name=name, data_type=1, dims=value, raw_data=bytes(100)))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    return model.SerializeToString()


def elsewhere(location):
    """A model whose weights are in another file."""
    model = onnx.ModelProto.FromString(onnx_of(("Add", ["x", "W"], ["y"], {}), W=(2, 2)))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return model.SerializeToString()


def hostile_onnx():
    for size in (2**40, 2**62, 2**63 - 1, -1):
        yield f"onnx: a tensor of {size} values", onnx_of(("Add", ["x", "W"], ["y"], {}), W=(size,))
        yield f"onnx: a tensor of {size} times 2**40 values", onnx_of(("Add", ["x", "W"], ["y"], {}), W=(size, 2**40))
    sizes = np.array([2**40, 2**40])
    for kind, constant in (("ConstantOfShape", sizes), ("Expand", sizes), ("Tile", sizes)):
        inputs = ["s"] if kind == "ConstantOfShape" else ["c", "s"]
        nodes = (kind, inputs, ["big"], {}), ("Add", ["x", "big"], ["y"], {})
        yield f"onnx: {kind} of constants, 2**80 values", onnx_of(*nodes, s=constant, c=np.ones((1, 1), np.float32))
    bounds = {"a": np.array(0.0), "b": np.array(1e15), "c": np.array(1.0)}
    nodes = ("Range", ["a", "b", "c"], ["big"], {}), ("Add", ["x", "big"], ["y"], {})
    yield "onnx: a Range of 10**15 values", onnx_of(*nodes, **bounds)
    nodes = ("Add", ["x", "b"], ["a"], {}), ("Relu", ["a"], ["b"], {}), ("Relu", ["b"], ["y"], {})
    yield "onnx: a circle", onnx_of(*nodes)
    yield "onnx: an operator of its own", onnx_of(("Evil", ["x"], ["y"], {"domain": "evil"}))
    yield "onnx: weights that it has not", onnx_of(("Conv", ["x", "W"], ["y"], {}))
    yield "onnx: endless nodes", onnx_of(*[("Relu", ["x"], [f"y{i}"], {}) for i in range(3000)])
    yield "onnx: a graph in itself", nested(60)
    up = "../" * 9
    for location in ("/etc/passwd", f"{up}etc/passwd", f"x/{up}etc/passwd", "nothing", ""):
        yield f"onnx: weights in {location!r}", elsewhere(location)


def nested(depth):
    """An If in an If in an If."""
    graph = onnx.GraphProto(name="inner")
    for _ in range(depth):
        outer = onnx.GraphProto(name="outer")
        node = outer.node.add(op_type="If", input=["x"], output=["y"])
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g.CopyFrom(graph)
        graph = outer
    return onnx.helper.make_model(graph).SerializeToString()


def in_itself(file):
    file["data/conv/0"] = np.zeros(3, np.float32)
    file["data/conv/again"] = file["data"]
