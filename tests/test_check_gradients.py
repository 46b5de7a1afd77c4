"""check_layer on wrong gradients, whose causes it names, and on nothing to compare."""

import re

import numpy as np
import pytest
from dishonest import (
    LABELS,
    TWO_ZEROS,
    Linear,
    Noise,
    Product,
    Square,
    SquaredError,
    Table,
    catches,
    complaints,
)

from handbrew.layers import Layer, Loss, ReLU, Uniform, check_layer


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
    "digits": (linear(dx=lambda self, dy: 1.000003 * dy @ self.W.data.T), "it is nearly right"),
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
    "half": (linear(dx=lambda self, dy: dy @ self.W.data.T / 2), "half the right one: a factor 2 is missing"),
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
            return dy * ((self.cache.sign_of > 0) + 3.0 * (self.cache.zero)).astype(dy.dtype)

        def forward(self, x):
            self.cache.zero = x == 0
            return super().forward(x)

    catches("gradients", r"x\[(0, 0|2, 3)\].*\n.*wrong at 2 of 20", Wrong(), TWO_ZEROS)


def test_too_many_kinks():
    catches("gradients", "6 of 8 elements of x lie on kinks", ReLU(), np.array([[0.0, 1], [0, 0], [0, 1], [0, 0]]))


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
    catches("backward in training", "gradient of x: expected an array.*got None", Nothing(), (3,), alone=False)


def test_a_gradient_for_integers():
    class Zero(Table):
        def backward(self, dy):
            super().backward(dy)
            return np.zeros(self.cache.index.shape)

    catches("backward in training", "int64 input index: expected None", Zero(), np.array([3, 1]), alone=False)


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

    catches("forward", "RuntimeWarning: invalid value encountered in log .test_check_gradients.py, line", Log(), (3,))
    assert check_layer(Log(), np.random.default_rng(0).uniform(1e-6, 2, (4, 3)))


def test_an_output_that_is_no_array():
    class List(Square):
        def forward(self, x):
            return super().forward(x).tolist()

    catches("forward", "expected an array, a tuple of arrays or a float, got a list", List(), (3,))
