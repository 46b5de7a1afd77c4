"""Every rule against closed forms, published numbers, plain loops over its formula, and PyTorch's stored numbers."""

import itertools
import json
import tracemalloc
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import reference_rules as reference

import handbrew.solvers
from handbrew.layers import Affine, EuclideanLoss, Layer, Zeros
from handbrew.nets import Sequential
from handbrew.solvers import SGD, AdaDelta, AdaGrad, Adam, AdamW, Exponential, RMSProp

STORED = json.loads(Path(__file__).with_name("stored_rules.json").read_text(encoding="utf-8"))
RULES = [SGD, AdaGrad, RMSProp, AdaDelta, Adam, AdamW]


class Numbers(Layer):
    """Parameters that a test gives gradients to, in two arrays."""

    def build(self, in_shape):
        self.W, self.b = self.param("W", (2, 2), Zeros()), self.param("b", (3,), Zeros())
        return in_shape


def numbers(values, dtype=np.float64):
    layer = Numbers().astype(dtype)
    layer.build((1,))
    layer.W.data, layer.b.data = np.reshape(values[:4], (2, 2)), values[4:]
    return layer


def read(layer):
    return [*layer.W.data.flat, *layer.b.data]


def run(solver, layer, steps, gradients=reference.gradients):
    for _ in range(steps):
        gs = gradients([float(w) for w in read(layer)], solver.steps + 1)
        layer.W.grad, layer.b.grad = np.reshape(gs[:4], (2, 2)), gs[4:]
        solver.step()
    return read(layer)


def steps_with(rule, g, steps, dtype=np.float64, **options):
    """How far each of the steps goes for seven numbers, all with the gradients ``g`` at each step."""
    layer = numbers([0.0] * 7, dtype)
    solver, places = rule(layer, **options), [np.zeros(7)]
    for _ in range(steps):
        places.append(np.array(run(solver, layer, 1, lambda w, t: g)))
    return -np.diff(places, axis=0)


G = np.array([1.0, -1.0, 0.5, -20.0, 1e-3, 1e-6, -3.0])
T = np.arange(1, 101)[:, np.newaxis]


def test_momentum_of_a_constant_gradient_grows_to_its_limit():
    expected = 0.1 * G * (1 - 0.9**T) / (1 - 0.9)
    np.testing.assert_allclose(steps_with(SGD, G, 100, lr=0.1, momentum=0.9), expected, rtol=1e-10)


def test_adagrad_slows_down_with_the_root_of_the_step():
    expected = 0.1 * G / (np.abs(G) * np.sqrt(T) + 1e-8)
    np.testing.assert_allclose(steps_with(AdaGrad, G, 100, lr=0.1), expected, rtol=1e-10)


@pytest.mark.parametrize("eps_inside", [False, True])
def test_rmsprop_comes_to_unit_steps(eps_inside):
    h = (1 - 0.9**T) * G**2
    divisor = np.sqrt(h + 1e-8) if eps_inside else np.sqrt(h) + 1e-8
    steps = steps_with(RMSProp, G, 100, lr=0.1, rho=0.9, eps_inside=eps_inside)
    np.testing.assert_allclose(steps, 0.1 * G / divisor, rtol=1e-10)


def test_adadelta_begins_with_steps_that_only_eps_brings_about():
    first, second = steps_with(AdaDelta, G, 2)
    np.testing.assert_allclose(first, G * np.sqrt(1e-6 / (0.05 * G**2 + 1e-6)), rtol=1e-12)
    ratio = (0.05 * first**2 + 1e-6) / (0.05 * 1.95 * G**2 + 1e-6)
    np.testing.assert_allclose(second, G * np.sqrt(ratio), rtol=1e-12)


@pytest.mark.parametrize("rule", [Adam, AdamW])
@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)])
def test_adam_with_a_constant_gradient_takes_the_same_step_always(rule, beta1, beta2):
    """Corrected, both means are exact from the first step on: what the correction is for."""
    options = {"lr": 0.1, "beta1": beta1, "beta2": beta2, "eps_corrected": True, "weight_decay": 0}
    expected = np.broadcast_to(0.1 * G / (np.abs(G) + 1e-8), (100, 7))
    np.testing.assert_allclose(steps_with(rule, G, 100, **options), expected, rtol=1e-10)


def test_adams_first_step_is_lr_times_the_sign_up_to_eps():
    (step,) = steps_with(Adam, G, 1)
    large = np.abs(G) > 1e-4
    np.testing.assert_allclose(step[large], 0.001 * np.sign(G[large]), rtol=1e-3)
    np.testing.assert_allclose(step, 0.001 * G / (np.abs(G) + 1e-8 / sqrt(0.001)), rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "options", "x1", "x2"),
    [
        (SGD, {"lr": 0.4}, -0.943467, -0.000073),
        (SGD, {"lr": 0.6, "momentum": 0.5}, 0.007188, 0.002553),
        (SGD, {"lr": 0.6, "momentum": 0.25}, -0.126340, -0.186632),
        (AdaGrad, {"lr": 0.4, "eps": 1e-6, "eps_inside": True}, -2.382563, -0.158591),
        (AdaGrad, {"lr": 2, "eps": 1e-6, "eps_inside": True}, -0.002295, 0.0),
        (RMSProp, {"lr": 0.4, "rho": 0.9, "eps": 1e-6, "eps_inside": True}, -0.010599, 0.0),
    ],
)
def test_the_numbers_that_dive_into_deep_learning_prints(rule, options, x1, x2):
    """Zhang, Lipton, Li and Smola, https://d2l.ai, chapter 12: 20 steps on 0.1 x1² + 2 x2² from (-5, -2)."""
    layer = numbers([-5.0, -2.0, 0, 0, 0, 0, 0])
    found = run(rule(layer, **options), layer, 20, lambda x, t: [0.2 * x[0], 4 * x[1], 0, 0, 0, 0, 0])
    np.testing.assert_allclose(found[:2], [x1, x2], rtol=0, atol=5.1e-7)


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: case["PyTorch"])
def test_the_numbers_that_pytorch_comes_to(case):
    layer = numbers(reference.START)
    solver = getattr(handbrew.solvers, case["rule"])(layer, **case["options"])
    for steps, expected in case["numbers"].items():
        found = run(solver, layer, int(steps) - solver.steps)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, err_msg=f"after {steps} steps")


VARIANTS = [
    (SGD, reference.sgd, {"lr": 0.02}),
    (SGD, reference.sgd, {"lr": 0.02, "momentum": 0.9}),
    (SGD, reference.sgd, {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    (AdaGrad, reference.adagrad, {"lr": 0.1}),
    (AdaGrad, reference.adagrad, {"lr": 0.1, "eps": 0.1, "eps_inside": True}),
    (RMSProp, reference.rmsprop, {"lr": 0.01}),
    (RMSProp, reference.rmsprop, {"lr": 0.01, "rho": 0.8, "eps": 0.1, "eps_inside": True}),
    (AdaDelta, reference.adadelta, {"lr": 1.0}),
    (AdaDelta, reference.adadelta, {"lr": 0.7, "rho": 0.5, "eps": 0.01}),
    (Adam, reference.adam, {"lr": 0.02}),
    (Adam, reference.adam, {"lr": 0.02, "beta1": 0.5, "beta2": 0.9, "eps": 0.1}),
    (Adam, reference.adam, {"lr": 0.02, "beta1": 0.5, "beta2": 0.9, "eps": 0.1, "eps_corrected": True}),
    (AdamW, reference.adam, {"lr": 0.02, "eps_corrected": True, "weight_decay": 0.01, "decoupled": True}),
]
DECAYS = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}, {"l1": 0.05, "weight_decay": 0.02}]
CLIPS = [{}, {"clip_norm": 1.5}]
MULTS = [((1, 1), (1, 1)), ((1, 1), (2, 0)), ((0.5, 3), (0, 1))]  # (lr_mult, decay_mult) of W and of b


@pytest.mark.parametrize(("rule", "by_loops", "options"), VARIANTS)
@pytest.mark.parametrize(("decay", "clip", "mults"), list(itertools.product(DECAYS, CLIPS, MULTS)))
def test_a_hundred_steps_by_plain_loops(rule, by_loops, options, decay, clip, mults):
    layer = numbers(reference.START)
    (layer.W.lr_mult, layer.W.decay_mult), (layer.b.lr_mult, layer.b.decay_mult) = mults
    options = options | decay | clip
    found = run(rule(layer, **options), layer, 100)
    of_each = [mults[0]] * 4 + [mults[1]] * 3
    expected = reference.train(by_loops, reference.START, reference.gradients, 100, mults=of_each, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("rule", "by_loops", "options"), VARIANTS)
def test_in_single_precision_the_course_is_the_same(rule, by_loops, options):
    layer = numbers(reference.START, np.float32)
    found = run(rule(layer, **options), layer, 100)
    assert layer.W.data.dtype == np.float32
    expected = reference.train(by_loops, reference.START, reference.gradients, 100, **options)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


X = [[0.5, -1.0, 2.0], [1.5, 0.3, -0.2], [-0.7, 0.9, 1.1], [0.1, -0.4, 0.6]]
Y = [0.3, -1.2, 0.8, 2.0]


def least_squares(numbers, t):
    """The gradient of 1 / 2N times the sum of (x · w + b - y)², as Caffe's own tests of its solvers have it."""
    *w, b = numbers
    misses = [sum(xi * wi for xi, wi in zip(x, w, strict=True)) + b - y for x, y in zip(X, Y, strict=True)]
    columns = [*zip(*X, strict=True), [1.0] * len(X)]
    return [sum(m * c for m, c in zip(misses, column, strict=True)) / len(X) for column in columns]


@pytest.mark.parametrize(("rule", "by_loops", "options"), VARIANTS)
def test_least_squares_as_caffe_tests_its_solvers(rule, by_loops, options):
    net = Sequential(Affine(1), EuclideanLoss(), seed=3).astype(np.float64)
    net.build((3,))
    solver, affine = rule(net, **options), net.layers[0]
    start = [*affine.W.data[:, 0], *affine.b.data]
    for _ in range(5):
        net.forward(np.array(X), np.array(Y)[:, np.newaxis])
        net.backward()
        solver.step()
    expected = reference.train(by_loops, start, least_squares, 5, **options)
    np.testing.assert_allclose([*affine.W.data[:, 0], *affine.b.data], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_a_policy_moves_every_rule(rule):
    followed, stepped = numbers(reference.START), numbers(reference.START)
    one, two = rule(followed, Exponential(0.1, 0.9)), rule(stepped, 0.1)
    for step in range(5):
        run(one, followed, 1)
        two.lr = 0.1 * 0.9**step
        run(two, stepped, 1)
    np.testing.assert_allclose(read(followed), read(stepped), rtol=1e-12)


@pytest.mark.parametrize(("rule", "arrays"), [(AdaGrad, 1), (RMSProp, 1), (AdaDelta, 2), (Adam, 2), (AdamW, 2)])
def test_state_takes_so_many_times_the_memory_of_the_parameters(rule, arrays):
    layer, gradient = Affine(1000), np.ones((1024, 1000), np.float32)
    layer.build((1024,))
    layer.W.add_grad(gradient)
    rule(layer).step()  # what it imports, and where the parameters lie, is settled
    layer.W.add_grad(gradient)
    solver = rule(layer)
    tracemalloc.start()
    try:
        solver.step()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    parameters = sum(p.data.nbytes for p in layer.params.values())
    assert taken == pytest.approx(arrays * parameters, rel=0.01)


@pytest.mark.parametrize("rule", RULES)
def test_a_number_without_a_gradient_stays(rule):
    """Zero divided by eps, not by zero: so do the numbers between parameters in the flat buffer."""
    for dtype in (np.float32, np.float64):
        assert not steps_with(rule, [0.0] * 7, 3, dtype).any()


@pytest.mark.parametrize("rule", RULES)
def test_stretches_may_be_updated_by_several_threads(rule):
    """A rule that says so writes nothing on itself, and comes to the same bits however the numbers are cut."""
    assert rule.thread_safe
    rng = np.random.default_rng(0)
    whole, gs = rng.normal(size=100).astype(np.float32), rng.normal(size=(3, 100)).astype(np.float32)
    cut = whole.copy()
    for data, pieces in ((whole, [slice(0, 100)]), (cut, [slice(0, 37), slice(37, 64), slice(64, 100)])):
        solver = rule(numbers(reference.START, np.float32))
        arrays = {name: np.zeros_like(data) for name in rule.state_arrays}
        for solver.steps, g in enumerate(gs, 1):
            g, before = g.copy(), dict(vars(solver))
            for piece in pieces:
                state = handbrew.solvers.RuleState({name: array[piece] for name, array in arrays.items()})
                solver.update(data[piece], g[piece], state, 0.01)
            assert vars(solver) == before
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (AdaGrad, {"eps": 0}, r"AdaGrad: eps must be a finite number above 0, got 0"),
        (RMSProp, {"eps": -1e-8}, r"RMSProp: eps must be"),
        (RMSProp, {"rho": 1}, r"RMSProp: rho must be in \[0, 1\), got 1"),
        (AdaDelta, {"rho": -0.1}, r"AdaDelta: rho must be in"),
        (AdaDelta, {"eps": float("nan")}, r"AdaDelta: eps must be"),
        (Adam, {"beta1": 1.0}, r"Adam: beta1 must be in \[0, 1\), got 1.0"),
        (Adam, {"beta2": float("nan")}, r"Adam: beta2 must be in"),
        (Adam, {"beta1": (0.9, 0.999)}, r"Adam: beta1 must be in \[0, 1\), got \(0.9, 0.999\)"),
        (Adam, {"eps": float("inf")}, r"Adam: eps must be"),
        (AdamW, {"eps": 0.0}, r"AdamW: eps must be"),
        (AdamW, {"weight_decay": -1}, r"AdamW: weight_decay must be"),
        (RMSProp, {"lr": -1}, r"RMSProp: lr must be"),
    ],
)
def test_wrong_numbers(rule, options, message):
    with pytest.raises(ValueError, match=message):
        rule(numbers(reference.START), **options)


@pytest.mark.parametrize("rule", RULES)
def test_a_misspelt_option(rule):
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight_dacay'"):
        rule(numbers(reference.START), weight_dacay=0.1)
