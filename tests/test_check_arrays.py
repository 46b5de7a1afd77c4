"""check_layer's rules on arrays: each is broken once, and said to be."""

import warnings

import numpy as np
from dishonest import Centre, Linear, Square, SquaredError, catches

from handbrew.layers import Layer, check_layer


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

    class Squeezes(Square):
        def forward(self, x):
            return np.squeeze(super().forward(x))

        def backward(self, dy):
            return super().backward(dy.reshape(self.cache.x.shape))

    catches("single samples", "one by one .*set batch_coupled = True", Undeclared(), (3,))
    catches("single samples", r"forward made \(\)", Squeezes(), (3,))


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever the caller thinks of warnings
        catches("large inputs", "overflow encountered in exp", Naive(), (3,))
