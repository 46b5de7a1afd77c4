"""ONNX's own tests of each operator, as ``onnx.backend.test`` has them, run by handbrew."""

import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from handbrew.nets.onnx import load_onnx

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"
ACTIVATIONS = (
    "Celu Clip Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Shrink Sigmoid Softplus Softsign Swish "
    "Tanh ThresholdedRelu"
)
ELEMENTWISE = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh Ceil Cos Cosh Div Equal Erf Exp Floor Greater GreaterOrEqual IsNaN "
    "Less LessOrEqual Log Max Mean Min Mod Mul Neg Not Or Pow Reciprocal Round Sign Sin Sinh Sqrt Sub Sum Tan Where Xor"
)
REDUCTIONS = (
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare"
)
SHAPES = (
    "Concat Constant ConstantOfShape DepthToSpace Expand Flatten Gather GatherElements Identity Pad Range Reshape "
    "Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze"
)
# Families of operators; a case belongs to one if its model is that operator and nothing else.
FAMILIES = {
    **{
        name: (name,)
        for name in (
            "Gemm",
            "MatMul",
            "Conv",
            "ConvTranspose",
            "MaxPool",
            "AveragePool",
            "LpPool",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "MaxUnpool",
            "BatchNormalization",
            "LayerNormalization",
            "RMSNormalization",
            "GroupNormalization",
            "InstanceNormalization",
            "MeanVarianceNormalization",
            "LpNormalization",
            "LRN",
            "Softmax",
            "LogSoftmax",
            "SoftmaxCrossEntropyLoss",
            "NegativeLogLikelihoodLoss",
            "Dropout",
        )
    },
    "activations": tuple(ACTIVATIONS.split()),
    "shape operators": tuple(SHAPES.split()),
    "elementwise": tuple(ELEMENTWISE.split()),
    "reductions": tuple(REDUCTIONS.split()),
    "Resize, Upsample": ("Resize", "Upsample"),
}
BYTES = "bytes are cast to floats at a net's entry"
RANDOM = "the random numbers are NumPy's of one seed; handbrew draws its own"
NO_ARRAYS = "the input is no array of numbers"
# The cases that fail, with the reason; one that begins to pass has to leave this list.
FAILING = {
    "test_add_uint8": BYTES,
    "test_div_uint8": BYTES,
    "test_max_uint8": BYTES,
    "test_maxpool_2d_uint8": BYTES,
    "test_min_uint8": BYTES,
    "test_mod_uint8": BYTES,
    "test_mul_uint8": BYTES,
    "test_sub_uint8": BYTES,
    "test_training_dropout": RANDOM,
    "test_training_dropout_default": RANDOM,
    "test_training_dropout_default_mask": RANDOM,
    "test_training_dropout_mask": RANDOM,
    "test_equal_string": NO_ARRAYS,
    "test_equal_string_broadcast": NO_ARRAYS,
    "test_identity_opt": NO_ARRAYS,
    "test_identity_sequence": NO_ARRAYS,
}


class Loaded(BackendRep):
    """A model that handbrew has loaded; outputs are given the declared precision, which handbrew computes beyond."""

    def __init__(self, net, model):
        self.net = net.eval()
        kinds = [value.type.tensor_type.elem_type for value in model.graph.output]
        self.dtypes = [onnx.helper.tensor_dtype_to_np_dtype(kind) for kind in kinds]

    def run(self, inputs, **kwargs):
        self.net.forward(*inputs)
        outputs = [np.asarray(self.net.blobs[name]) for name in self.net.outputs]
        return tuple(
            y.astype(dtype) if y.dtype.kind == "f" and dtype.name in ("float16", "bfloat16") else y
            for y, dtype in zip(outputs, self.dtypes, strict=True)
        )


class HandbrewBackend(Backend):
    """What ``onnx.backend`` asks of a runtime."""

    folder: Path

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        path = cls.folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return Loaded(load_onnx(path), model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """All cases whose model is one operator of ONNX's own, by operator."""
    HandbrewBackend.folder = tmp_path_factory.mktemp("models")
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the code that makes the cases
        for case in load_model_tests(kind="node"):
            if len(case.model.graph.node) == 1 and not case.model.graph.node[0].domain:
                found.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return found


def passes(case, model, inputs, outputs):
    """Whether handbrew does what a case says; it may refuse the model, but not be wrong in any other way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, on infinite numbers and the like
        try:
            made = HandbrewBackend.prepare(model).run(inputs)
            Runner.assert_similar_outputs(outputs, made, case.rtol, case.atol)
        except (AssertionError, ValueError):
            return False
    return True


def frozen(model, inputs):
    """The same model with all inputs but the first as initialisers, and what is left to give."""
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    names = [value.name for value in changed.graph.input]
    known = {name: x for name, x in zip(names[1:], inputs[1:], strict=True) if isinstance(x, (np.ndarray, np.generic))}
    changed.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(x), name) for name, x in known.items())
    left = [value for value in changed.graph.input if value.name not in known]
    del changed.graph.input[:]
    changed.graph.input.extend(left)
    return changed, [x for name, x in zip(names, inputs, strict=True) if name not in known]


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, cases):
    selected = [case for operator in FAMILIES[family] for case in cases[operator]]
    assert selected
    wrong = {case.name for case in selected if not all(passes(case, case.model, *data) for data in case.data_sets)}
    assert wrong == {case.name for case in selected if case.name in FAILING}


@pytest.mark.parametrize("family", FAMILIES)
def test_family_with_known_weights(family, cases):
    """What is an input in these models is an initialiser in those that people have: other layers do it."""
    selected = [case for operator in FAMILIES[family] for case in cases[operator]]
    wrong = set()
    for case in selected:
        for inputs, outputs in case.data_sets:
            model, left = frozen(case.model, inputs)
            if not passes(case, model, left, outputs):
                wrong.add(case.name)
    assert wrong == {case.name for case in selected if case.name in FAILING}


def test_nearly_all_pass(cases):
    """Of what was promised (all but the last three families), and of everything."""
    promised = [*FAMILIES][:-3]
    for families in (promised, FAMILIES):
        names = [case.name for family in families for operator in FAMILIES[family] for case in cases[operator]]
        failing = FAILING.keys() & set(names)
        assert 1 - len(failing) / len(names) >= 0.95


def test_the_page_tells_the_results(cases):
    text = PAGE.read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([\w ,]+?) \| (\d+ / \d+) \|", text, re.M))
    assert [*told] == [*FAMILIES]
    version = re.search(r"onnx (\d+\.\d+\.\d+)", text)[1]
    if version == onnx.__version__:  # each version has other cases
        for family, operators in FAMILIES.items():
            names = [case.name for operator in operators for case in cases[operator]]
            assert told[family] == f"{len(set(names) - FAILING.keys())} / {len(names)}"
    assert [name for name in FAILING if f"`{name}`" not in text] == []
