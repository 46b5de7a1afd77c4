"""ONNX models as nets: which layers they become, what is learned, and what is refused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from handbrew.data import FileFormatError
from handbrew.layers import SoftmaxCrossEntropy
from handbrew.nets import load_net
from handbrew.nets.onnx import load_onnx
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

    def test_a_shape_that_is_worked_out(self, path):
        """As PyTorch writes x.view(x.shape[0], -1)."""
        nodes = [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["n1"]),
            node("Concat", ["n1", "rest"], ["wanted"], axis=0),
            node("Reshape", ["x", "wanted"], ["flat"]),
            node("Gemm", ["flat", "W"], ["y"]),
        ]
        known = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "W": floats(8, 2)}
        net = load_onnx(write(path, nodes, [value("x", "N", 2, 4)], ["y"], known))
        assert kinds(net)[-1] == "Affine"
        assert net.layers[-1].in_shape == (8,)  # found out on loading
        assert net.predict(floats(5, 2, 4)).shape == (5, 2)

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

    def test_no_file(self, path):
        with pytest.raises(FileNotFoundError):
            load_onnx(path)
