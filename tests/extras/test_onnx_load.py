"""ONNX models as nets: which layers they become, what is learned, and what is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from handbrew.data import FileFormatError
from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import GraphError, Sequential, export_numpy, load_net
from handbrew.nets.onnx import load_onnx, save_onnx
from handbrew.solvers import SGD

RNG = np.random.default_rng(0)
node = helper.make_node


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def value(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def write(path, nodes, inputs, outputs, weights=(), version=21):
    """A model of these nodes; outputs are names, of a kind and shape that nobody asks for."""
    ends = [value(name) if isinstance(name, str) else name for name in outputs]
    held = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "test", inputs, ends, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


def kinds(net):
    return [type(layer).__name__ for layer in net.layers]


class TestLayers:
    """Where handbrew has the layer, it is that."""

    def test_gemm_of_known_weights(self, path):
        W, b = floats(3, 4), floats(3)
        nodes = [node("Gemm", ["x", "W", "b"], ["y"], "fc", alpha=2.0, beta=0.5, transB=1)]
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ["y"], {"W": W, "b": b}))
        assert repr(net.layers[0]) == "Affine(3)"
        assert net.in_shape == (4,)
        np.testing.assert_allclose(net.params["fc.W"].data, 2 * W.T)
        x = floats(5, 4)
        np.testing.assert_allclose(net.predict(x), 2 * x @ W.T + 0.5 * b, rtol=1e-5)

    @pytest.mark.parametrize(
        ("attributes", "layer"),
        [
            ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, "Conv2D(6, 3, stride=2, padding=1)"),
            ({"pads": [0, 1, 2, 3], "group": 2, "dilations": [1, 2]},
             "Conv2D(6, 3, padding=(0, 2, 1, 3), dilation=(1, 2), groups=2)"),
            ({"auto_pad": "VALID"}, "Conv2D(6, 3)"),
            ({"auto_pad": "SAME_UPPER"}, "OnnxConv(auto_pad='SAME_UPPER')"),
        ],
    )  # fmt: skip
    def test_conv(self, attributes, layer, path):
        W = floats(6, 4 // attributes.get("group", 1), 3, 3)
        nodes = [node("Conv", ["x", "W", "b"], ["y"], **attributes)]
        write(path, nodes, [value("x", "N", 4, 9, 8)], ["y"], {"W": W, "b": floats(6)})
        net = load_onnx(path)
        assert layer in [repr(layer) for layer in net.layers]
        x = floats(2, 4, 9, 8)
        expected = ReferenceEvaluator(str(path)).run(None, {"x": x})[0]
        np.testing.assert_allclose(net.predict(x), expected, rtol=1e-4, atol=1e-5)

    def test_a_merge_of_equal_shapes_is_a_merge_else_broadcasting(self, path):
        inputs = [value("a", "N", 3), value("b", "N", 3), value("c", 1, 3)]
        nodes = [node("Add", ["a", "b"], ["s"]), node("Add", ["s", "c"], ["y"])]
        assert kinds(load_onnx(write(path, nodes, inputs, ["y"]))) == ["Add", "OnnxBinary"]

    @pytest.mark.parametrize(
        ("shape", "kind", "found"),
        [
            ((0, -1), "Flatten", (3, 24)),
            ((-1, 24), "Flatten", (3, 24)),
            ((0, 8, 3), "Reshape", (3, 8, 3)),
            ((-1, 12), "OnnxReshape", (6, 12)),
        ],
    )
    def test_reshape(self, shape, kind, found, path):
        nodes = [node("Reshape", ["x", "shape"], ["y"])]
        net = load_onnx(write(path, nodes, [value("x", "N", 4, 6)], ["y"], {"shape": np.array(shape)}))
        assert kinds(net) == [kind]
        assert net.predict(floats(3, 4, 6)).shape == found

    SHAPES = {
        "x.view(x.size(0), -1)": (
            [
                node("Shape", ["a"], ["shape"]),
                node("Gather", ["shape", "zero"], ["n"], axis=0),
                node("Unsqueeze", ["n", "axes"], ["n1"]),
                node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            ],
            "Flatten",
        ),
        "of the net's input": (
            [
                node("Shape", ["x"], ["n1"], start=0, end=1),
                node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            ],
            "Flatten",
        ),
        "x.view(x.size(0), x.size(1), -1)": (
            [
                node("Shape", ["a"], ["shape"]),
                node("Slice", ["shape", "axes", "two"], ["n"]),
                node("Concat", ["n", "rest"], ["wanted"], axis=0),
            ],
            "Reshape",
        ),
        "x.view(x.size(1), -1)": (
            [
                node("Shape", ["a"], ["n1"], start=1, end=2),
                node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            ],
            "OnnxReshape",
        ),
        "x.view(2 * x.size(0), -1)": (
            [
                node("Shape", ["a"], ["n"], start=0, end=1),
                node("Mul", ["n", "two"], ["n1"]),
                node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            ],
            "OnnxReshape",
        ),
    }

    @pytest.mark.parametrize("name", SHAPES)
    def test_a_shape_that_is_worked_out(self, name, path):
        """As PyTorch writes it."""
        made, kind = self.SHAPES[name]
        nodes = [node("Softplus", ["x"], ["a"]), *made, node("Reshape", ["a", "wanted"], ["y"])]
        known = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "two": np.array([2])}
        net = load_onnx(write(path, nodes, [value("x", "N", 2, "H", 4)], ["y"], known))
        assert kinds(net)[-1] == kind
        assert kind == "OnnxReshape" or kinds(net) == ["Softplus", kind]  # nothing else is left
        x = floats(4, 2, 3, 4)
        expected = ReferenceEvaluator(str(path)).run(None, {"x": x})[0]
        np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5)

    def test_a_shape_that_is_an_output_too(self, path):
        nodes = [
            node("Shape", ["x"], ["n"], start=0, end=1),
            node("Concat", ["n", "rest"], ["wanted"], axis=0),
            node("Reshape", ["x", "wanted"], ["y"]),
        ]
        net = load_onnx(write(path, nodes, [value("x", "N", 2, 3)], ["y", "n"], {"rest": np.array([-1])}))
        y, n = net.predict(floats(5, 2, 3))
        assert y.shape == (5, 6)
        assert n == [5]

    def test_a_size_of_another_batch(self, path):
        """Of an input that has not this one's samples."""
        nodes = [
            node("Shape", ["z"], ["n"], start=0, end=1),
            node("Concat", ["n", "rest"], ["wanted"], axis=0),
            node("Reshape", ["x", "wanted"], ["y"]),
        ]
        inputs = [value("x", "N", 4), value("z", "M", 4)]
        net = load_onnx(write(path, nodes, inputs, ["y"], {"rest": np.array([-1])}))
        assert "OnnxReshape" in kinds(net)

    def test_exports_as_numpy(self, path, tmp_path):
        nodes = [
            node("Relu", ["x"], ["a"]),
            node("Shape", ["a"], ["shape"]),
            node("Gather", ["shape", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["n1"]),
            node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            node("Reshape", ["a", "wanted"], ["flat"]),
            node("Gemm", ["flat", "W"], ["y"]),
        ]
        known = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "W": floats(8, 2)}
        net = load_onnx(write(path, nodes, [value("x", "N", 2, 4)], ["y"], known))
        assert kinds(net) == ["ReLU", "Flatten", "Affine"]
        assert net.layers[-1].in_shape == (8,)  # found out on loading
        export_numpy(net, tmp_path / "net.py")

    def test_names(self, path):
        nodes = [node("Relu", ["in.put 1"], ["a/b.c"], "re.lu"), node("Relu", ["a/b.c"], ["y"], "re.lu")]
        net = load_onnx(write(path, nodes, [value("in.put 1", "N", 3)], ["y"]))
        assert net.inputs == ("in_put_1",)
        assert [entry.name for entry in net.nodes] == ["re_lu", "re_lu_2"]
        assert net.nodes[0].outputs == ("a/b_c",)

    def test_a_loss_at_the_end(self, path):
        nodes = [node("Gemm", ["x", "W"], ["s"], "fc"), node("SoftmaxCrossEntropyLoss", ["s", "t"], ["loss"])]
        inputs = [value("x", "N", 4), value("t", "N", kind=TensorProto.INT64)]
        net = load_onnx(write(path, nodes, inputs, ["loss"], {"W": floats(4, 3)}))
        assert isinstance(net.loss, SoftmaxCrossEntropy)
        solver, x, t = SGD(net, lr=0.5), floats(12, 4), RNG.integers(0, 3, 12)
        losses = []
        for _ in range(20):
            losses.append(net.forward(x, t))
            net.backward()
            solver.step()
        assert losses[-1] < losses[0]


class TestWeights:
    """Initialisers are learned, constants are not."""

    def test_what_an_operator_reads_is_a_parameter(self, path):
        nodes = [
            node("Constant", [], ["two"], value=numpy_helper.from_array(np.full(3, 2, np.float32))),
            node("Mul", ["x", "w"], ["a"]),
            node("Add", ["a", "two"], ["b"]),
            node("Sub", ["b", "one"], ["y"]),
        ]
        w = floats(3)
        write(path, nodes, [value("x", "N", 3)], ["y"], {"w": w, "one": np.array(1, np.float32)})
        net = load_onnx(path)
        assert [*net.params] == ["w.value"]
        x = floats(4, 3)
        np.testing.assert_allclose(net.forward(x), x * w + 1, rtol=1e-6)
        net.backward(np.ones((4, 3), np.float32))
        np.testing.assert_allclose(net.params["w.value"].grad, x.sum(axis=0), rtol=1e-5)

    def test_what_depends_on_constants_only_is_worked_out(self, path):
        nodes = [node("Transpose", ["W"], ["T"]), node("MatMul", ["x", "T"], ["y"])]
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ["y"], {"W": floats(3, 4)}))
        assert kinds(net) == ["Affine"]

    def test_weights_that_are_cut_out_of_one(self, path):
        """The parts are worked out within the budget, however many of their sizes there are."""
        nodes = [node("Split", ["W"], ["A", "B"], axis=1, num_outputs=2), node("MatMul", ["x", "A"], ["y"])]
        W = floats(4, 20_000)
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ["y"], {"W": W}))
        np.testing.assert_array_equal(net.params["matmul.W"].data, W[:, :10_000])

    @pytest.mark.parametrize("outputs", [1, 3])
    @pytest.mark.parametrize("turned", [False, True])
    @pytest.mark.parametrize("axes", [(), (7,)])
    def test_a_product_and_a_sum_are_affine(self, axes, turned, outputs, path):
        addends = ["b", "p"] if turned else ["p", "b"]
        nodes = [node("MatMul", ["x", "W"], ["p"], "fc"), node("Add", addends, ["s"]), node("Relu", ["s"], ["y"])]
        known = {"W": floats(4, outputs), "b": floats(outputs)}
        net = load_onnx(write(path, nodes, [value("x", "N", *axes, 4)], ["y"], known))
        assert kinds(net) == ["Affine", "ReLU"]
        assert [*net.params] == ["fc.W", "fc.b"]
        assert net.nodes[0].outputs == ("s",)
        x = floats(3, *axes, 4)
        np.testing.assert_allclose(net.predict(x), np.maximum(0, x @ known["W"] + known["b"]), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(
        ("b", "more"),
        [
            (floats(3), [node("Neg", ["p"], ["z"])]),
            (np.array(2, np.float32), []),
            (floats(1), []),
            (floats(2, 3), []),
            (floats(1, 1, 3), []),
        ],
    )
    def test_a_product_and_another_sum_are_not(self, b, more, path):
        nodes = [node("MatMul", ["x", "W"], ["p"]), node("Add", ["p", "b"], ["y"]), *more]
        known = {"W": floats(4, 3), "b": b}
        ends = ["y", *[made.output[0] for made in more]]
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ends, known))
        assert "OnnxBinary" in kinds(net)
        assert "matmul.b" not in net.params
        x = floats(2, 4)
        y = net.predict(x)
        np.testing.assert_allclose(y[0] if more else y, x @ known["W"] + b, rtol=1e-5, atol=1e-6)

    def test_only_numbers_without_axes_stay_what_they_are(self, path):
        nodes = [node("Mul", ["x", "a"], ["m"]), node("Add", ["m", "b"], ["s"]), node("Pow", ["s", "c"], ["y"])]
        known = {"a": floats(1), "b": np.array(2, np.float32), "c": np.array([2], np.float32)}
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ["y"], known))
        assert [*net.params] == ["a.value"]

    @pytest.mark.parametrize("kind", [np.float16, np.float64])
    def test_precision(self, kind, path):
        W = floats(4, 3).astype(kind)
        given = value("x", "N", 4, kind=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
        net = load_onnx(write(path, [node("Gemm", ["x", "W"], ["y"], "fc")], [given], ["y"], {"W": W}))
        assert net.dtype == (np.float64 if kind is np.float64 else np.float32)
        np.testing.assert_array_equal(net.params["fc.W"].data, W)

    def test_numbers_as_fields(self, path):
        """Not as raw bytes: old models have them so."""
        arrays = {
            "f": (TensorProto.FLOAT, [1.5, -2.0, 3.0], [1.5, -2, 3]),
            "h": (TensorProto.FLOAT16, [np.float16(v).view(np.uint16).item() for v in (1.5, -2, 3)], [1.5, -2, 3]),
            "b": (TensorProto.BFLOAT16, [0x3FC0, 0xC000, 0x4040], [1.5, -2, 3]),
        }
        for kind, numbers, expected in arrays.values():
            tensor = TensorProto(name="w", data_type=kind, dims=[3])
            (tensor.float_data if kind == TensorProto.FLOAT else tensor.int32_data).extend(numbers)
            write(path, [node("Mul", ["x", "w"], ["y"])], [value("x", "N", 3)], ["y"])
            model = onnx.load(path)
            model.graph.initializer.append(tensor)
            path.write_bytes(model.SerializeToString())
            np.testing.assert_array_equal(load_onnx(path).params["w.value"].data, expected)

    def test_saves_and_loads_as_any_net(self, path, tmp_path):
        nodes = [
            node("Conv", ["x", "W"], ["a"]),
            node("HardSwish", ["a"], ["b"]),
            node("ReduceMean", ["b", "axes"], ["c"], keepdims=0),
            node("Mul", ["c", "w"], ["y"]),
        ]
        known = {"W": floats(3, 2, 3, 3), "axes": np.array([2, 3]), "w": floats(3)}
        net = load_onnx(write(path, nodes, [value("x", "N", 2, 5, 5)], ["y"], known))
        x = floats(2, 2, 5, 5)
        for ending in (".safetensors", ".npz"):
            net.save(tmp_path / f"net{ending}")
            again = load_net(tmp_path / f"net{ending}")
            np.testing.assert_array_equal(again.predict(x), net.predict(x))

    def test_summary(self, path):
        nodes = [node("Gemm", ["x", "W"], ["a"], "fc"), node("Softsign", ["a"], ["y"], "soft")]
        net = load_onnx(write(path, nodes, [value("x", "N", 4)], ["y"], {"W": floats(4, 3)}))
        assert "fc" in str(net.summary())


class TestSharing:
    """One array in the file is one in the net, before training and after."""

    W, b, K = floats(3, 3), floats(3), floats(3, 3, 3, 3)
    TIED = {
        "Gemm": [
            node("Gemm", ["x", "W", "b"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("Gemm", ["t", "W", "b"], ["y"]),
        ],
        "MatMul": [node("MatMul", ["x", "W"], ["h"]), node("Tanh", ["h"], ["t"]), node("MatMul", ["t", "W"], ["y"])],
        "Conv": [
            node("Reshape", ["x", "image"], ["i"]),
            node("Conv", ["i", "K", "b"], ["h"], pads=[1] * 4),
            node("Tanh", ["h"], ["t"]),
            node("Conv", ["t", "K", "b"], ["y"], pads=[1] * 4),
        ],
        "Identity": [
            node("Identity", ["W"], ["V"]),
            node("MatMul", ["x", "W"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("MatMul", ["t", "V"], ["y"]),
        ],
        "MatMul and Add": [
            node("MatMul", ["x", "W"], ["g"]),
            node("Add", ["g", "b"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("MatMul", ["t", "W"], ["u"]),
            node("Add", ["b", "u"], ["y"]),
        ],
    }
    MIXED = {
        "turned": [
            node("MatMul", ["x", "W"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("Gemm", ["t", "W"], ["y"], transB=1),
        ],
        "other bias": [
            node("Gemm", ["x", "W", "b"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("Gemm", ["t", "W"], ["y"]),
        ],
        "an operator": [
            node("MatMul", ["x", "W"], ["h"]),
            node("ReduceSum", ["W"], ["t"]),
            node("Mul", ["h", "t"], ["y"]),
        ],
        "transposed": [
            node("Transpose", ["W"], ["V"], perm=[1, 0]),
            node("MatMul", ["x", "W"], ["h"]),
            node("Tanh", ["h"], ["t"]),
            node("MatMul", ["t", "V"], ["y"]),
        ],
    }

    def trained(self, nodes, path):
        known = {"W": self.W, "b": self.b, "K": self.K, "image": np.array([0, 3, 1, 1])}
        read = {name for made in nodes for name in made.input}
        write(path, nodes, [value("x", "N", 3)], ["y"], {k: v for k, v in known.items() if k in read})
        x = floats(8, 3)
        expected = ReferenceEvaluator(str(path)).run(None, {"x": x})[0]
        net = load_onnx(path)
        solver = SGD(net, lr=0.01)
        for step in range(2):
            y = net.forward(x)
            if not step:
                np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
            net.backward(np.ones_like(y))
            solver.step()
        return net, x

    @pytest.mark.parametrize("name", TIED)
    def test_layers_are_twins(self, name, path, tmp_path):
        net, x = self.trained(self.TIED[name], path)
        assert {kind for kind in kinds(net) if kind.startswith("Onnx")} == set()
        assert len(net.params) == (1 if name in ("MatMul", "Identity") else 2)
        save_onnx(net, tmp_path / "again.onnx")
        again = load_onnx(tmp_path / "again.onnx")
        assert len(again.params) == len(net.params)
        np.testing.assert_allclose(again.predict(x), net.predict(x), rtol=1e-5, atol=1e-6)
        net.save(tmp_path / "net.safetensors")
        assert len(load_net(tmp_path / "net.safetensors").params) == len(net.params)

    @pytest.mark.parametrize("name", MIXED)
    def test_what_cannot_be_a_twin_reads_a_parameter(self, name, path, tmp_path):
        net, x = self.trained(self.MIXED[name], path)
        assert [key for key in net.params if net.params[key].shape == (3, 3)] == ["W.value"]
        save_onnx(net, tmp_path / "again.onnx")
        np.testing.assert_allclose(load_onnx(tmp_path / "again.onnx").predict(x), net.predict(x), rtol=1e-4, atol=1e-5)

    def test_a_table_of_tokens_that_is_turned_at_the_end(self, path):
        nodes = [
            node("Gather", ["W", "x"], ["e"]),
            node("Transpose", ["W"], ["V"], perm=[1, 0]),
            node("MatMul", ["e", "V"], ["y"]),
        ]
        W = floats(5, 3)
        net = load_onnx(write(path, nodes, [value("x", "N", 4, kind=TensorProto.INT64)], ["y"], {"W": W}))
        assert [*net.params] == ["W.value"]
        x = RNG.integers(0, 5, (2, 4))
        np.testing.assert_allclose(net.forward(x), W[x] @ W.T, rtol=1e-4, atol=1e-5)

    def test_own_nets_stay_tied(self, tmp_path):
        for shape in ((3,), (7, 3)):
            one = Affine(3).named("one")
            net = Sequential(one, ReLU(), one.tied().named("other"))
            net.build(shape)
            save_onnx(net, tmp_path / "net.onnx")
            assert len(load_onnx(tmp_path / "net.onnx").params) == 2


class TestSizes:
    """What a model says of its inputs' sizes, and what it leaves open."""

    def test_a_batch_of_one_only(self, path):
        nodes = [node("Reshape", ["x", "shape"], ["y"])]
        net = load_onnx(write(path, nodes, [value("x", "N", 6)], ["y"], {"shape": np.array([2, 3])}))
        assert net.predict(floats(1, 6)).shape == (2, 3)

    def test_images_of_any_size(self, path):
        nodes = [node("Conv", ["x", "W"], ["a"]), node("GlobalAveragePool", ["a"], ["y"])]
        net = load_onnx(write(path, nodes, [value("x", "N", 2, "H", "W")], ["y"], {"W": floats(3, 2, 3, 3)}))
        for size in (5, 9):
            assert net.predict(floats(1, 2, size, size)).shape == (1, 3, 1, 1)

    @pytest.mark.parametrize("size", [(9, 7), (32, 32), (40, 33)])
    @pytest.mark.parametrize("head", [False, True])
    def test_trained_at_another_size_it_is_saved_and_loaded(self, head, size, path, tmp_path):
        nodes = [
            node("Conv", ["x", "W"], ["a"], pads=[1] * 4),
            node("HardSwish", ["a"], ["b"]),
            node("ReduceMean", ["b", "axes"], ["c"], keepdims=1),
            node("Mul", ["c", "b"], ["d"]),
            node("Flatten", ["d" if head else "c"], ["y"], axis=1),
        ]
        known = {"W": floats(4, 3, 3, 3), "axes": np.array([2, 3])}
        net = load_onnx(write(path, nodes, [value("x", "N", 3, "H", "W_")], ["y"], known))
        if head:
            net = Sequential(net, Affine(2), SoftmaxCrossEntropy(), seed=0)
        x, solver = floats(8, 3, *size), SGD(net, lr=0.1)
        for _ in range(2):
            y = net.forward(x, np.arange(8) % 2) if head else net.forward(x)
            net.backward(*(() if head else (np.ones_like(y),)))
            solver.step()
        net.save(tmp_path / "net.safetensors")
        again = load_net(tmp_path / "net.safetensors")
        np.testing.assert_array_equal(again.predict(x), net.predict(x))
        if not head:  # the size that it was trained at binds it no more than the net that was saved
            other = floats(3, 3, 6, 5)
            np.testing.assert_array_equal(again.predict(other), net.predict(other))
            again.save(tmp_path / "net.npz")
            np.testing.assert_array_equal(load_net(tmp_path / "net.npz").predict(x), net.predict(x))

    @pytest.mark.parametrize("first", [None, 10, 12])
    def test_sequences_of_any_length_are_saved_and_loaded(self, first, path, tmp_path):
        """The positions that are added are as many as there are tokens: what a layer makes depends on values."""
        nodes = [
            node("Shape", ["x"], ["shape"]),
            node("Slice", ["shape", "one", "two"], ["length"]),
            node("Slice", ["places", "zero", "length", "one"], ["p"]),
            node("Add", ["x", "p"], ["y"]),
        ]
        known = {"places": floats(1, 20, 4), "zero": np.array([0]), "one": np.array([1]), "two": np.array([2])}
        net = load_onnx(write(path, nodes, [value("x", "N", "S", 4)], ["y"], known))
        if first:
            net.forward(floats(2, first, 4))
        net.save(tmp_path / "net.safetensors")
        again = load_net(tmp_path / "net.safetensors")
        for length in (10, 12, 3):
            x = floats(3, length, 4)
            np.testing.assert_array_equal(again.predict(x), net.predict(x))

    @pytest.mark.parametrize("loss", [False, True])
    def test_predicted_at_another_size_it_is_saved_and_loaded(self, loss, path, tmp_path):
        nodes = [
            node("HardSwish", ["x"], ["a"]),
            node("Add", ["x", "a"], ["b"]),
            node("Softsign", ["b"], ["c"]),
            node("Add", ["x", "c"], ["d"]),
            node("ReduceMean", ["d", "axes"], ["y"], keepdims=0),
        ]
        inputs, ends = [value("x", "N", "S", 4)], ["y"]
        if loss:
            nodes.append(node("SoftmaxCrossEntropyLoss", ["y", "t"], ["loss"]))
            inputs, ends = [*inputs, value("t", "N", kind=TensorProto.INT64)], ["loss"]
        net = load_onnx(write(path, nodes, inputs, ends, {"axes": np.array([1])}))
        x = floats(2, 5, 4)
        wanted = net.predict(x)
        net.save(tmp_path / "net.safetensors")
        np.testing.assert_array_equal(load_net(tmp_path / "net.safetensors").predict(x), wanted)

    def test_after_a_part_was_run_at_another_size(self, path, tmp_path):
        nodes = [node("HardSwish", ["x"], ["a"]), node("Softsign", ["a"], ["b"]), node("Mul", ["b", "w"], ["y"])]
        net = load_onnx(write(path, nodes, [value("x", "N", "S")], ["y"], {"w": floats(1, 1)}))
        net.forward(floats(2, 3), end="hardswish")
        net.forward(floats(2, 5))
        net.save(tmp_path / "net.safetensors")
        assert load_net(tmp_path / "net.safetensors").predict(floats(2, 7)).shape == (2, 7)

    def test_no_shape_at_all(self, path):
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        net = load_onnx(write(path, [node("Gemm", ["x", "W"], ["y"])], [given], ["y"], {"W": floats(4, 3)}))
        assert net.predict(floats(2, 4)).shape == (2, 3)

    def test_shapes_that_do_not_fit_are_refused(self, path):
        nodes = [node("Gemm", ["x", "W"], ["y"], "fc")]
        with pytest.raises(FileFormatError, match=r"operator 0, Gemm 'fc'"):
            load_onnx(write(path, nodes, [value("x", "N", 5)], ["y"], {"W": floats(4, 3)}))


class TestRefusals:
    def test_all_operators_without_layer_are_listed(self, path):
        nodes = [
            node("NonZero", ["x"], ["a"], "first"),
            node("Relu", ["x"], ["b"]),
            node("Conv", ["x", "b"], ["c"], domain="com.example"),
            node("LRN", ["x"], ["d"], "even", size=4),
        ]
        with pytest.raises(FileFormatError) as caught:
            load_onnx(write(path, nodes, [value("x", "N", 4, 5, 5)], ["a", "b", "c", "d"]))
        told = str(caught.value)
        assert told.startswith(f"{path}: ")
        assert "operator 0, NonZero 'first'" in told
        assert "operator 2, Conv of 'com.example'" in told
        assert "operator 3, LRN 'even': a window of an even size" in told
        assert "Relu" not in told

    @pytest.mark.parametrize(
        ("nodes", "told"),
        [
            ([node("Relu", ["z"], ["y"])], "reads 'z', which nothing before it makes"),
            ([node("Relu", ["x", "x"], ["y"])], "expected 1 to 1 inputs"),
            ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], "makes 'y', which is there already"),
            ([node("Relu", ["x"], ["x"]), node("Relu", ["x"], ["y"])], "makes 'x', which is there already"),
            ([node("Elu", ["x"], ["y"], alpha=1)], "attribute alpha is of type"),
            ([node("MaxPool", ["x"], ["y"], kernel_shape=[2], pads=[1])], "two pads"),
            ([node("MaxPool", ["x"], ["y"], kernel_shape=[0])], "kernel"),
            ([node("Relu", ["x"], ["a"])], "its output 'y' is made by nothing"),
            ([node("Squeeze", ["x"], [])], "has no outputs"),
            ([node("Gather", ["x", "x"], ["y"])], "expected integers as indices"),
        ],
    )
    def test_what_is_wrong_is_told(self, nodes, told, path):
        with pytest.raises(FileFormatError, match=told):
            load_onnx(write(path, nodes, [value("x", 2, 3, 4)], ["y"]))

    def test_no_model(self, path):
        for content in (b"", b"hello", b"\x08\x0a", bytes(100)):
            path.write_bytes(content)
            with pytest.raises(FileFormatError):
                load_onnx(path)

    def test_a_version_from_the_future(self, path):
        with pytest.raises(FileFormatError, match="version of the operator set"):
            load_onnx(write(path, [node("Relu", ["x"], ["y"])], [value("x", 3)], ["y"], version=99))

    def test_something_else_than_a_path(self, path):
        write(path, [node("Relu", ["x"], ["y"])], [value("x", 3)], ["y"])
        for wrong in (onnx.load(path), path.read_bytes()):
            with pytest.raises(TypeError, match="expected a path, got a"):
                load_onnx(wrong)

    @pytest.mark.parametrize("ending", ["safetensors", "npz"])
    def test_a_net_that_was_saved(self, ending, tmp_path):
        net = Sequential(Affine(3))
        net.build((4,))
        net.save(tmp_path / f"net.{ending}")
        with pytest.raises(FileFormatError, match="load_net"):
            load_onnx(tmp_path / f"net.{ending}")

    def test_two_initialisers_of_one_name(self, path):
        write(path, [node("Gemm", ["x", "W"], ["y"])], [value("x", "N", 4)], ["y"], {"W": floats(4, 3)})
        model = onnx.load(path)
        model.graph.initializer.append(model.graph.initializer[0])
        path.write_bytes(model.SerializeToString())
        with pytest.raises(FileFormatError, match="two initialisers 'W'"):
            load_onnx(path)

    def test_no_inputs(self, path):
        net = load_onnx(write(path, [node("Relu", ["w"], ["y"])], [], ["y"], {"w": floats(3)}))
        assert net.forward().shape == (3,)
        with pytest.raises(GraphError, match="has no inputs"):
            net.predict(floats(2, 3))

    def test_no_file(self, path):
        with pytest.raises(FileNotFoundError):
            load_onnx(path)
