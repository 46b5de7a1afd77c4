"""check_layer passes honest layers, and catches each kind of dishonest one by the right check."""

import copy
import pickle
import re

import numpy as np
import pytest

from handbrew.layers import (
    Affine,
    LabelError,
    Layer,
    Loss,
    ReLU,
    ShapeError,
    SoftmaxCrossEntropy,
    Uniform,
    Zeros,
)
from handbrew.layers._check_report import LayerCheckError
from handbrew.layers.check import check_layer
from handbrew.nets import Sequential


def complaints(layer, *inputs, **options):
    """What check_layer finds: {check: message}, and the whole text."""
    with pytest.raises(LayerCheckError) as caught:
        check_layer(layer, *inputs, **options)
    found = {}
    for failure in caught.value.failures:
        found[failure.check] = f"{found.get(failure.check, '')}{failure.message}\n"
    return found


def catches(check, message, layer, *inputs, alone=True, **options):
    found = complaints(layer, *inputs, **options)
    assert check in found, found
    assert re.search(message, found[check]), found[check]
    assert not alone or set(found) == {check}, found


class Swish(Layer):
    def forward(self, x):
        c = self.cache
        c.s = 0.5 * np.tanh(0.5 * x) + 0.5
        c.y = x * c.s
        return c.y

    def backward(self, dy):
        c = self.cache
        return dy * (c.s + c.y * (1 - c.s))


class Linear(Layer):
    """Affine in the plainest spelling; the broken ones below change one line."""

    def __init__(self, features=3):
        self.features = features

    def build(self, in_shape):
        self.W = self.param("W", (in_shape[-1], self.features), Uniform(-1, 1))
        self.b = self.param("b", (self.features,), Zeros())
        return (*in_shape[:-1], self.features)

    def forward(self, x):
        self.cache.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy):
        self.W.add_grad(self.dW(self.cache.x, dy))
        self.b.add_grad(self.db(dy))
        return self.dx(dy)

    def dW(self, x, dy):
        return x.T @ dy

    def db(self, dy):
        return dy.sum(axis=0)

    def dx(self, dy):
        return dy @ self.W.data.T


class Square(Layer):
    def forward(self, x):
        self.cache.x = x
        return x * x

    def backward(self, dy):
        return 2 * dy * self.cache.x


class Noise(Layer):
    """Dropout as a user would write it."""

    def __init__(self, rate=0.5):
        self.rate = rate

    def forward(self, x):
        self.cache.mask = None
        if not self.training:
            return x
        self.cache.mask = ((self.rng.random(x.shape) >= self.rate) / (1 - self.rate)).astype(x.dtype)
        return x * self.cache.mask

    def backward(self, dy):
        return dy if self.cache.mask is None else dy * self.cache.mask


class Centre(Layer):
    """Subtracts the batch's mean in training, a running one in evaluation."""

    batch_coupled = True

    def build(self, in_shape):
        self.mean = self.buffer("mean", in_shape)
        return in_shape

    def forward(self, x):
        if not self.training or not len(x):
            return x - self.mean.data
        mean = x.mean(axis=0)
        self.mean.data = 0.9 * self.mean.data + 0.1 * mean
        return x - mean

    def backward(self, dy):
        return dy - dy.mean(axis=0) if self.training and len(dy) else dy


class Product(Layer):
    def build(self, in_shape):
        return in_shape[0]

    def forward(self, a, b):
        self.cache.a, self.cache.b = a, b
        return a * b

    def backward(self, dy):
        return dy * self.cache.b, dy * self.cache.a


class Table(Layer):
    """Rows of a table, by integer."""

    def build(self, in_shape):
        self.T = self.param("T", (6, 2), Uniform())
        return (*in_shape, 2)

    def forward(self, index):
        self.cache.index = index
        return self.T.data[index]

    def backward(self, dy):
        grad = np.zeros_like(self.T.data)
        np.add.at(grad, self.cache.index, dy)
        self.T.add_grad(grad)


class Halves(Layer):
    """Several outputs."""

    def build(self, in_shape):
        return ((in_shape[0] // 2,), (in_shape[0] - in_shape[0] // 2,))

    def forward(self, x):
        n = self.cache.n = x.shape[1] // 2
        return np.sin(x[:, :n]), x[:, n:] * 2

    def backward(self, dy):
        raise NotImplementedError


class Largest(Layer):
    """The largest number of each row, and where it is."""

    def build(self, in_shape):
        return (), ()

    def forward(self, x):
        self.cache.shape, self.cache.at = x.shape, (np.arange(len(x)), x.argmax(axis=1))
        return x[self.cache.at], x.argmax(axis=1)

    def backward(self, dy):
        dx = np.zeros(self.cache.shape, dy[0].dtype)
        dx[self.cache.at] = dy[0]
        return dx


class SinHalves(Halves):
    def forward(self, x):
        self.cache.x = x
        return super().forward(x)

    def backward(self, dy):
        left, right = dy
        return np.concatenate([left * np.cos(self.cache.x[:, : self.cache.n]), right * 2], axis=1)


class Chain(Layer):
    def __init__(self, *parts):
        self.parts = parts

    def build(self, in_shape):
        for part in self.parts:
            in_shape = part.build(in_shape)
        return in_shape

    def forward(self, x):
        for part in self.parts:
            x = part.forward(x)
        return x

    def backward(self, dy):
        for part in self.parts[::-1]:
            dy = part.backward(dy)
        return dy


class SquaredError(Loss):
    def forward(self, scores, target, weight=None):
        d = self.cache.d = scores - target
        return self.reduce(d * d, weight)

    def backward(self, dloss=1.0):
        d = 2 * self.cache.d * self.scale(dloss)
        return d, -d


LABELS = np.array([0, 2, 1, 1])
SOFT = np.random.default_rng(1).dirichlet(np.ones(3), 4)
TWO_ZEROS = np.random.default_rng(2).normal(size=(4, 5)) * (np.arange(20).reshape(4, 5) % 13 != 0)
HONEST = {
    "affine": (lambda: Affine(3), (4,)),
    "affine-no-bias": (lambda: Affine(3, bias=False), 4),
    "affine-sequences": (lambda: Affine(3), (6, 4)),
    "relu": (ReLU, (2, 3)),
    "relu-zeros": (ReLU, TWO_ZEROS),
    "relu-one-zero": (ReLU, np.array([[0.0, 1.0, -2.0]])),
    "swish": (Swish, (3,)),
    "linear": (Linear, (4,)),
    "linear-one-feature": (lambda: Linear(1), (1,)),
    "square": (Square, (3,)),
    "scalars": (Square, ()),
    "float32": (Square, np.ones((3, 2), np.float32)),
    "noise": (Noise, (4,)),
    "buffer": (Centre, (3,)),
    "two-inputs": (Product, (3,), (3,)),
    "integers-only": (Table, np.array([3, 1, 1, 5])),
    "two-outputs": (SinHalves, (5,)),
    "integer-output": (Largest, (4,)),
    "labels": (SoftmaxCrossEntropy, (3,), LABELS),
    "soft-targets": (SoftmaxCrossEntropy, (3,), SOFT),
    "weights": (SoftmaxCrossEntropy, (3,), LABELS, np.array([1.0, 2.0, 0.5, 1.0])),
    "own-loss": (SquaredError, (3,), (3,)),
    "own-loss-sum": (lambda: SquaredError("sum"), (3,), (3,)),
    "container": (lambda: Chain(Linear(2), ReLU(), Linear(3)), (4,)),
    "containers": (lambda: Chain(Linear(2), Chain(Noise(), Centre()), Swish()), (4,)),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_layers_pass(name):
    factory, *inputs = HONEST[name]
    for seed in range(3):
        report = check_layer(factory(), *inputs, seed=seed)
        assert all(result.error < 1e-6 for result in report.gradients)


def test_a_built_layer_passes_and_is_left_alone():
    layer = Affine(3)
    x = np.ones((2, 4), np.float32)
    y = layer.forward(x)
    layer.backward(np.ones_like(y))
    before = {name: (p.data.copy(), p.grad.copy()) for name, p in layer.params.items()}
    check_layer(layer, (4,))
    for name, p in layer.params.items():
        assert (p.data == before[name][0]).all()
        assert (p.grad == before[name][1]).all()
    assert layer.dtype == np.float32
    assert layer.training
    assert layer.cache.x is x
    assert (layer.forward(x) == y).all()


def test_an_unbuilt_layer_stays_unbuilt_and_the_inputs_stay_as_they_are():
    layer, x = Affine(3), np.ones((2, 4))
    x.flags.writeable = False
    check_layer(layer, x)
    assert not layer.built
    assert (x == 1).all()


def test_the_generator_of_the_caller_is_not_drawn_from():
    layer, twin = Noise(), Noise()
    layer.rng.random(), twin.rng.random()
    check_layer(layer, (3,))
    assert layer.rng.random() == twin.rng.random()


def test_the_report():
    report = check_layer(Linear(), (4,))
    assert [result.name for result in report.gradients] == ["x", "W", "b"]
    assert [result.elements for result in report.gradients] == [20, 12, 3]
    text = str(report)
    assert text == repr(report)
    assert "Linear(): all checks passed" in text
    assert re.search(r"W +\(4, 3\) +training +12 +- +\d\.\de-\d\d", text)
    assert "not checked: pickling" not in text
    assert "stale cache" in text


def test_the_report_tells_what_was_not_checked():
    text = str(check_layer(Centre(), (3,)))
    assert "not checked: single samples (samples are coupled)" in text
    text = str(check_layer(Square(), (3,), large_inputs=False))
    assert "not checked: large inputs (large_inputs=False)" in text


def test_kinks_are_counted():
    (result,) = check_layer(ReLU(), TWO_ZEROS).gradients
    assert result.kinks == 2
    assert "2" in result.line


def test_each_element_costs_two_forward_passes():
    class Counts(Square):
        calls = []

        def forward(self, x):
            self.calls.append(1)
            return super().forward(x)

    check_layer(Counts(), (200,), max_elements=200)
    few = len(Counts.calls) - 400
    Counts.calls.clear()
    check_layer(Counts(), (200,), max_elements=100)
    assert len(Counts.calls) == few + 200
    assert few < 60


def test_a_layer_that_has_its_place_in_a_net():
    net = Sequential(Linear(), Noise(), seed=7)
    net.forward(np.ones((2, 4), np.float32))
    check_layer(net.layers[1], (3,))


def test_a_crash_is_the_cause_of_the_error():
    with pytest.raises(LayerCheckError) as caught:
        check_layer(Affine(3), (4, 4, 4))
    assert isinstance(caught.value.__cause__, ShapeError)


def test_both_modes_are_compared_where_they_differ():
    assert [r.mode for r in check_layer(Noise(), (3,)).gradients] == ["training", "evaluation"]
    assert [r.mode for r in check_layer(Square(), (3,)).gradients] == ["training"]


def test_large_arrays_are_sampled_and_the_report_says_so():
    x, W, _ = check_layer(Linear(30), (20,), max_elements=50).gradients
    assert (x.elements, W.elements) == (50, 50)
    assert "50 of 600" in W.line


def test_equal_seeds_give_equal_reports():
    assert str(check_layer(Linear(), (4,), seed=5)) == str(check_layer(Linear(), (4,), seed=5))


def test_the_error_can_be_copied_and_lists_every_failure():
    class Twice(Linear):
        def db(self, dy):
            return -dy.sum(axis=0)

        def dW(self, x, dy):
            return -2 * x.T @ dy

    with pytest.raises(LayerCheckError) as caught:
        check_layer(Twice(), (4,))
    error = caught.value
    assert isinstance(error, AssertionError)
    assert len(error.failures) == 2
    assert str(error).startswith("Twice() fails 2 checks\n- gradients: in training, W[")
    assert str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error)) == str(error)


def test_inputs_without_samples():
    for x in (np.ones((0, 3)), np.ones(())):
        with pytest.raises(ValueError, match="at least one sample"):
            check_layer(Square(), x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Square,), "with parentheses"),
        ((3, (4,)), "expected a layer"),
        ((Square(),), "expected the inputs"),
        ((Square(), "3"), "expected an array, or a shape"),
        ((Square(), [1.0]), "expected an array, or a shape"),
        ((Square(), (0,)), "expected an array, or a shape"),
    ],
)
def test_a_wrong_call_is_no_verdict_on_the_layer(arguments, message):
    with pytest.raises(TypeError, match=message):
        check_layer(*arguments)


def test_a_single_sample():
    skipped = check_layer(Linear(), np.random.default_rng(0).normal(size=(1, 4))).skipped
    assert skipped == dict.fromkeys(("stale cache", "single samples"), "the inputs hold one sample")


def test_inputs_of_different_lengths():
    class Scaled(Layer):
        """y = x k, with one k for all samples."""

        def build(self, in_shape):
            return in_shape[0]

        def forward(self, x, k):
            self.cache.x, self.cache.k = x, k
            return x * k

        def backward(self, dy):
            return dy * self.cache.k, (dy * self.cache.x).sum(axis=(0, 1), keepdims=True)[0]

    skipped = check_layer(Scaled(), np.ones((3, 2)), np.full((1,), 2.0)).skipped
    assert skipped["single samples"] == skipped["empty batch"] == "the inputs hold 1 and 3 samples"


def test_coupled_samples_may_be_refused_by_name_if_they_are_too_few():
    class Refuses(Centre):
        def forward(self, x):
            if len(x) < 2:
                raise ShapeError("expected two samples or more")
            return super().forward(x)

    class Uncoupled(Square):
        def forward(self, x):
            if not len(x):
                raise ShapeError("expected a sample")
            return super().forward(x)

    skipped = check_layer(Refuses(), (3,)).skipped
    assert skipped["single samples"] == "samples are coupled, and a single one is refused"
    catches("empty batch", "ShapeError: expected a sample", Uncoupled(), (3,))


def test_large_inputs_may_be_refused_by_name():
    class Refuses(Square):
        def forward(self, x):
            if (abs(x) > 50).any():
                raise LabelError("expected numbers up to 50")
            return super().forward(x)

    assert check_layer(Refuses(), (3,)).skipped["large inputs"] == "inputs of ±100 are refused"


def test_nets():
    report = check_layer(Sequential(Linear(4), ReLU(), Linear(3), seed=3), (4,))
    assert [r.name for r in report.gradients] == ["x", "linear1.W", "linear1.b", "linear2.W", "linear2.b"]
    net = Sequential(Linear(3).named("fc"), SquaredError())
    report = check_layer(net, (4,), (3,))
    assert [r.name for r in report.gradients] == ["x", "fc.W", "fc.b"]
    assert "build" in report.skipped
    net.forward(np.ones((2, 4), np.float32), np.ones((2, 3), np.float32))
    assert [r.name for r in check_layer(net, (4,), (3,)).gradients] == ["x", "fc.W", "fc.b"]


# --- gradients -----------------------------------------------------------------------------------------


def linear(**methods):
    return type("Broken", (Linear,), methods)()


WRONG_GRADIENTS = {
    "sign": (linear(db=lambda self, dy: -dy.sum(axis=0)), r"b\[\d\].*\n.*a sign has slipped"),
    "dropped sum, first": (linear(db=lambda self, dy: dy[0]), "the first sample's alone: sum over the batch"),
    "dropped sum, last": (linear(db=lambda self, dy: dy[-1]), "the last sample's alone: sum over the batch"),
    "mean for sum": (linear(db=lambda self, dy: dy.mean(axis=0)), "too small by the factor N = 5"),
    "surplus sum": (linear(dW=lambda self, x, dy: 5 * x.T @ dy), "too large by the factor N = 5"),
    "axis length": (linear(dW=lambda self, x, dy: x.T @ dy / 4), "too small by the factor 4, the length"),
    "factor": (linear(dx=lambda self, dy: 1.37 * dy @ self.W.data.T), "1.37 times the right one"),
    "no dy": (linear(db=lambda self, dy: np.full(3, 5.0, dy.dtype)), "does not multiply by dy"),
    "nothing": (linear(dW=lambda self, x, dy: 0 * (x.T @ dy)), "all of it is zero"),
    "reshaped": (linear(dW=lambda self, x, dy: (dy.T @ x).reshape(4, 3)), "in the wrong places"),
    "one element": (
        linear(dW=lambda self, x, dy: x.T @ dy + (np.arange(12).reshape(4, 3) == 7).astype(x.dtype)),
        r"W\[2, 1\].*\n.*wrong at 1 of 12 elements only",
    ),
    "a row left out": (
        linear(dW=lambda self, x, dy: (x.T @ dy) * (np.arange(4) > 0).astype(x.dtype)[:, None]),
        r"W\[0, \d\].*\n.*zero at 3 of 12 elements where it should not be",
    ),
    "offset": (linear(db=lambda self, dy: dy.sum(axis=0) + dy.dtype.type(2)), "off by the same amount"),
    "half": (linear(dx=lambda self, dy: dy @ self.W.data.T / 2), "too small by the factor 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_wrong_gradients_and_their_causes(name):
    layer, message = WRONG_GRADIENTS[name]
    found = complaints(layer, (4,))
    assert re.search(message, found["gradients"]), found


def test_a_sign_slip_is_all_that_is_wrong():
    catches("gradients", "backward says (-?)[0-9.]+, the numeric", WRONG_GRADIENTS["sign"][0], (4,))


def test_a_transposed_product():
    class Transposed(Linear):
        def dW(self, x, dy):
            return dy.T @ x

    catches("gradients", "it is the transpose of the right one", Transposed(4), (4,))


def test_a_missing_mean_in_a_loss():
    class Sum(SquaredError):
        def backward(self, dloss=1.0):
            d = 2 * self.cache.d * dloss
            return d, -d

    catches("gradients", "too large by the factor 15, the number of elements", Sum(), (3,), (3,))

    class PerSample(Loss):
        def forward(self, scores, target):
            self.cache.d = scores - target
            return float(0.5 * (self.cache.d**2).sum() / max(len(scores), 1))

        def backward(self, dloss=1.0):
            return self.cache.d * dloss, -self.cache.d * dloss

    catches("gradients", "too large by the factor N = 5.*mean", PerSample(), (3,), (3,))


def test_a_loss_that_ignores_dloss():
    class Ignores(SquaredError):
        def backward(self, dloss=1.0):
            return super().backward(1.0)

    catches("gradients", "does not multiply by dy .or dloss.", Ignores(), (3,), (3,))


def test_a_gradient_that_is_not_finite():
    class Infinite(Square):
        def backward(self, dy):
            return dy * np.inf

    catches("gradients", "not finite", Infinite(), (3,), alone=False)


def test_a_factor_that_is_1_at_first():
    class Gain(Layer):
        def build(self, in_shape):
            self.g = self.param("g", in_shape, Uniform(1, 1))
            return in_shape

        def forward(self, x):
            self.cache.x = x
            return x * self.g.data

        def backward(self, dy):
            self.g.add_grad((dy * self.cache.x).sum(axis=0))
            return dy  # the gain is forgotten

    catches("gradients", r"x\[", Gain(), (3,))


def test_a_wrong_gradient_in_evaluation_mode_only():
    class Wrong(Noise):
        def backward(self, dy):
            return dy * 0.5 if self.cache.mask is None else super().backward(dy)

    catches("gradients", "in evaluation, x", Wrong(), (4,))


def test_a_wrong_gradient_in_evaluation_mode_of_a_layer_whose_output_is_the_same():
    class Wrong(Square):
        def backward(self, dy):
            return super().backward(dy) * (1 if self.training else -1)

    catches("gradients", "in evaluation, x", Wrong(), (4,))


def test_a_wrong_value_at_a_kink():
    class Wrong(ReLU):
        def backward(self, dy):
            return dy * (self.cache.positive + 3.0 * (self.cache.zero)).astype(dy.dtype)

        def forward(self, x):
            self.cache.zero = x == 0
            return super().forward(x)

    catches("gradients", r"x\[(0, 0|2, 3)\].*\n.*wrong at 2 of 20", Wrong(), TWO_ZEROS)


def test_too_many_kinks():
    catches(
        "gradients", "6 of 8 elements of x lie on kinks", ReLU(), np.array([[0.0, 1], [0, 0], [0, 1], [0, 0]])
    )


def test_a_jump_does_not_hide_wrong_gradients():
    class Steps(Layer):
        def forward(self, x):
            return x + 5 * (x >= 0)

        def backward(self, dy):
            return dy * dy.dtype.type(1.05)

    x = np.random.default_rng(0).normal(size=(4, 5))
    x[0, 0] = 0.0
    catches("gradients", "1.05 times", Steps(), x, alone=False)


def test_a_gradient_of_the_wrong_shape():
    class WrongInput(Linear):
        def dx(self, dy):
            return dy

    class WrongParameter(Linear):
        def db(self, dy):
            return dy.sum(axis=1)

    class Missing(Product):
        def backward(self, dy):
            return dy * self.cache.b

    class Nothing(Square):
        def backward(self, dy):
            return None

    class Tuple(Square):
        def backward(self, dy):
            return (super().backward(dy),)

    catches("backward in training", "got a tuple of 1", Tuple(), (3,), alone=False)
    shape = r"gradient of x: expected an array of the input's shape \(5, 4\), got an array of shape \(5, 3\)"
    catches("backward in training", shape, WrongInput(), (4,), alone=False)
    catches(
        "backward in training",
        r"gradient of b: expected shape \(3,\), got",
        WrongParameter(),
        (4,),
        alone=False,
    )
    catches(
        "backward in training",
        "a tuple, one gradient for each of a, b; got an array",
        Missing(),
        3,
        3,
        alone=False,
    )
    catches(
        "backward in training", "gradient of x: expected an array.*got None", Nothing(), (3,), alone=False
    )


def test_a_gradient_for_integers():
    class Zero(Table):
        def backward(self, dy):
            super().backward(dy)
            return np.zeros(self.cache.index.shape)

    catches("backward in training", "int64 input index: expected None", Zero(), np.array([3, 1]), alone=False)


# --- nothing to compare --------------------------------------------------------------------------------


class Constant(Layer):
    def forward(self, x):
        return np.ones_like(x)

    def backward(self, dy):
        return np.zeros_like(dy)


def test_an_output_that_does_not_depend_on_an_input():
    catches("gradients", "the output does not depend on x", Constant(), (3,))
    assert check_layer(Constant(), (3,), allow_constant=True)
    assert check_layer(Constant(), (3,), allow_constant=("x",))
    catches("gradients", "the output does not depend on x", Constant(), (3,), allow_constant=("y",))


def test_a_parameter_that_nothing_depends_on():
    class Idle(Linear):
        def build(self, in_shape):
            self.idle = self.param("idle", (2,), Uniform())
            return super().build(in_shape)

    catches("gradients", "does not depend on idle", Idle(), (4,))
    assert check_layer(Idle(), (4,), allow_constant=("idle",))


def test_no_gradient_at_all():
    class Lookup(Layer):
        def forward(self, index):
            return np.eye(6, dtype=self.dtype)[index]

        def build(self, in_shape):
            return (*in_shape, 6)

        def backward(self, dy):
            return None

    catches("gradients", "nothing to check", Lookup(), LABELS)
    frozen = Table()
    frozen.build(())
    frozen.params["T"].trainable = False
    catches("gradients", "nothing to check", frozen, LABELS)


def test_an_output_that_is_not_finite():
    class Nan(Square):
        def forward(self, x):
            return super().forward(x) * np.nan

    catches("forward", r"the output\[0, 0\] is nan", Nan(), (3,))


def test_inputs_outside_the_domain():
    class Log(Layer):
        def forward(self, x):
            self.cache.x = x
            return np.log(x)

        def backward(self, dy):
            return dy / self.cache.x

    catches("forward", "RuntimeWarning: invalid value encountered in log .test_check.py, line", Log(), (3,))
    assert check_layer(Log(), np.random.default_rng(0).uniform(1e-6, 2, (4, 3)))


def test_an_output_that_is_no_array():
    class List(Square):
        def forward(self, x):
            return super().forward(x).tolist()

    catches("forward", "expected an array, a tuple of arrays or a float, got a list", List(), (3,))


# --- the contract --------------------------------------------------------------------------------------


def test_a_stale_cache():
    class OnSelf(Square):
        x = None

        def forward(self, x):
            if self.x is None:
                self.x = x
            return x * x

        def backward(self, dy):
            return 2 * dy * self.x[: len(dy)]

    class ByShape(Square):
        def forward(self, x):
            if getattr(self.cache, "shape", None) != x.shape:
                self.cache.x, self.cache.shape = x, x.shape
            return x * x

    class InTrainingOnly(Square):
        def forward(self, x):
            y = super().forward(x)
            if not self.training and self.cache.__dict__.get("seen") is not None:
                self.cache.x = self.cache.seen
            self.cache.seen = x if self.training else None
            return y

    catches("stale cache", "unlike in a new layer, after earlier forwards", OnSelf(), (3,), alone=False)
    catches("stale cache", "of other values", ByShape(), (3,), alone=False)
    catches("stale cache", "in evaluation, after a forward in training", InTrainingOnly(), (3,))


def test_a_stale_cache_of_another_batch_size():
    class OneMask(Square):
        """Remembers the samples' number of its first forward."""

        def forward(self, x):
            if "n" not in vars(self.cache):
                self.cache.n = len(x)
            return super().forward(x)

        def backward(self, dy):
            dx = super().backward(dy)
            dx[self.cache.n :] = 0
            return dx

    catches("stale cache", "of fewer samples", OneMask(), (3,))


def test_an_output_that_is_written_to_again():
    class Buffered(Square):
        def forward(self, x):
            self.cache.x = x
            if getattr(self, "y", None) is None or self.y.shape != x.shape or self.y.dtype != x.dtype:
                self.y = np.empty_like(x)
            return np.multiply(x, x, out=self.y)

    catches("stale cache", "a second forward writes into what the first returned", Buffered(), (3,))


def test_written_arguments():
    class Input(Square):
        def forward(self, x):
            x *= 2
            self.cache.x = x
            return x * x

        def backward(self, dy):
            return 4 * dy * self.cache.x

    class InputLater(Square):
        def backward(self, dy):
            self.cache.x *= 2
            return dy * self.cache.x

    class Upstream(Square):
        def backward(self, dy):
            dy *= 2
            return dy * self.cache.x

    class Learns(Linear):
        def backward(self, dy):
            dx = super().backward(dy)
            self.b.data -= 0.1 * self.b.grad
            return dx

    catches("arguments", "forward writes into x;", Input(), (3,))
    catches("arguments", "backward writes into x;", InputLater(), (3,), alone=False)
    catches("arguments", "backward writes into dy;", Upstream(), (3,))
    catches("arguments", "backward writes into b;", Learns(), (3,), alone=False)


def test_a_layer_that_cannot_take_read_only_arguments():
    class Restores(Square):
        def forward(self, x):
            x += 1
            x -= 1
            return super().forward(x)

    class Differs(Square):
        def forward(self, x):
            return super().forward(x) + (not x.flags.writeable)

    x = np.arange(1.0, 7.0).reshape(2, 3)
    catches("arguments", "read-only", Restores(), x, alone=False)
    catches("arguments", "with read-only arguments, the output", Differs(), (3,))


def test_a_layer_that_needs_contiguous_arguments():
    class Flat(Square):
        def backward(self, dy):
            dx = np.empty_like(dy)
            dx.ravel()[:] = (2 * dy * self.cache.x).ravel()
            return dx if dy.flags.c_contiguous else 0 * dx + 1

    class Memory(Square):
        def forward(self, x):
            return super().forward(x.ravel(order="K").reshape(x.shape))

    catches("layouts", "in Fortran order.*(?s:.*)not contiguous", Flat(), (3,))
    catches("layouts", "in Fortran order", Memory(), (3,))


def test_an_overwritten_gradient():
    class Overwrites(Linear):
        def backward(self, dy):
            self.W.grad = self.cache.x.T @ dy
            self.b.add_grad(dy.sum(axis=0))
            return self.dx(dy)

    found = complaints(Overwrites(), (4,))
    assert found["accumulation"] == "W.grad is overwritten; add to it, by W.add_grad(g) or W.grad += g\n"
    assert "the gradients of tied copies do not add up" in found["tied copies"]


def test_gradients_that_accumulate_wrongly():
    class Averages(Linear):
        def backward(self, dy):
            self.W.grad = 0.5 * self.W.grad + self.cache.x.T @ dy
            self.b.add_grad(dy.sum(axis=0))
            return self.dx(dy)

    class Once(Linear):
        def backward(self, dy):
            if not self.cache.__dict__.get("done"):
                self.W.add_grad(self.cache.x.T @ dy)
                self.b.add_grad(dy.sum(axis=0))
            self.cache.done = True
            return self.dx(dy)

        def forward(self, x):
            self.cache.done = False
            return super().forward(x)

    class Consumes(Square):
        def backward(self, dy):
            x, self.cache.x = self.cache.x, 0
            return 2 * dy * x

    catches("accumulation", "on top of a gradient that is there: W.grad", Averages(), (4,), alone=False)
    catches("accumulation", "a second time after one forward: W.grad", Once(), (4,))
    catches("accumulation", "a second time after one forward: the gradient of x", Consumes(), (3,))


def test_float64_from_float32():
    class Output(Square):
        def forward(self, x):
            return super().forward(x) * np.sqrt(4.0) / 2

    class Gradient(Square):
        def backward(self, dy):
            return super().backward(dy) * np.ones(dy.shape)

    class Halfway(Square):
        def forward(self, x):
            return super().forward(x).astype(np.float32)

    catches("dtypes", r"float32 in, output of float64 out; .*np\.sqrt\(2\) are float64", Output(), (3,))
    catches("dtypes", "float32 in, input gradient of float64 out", Gradient(), (3,))
    catches("dtypes", "float64 in, output of float32 out", Halfway(), (3,), alone=False)


def test_float32_that_strays():
    class Cancels(Square):
        def forward(self, x):
            big = x.dtype.type(1e6)
            return super().forward(x + big - big)

    catches("dtypes", "float32 strays from float64: the output", Cancels(), (3,))


def test_an_empty_batch():
    class Crashes(Square):
        def forward(self, x):
            return super().forward(x) + 0 * x.max()

    class Warns(Square):
        def forward(self, x):
            return super().forward(x) + 0 * x.sum() / np.float64(len(x)).astype(x.dtype)

    class Nan(Linear):
        def db(self, dy):
            return dy.sum(axis=0) if len(dy) else np.full(3, np.nan)

    class Surplus(Linear):
        def db(self, dy):
            return dy.sum(axis=0) if len(dy) else np.ones(3)

    class Shape(Square):
        def forward(self, x):
            return super().forward(x) if len(x) else np.ones((1, 3))

        def backward(self, dy):
            return super().backward(dy) if len(dy) else np.ones((0, 3))

    class LossCrashes(SquaredError):
        def forward(self, scores, target):
            return super().forward(scores, target) + 0 / len(scores)

    catches("empty batch", "ValueError: zero-size array .*line", Crashes(), (3,), alone=False)
    catches("empty batch", "RuntimeWarning: invalid value", Warns(), (3,))
    catches("empty batch", "not finite: a mean of nothing", Nan(), (4,))
    catches("empty batch", "a gradient that is not zero", Surplus(), (4,))
    catches("empty batch", r"expected an output of shape \(0, 3\), got \(1, 3\)", Shape(), (3,))
    catches("empty batch", "ZeroDivisionError", LossCrashes(), (3,), (3,))


def test_samples_that_are_coupled_without_saying_so():
    class Undeclared(Centre):
        batch_coupled = False

    class Pools(Layer):
        """Gives one row for the whole batch."""

        def forward(self, x):
            self.cache.n = len(x)
            return x.sum(axis=0, keepdims=True)

        def backward(self, dy):
            return dy.repeat(self.cache.n, axis=0)

    catches("single samples", "one by one .*set batch_coupled = True", Undeclared(), (3,))
    catches("single samples", r"the output: expected shape \(1, 3\), got", Pools(), (3,), alone=False)


def test_a_coupled_layer_still_takes_a_single_sample():
    class Single(Centre):
        def forward(self, x):
            return super().forward(x) / (1 if len(x) != 1 else np.zeros(3, x.dtype))

    catches("single samples", "RuntimeWarning", Single(), (3,))


def test_large_inputs():
    class Naive(Layer):
        def forward(self, x):
            self.cache.y = 1 / (1 + np.exp(-x))
            return self.cache.y

        def backward(self, dy):
            return dy * self.cache.y * (1 - self.cache.y)

    class Silent(Naive):
        def forward(self, x):
            with np.errstate(over="ignore"):
                self.cache.e = np.exp(x)
            return self.cache.e

        def backward(self, dy):
            return dy * self.cache.e

    catches("large inputs", "overflow encountered in exp.*large_inputs=False", Naive(), (3,))
    catches("large inputs", r"not finite[^\n]*\n\Z", Silent(), (3,))
    assert check_layer(Naive(), (3,), large_inputs=False)


def test_a_buffer_that_moves_in_evaluation():
    class Moves(Centre):
        def forward(self, x):
            if not self.training and len(x):
                y = x - self.mean.data
                self.mean.data = x.mean(axis=0)
                return y
            return super().forward(x)

    catches("evaluation", r"changes a buffer in evaluation mode, mean\[", Moves(), (3,))


def test_frozen_parameters_and_unwanted_input_gradients():
    class Frozen(Linear):
        def backward(self, dy):
            dx = super().backward(dy)
            return dx if self.W.trainable else 0 * dx

    class Unwanted(Linear):
        def backward(self, dy):
            if not self.input_grad:
                return None
            return super().backward(dy)

    catches("frozen", "with all parameters frozen", Frozen(), (4,))
    catches("frozen", "with input_grad = False, W.grad", Unwanted(), (4,))


def test_false_declarations_of_what_backward_uses():
    class Input(Square):
        backward_uses = ()

    class Output(Layer):
        backward_uses = ("input",)

        def forward(self, x):
            self.cache.y = np.tanh(x)
            return self.cache.y

        def backward(self, dy):
            return dy * (1 - self.cache.y**2)

    class Honest(Output):
        backward_uses = ("output",)

    catches("declared uses", "but backward reads more", Input(), (3,))
    catches("declared uses", "but backward reads more", Output(), (3,))
    assert check_layer(Honest(), (3,))


def test_a_global_generator():
    class Global(Noise):
        def forward(self, x):
            self.cache.mask = None
            if not self.training:
                return x
            self.cache.mask = (np.random.rand(*x.shape) >= self.rate).astype(x.dtype)  # noqa: NPY002
            return x * self.cache.mask

    class Own(Noise):
        def __init__(self):
            self.rate, self.own = 0.5, np.random.default_rng(0)

        rng = property(lambda self: self.own)

    class Counts(Square):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x) * self.calls

    for layer in Global(), Own(), Counts():
        catches("repeatability", "two equal forward passes in training differ.*self.rng", layer, (3,))


def test_a_wrong_shape_from_build():
    class Undeclared(Layer):
        """Has no build, so that a net would take its output's shape for its input's."""

        def forward(self, x):
            return np.concatenate([x, 2 * x], axis=1)

        def backward(self, dy):
            n = dy.shape[1] // 2
            return dy[:, :n] + 2 * dy[:, n:]

    class Wrong(Linear):
        def build(self, in_shape):
            super().build(in_shape)
            return in_shape

    catches("build", r"build says the output's shape is \(3,\), forward makes \(6,\)", Undeclared(), (3,))
    catches("forward", r"build said the output's shape is \(4,\), forward made \(3,\)", Wrong(), (4,))


def test_tied_copies_that_disturb_each_other():
    class Box:
        pass

    class Shared(Square):
        """Keeps its cache in an object that its twins share."""

        def __init__(self):
            self.box = Box()

        def forward(self, x):
            self.box.x = x
            return x * x

        def backward(self, dy):
            return 2 * dy * self.box.x

    class Apart(Linear):
        """Its twins do not share."""

        def tied(self):
            return type(self)()

    catches("tied copies", "a tied copy disturbs the other's backward: the gradient of x", Shared(), (3,))
    catches("tied copies", r"different parameters[^\n]*\n\Z", Apart(), (4,))


def test_state_that_is_not_saved():
    class Attribute(Centre):
        def build(self, in_shape):
            self.moving = np.zeros(in_shape)
            return in_shape

        def forward(self, x):
            if not self.training or not len(x):
                return x - self.moving.astype(x.dtype)
            self.moving = x.mean(axis=0)
            return x - self.moving

    found = complaints(Attribute(), (3,))
    assert "after load_state(state()) in evaluation the output" in found["state"]

    class Rate(Noise):
        """Differs in both modes once made anew; said once."""

        def __init__(self):
            self.gain = np.random.default_rng().random()

        def forward(self, x):
            return super().forward(x) * x.dtype.type(self.gain)

        def backward(self, dy):
            return super().backward(dy) * dy.dtype.type(self.gain)

        rate = 0.5

    catches("config", r"in evaluation the output[^\n]*\n\Z", Rate(), (3,))


def test_a_config_that_does_not_make_the_layer_again():
    class Changed(Noise):
        """Its attribute of the argument's name holds something else."""

        def __init__(self, rate=0.2):
            self.rate = 1 - rate

    class Lost(Square):
        def __init__(self, gain):
            self.gain = str(gain + 1)

        def forward(self, x):
            return super().forward(x) * float(self.gain)

        def backward(self, dy):
            return super().backward(dy) * float(self.gain)

    catches("config", r"in training the output", Chain(Linear(9), Changed()), (3,))
    catches("config", r"Changed\(rate=0.8\), made of config\(\), differs, in training", Changed(), (9,))
    catches("config", r"Lost\(gain='4.0'\), made of config\(\), fails", Lost(3.0), (3,))


class Forgets(Square):
    """Comes back from a pickle without its gain; copies keep it."""

    gain = 1.0

    def __init__(self):
        self.gain = 2.0

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "gain"}

    def __deepcopy__(self, memo):
        other = type(self)()
        vars(other).update(copy.deepcopy(super().__getstate__(), memo))
        return other

    def forward(self, x):
        return super().forward(x) * x.dtype.type(self.gain)

    def backward(self, dy):
        return super().backward(dy) * dy.dtype.type(self.gain)


def test_pickling():
    class Local(Square):
        pass

    assert "pickling" in check_layer(Square(), (3,)).passed
    assert "not importable" in check_layer(Local(), (3,)).skipped["pickling"]
    catches("pickling", "after pickling the output", Forgets(), (3,))
