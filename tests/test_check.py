"""check_layer passes honest layers and reports what it did."""

import copy
import pickle
import re

import numpy as np
import pytest
from dishonest import (
    LABELS,
    TWO_ZEROS,
    Centre,
    Chain,
    Largest,
    Linear,
    Noise,
    Product,
    SinHalves,
    Square,
    SquaredError,
    Swish,
    Table,
    catches,
)

from handbrew.layers import (
    Affine,
    LabelError,
    Layer,
    LayerCheckError,
    ReLU,
    ShapeError,
    SoftmaxCrossEntropy,
    check_layer,
)
from handbrew.nets import Sequential

SOFT = np.random.default_rng(1).dirichlet(np.ones(3), 4)
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
    assert str(error).startswith("Twice() fails 1 check\n- gradients: in training, W[")
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
    assert skipped == dict.fromkeys(("stale cache", "scratch cache", "single samples"), "the inputs hold one sample")


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


def test_a_loss_without_a_target_is_a_wrong_call():
    with pytest.raises(TypeError, match=r"a loss takes scores and a target: check_layer\(SoftmaxCrossEntropy\(\), "):
        check_layer(SoftmaxCrossEntropy(), (3,))
