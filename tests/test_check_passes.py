"""check_layer's rules on forward and backward passes: each is broken once, and said to be."""

import numpy as np
from dishonest import Centre, Linear, Noise, Square, catches, complaints

from handbrew.layers import Layer, check_layer


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

    catches("stale cache", "after earlier forwards, unlike in a new layer", OnSelf(), (3,), alone=False)
    catches("stale cache", "of other values", ByShape(), (3,), alone=False)
    catches("stale cache", "in evaluation, after a forward in training", InTrainingOnly(), (3,))


def test_what_is_kept_on_the_layer_and_not_in_the_cache():
    class OnTheLayer(Square):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dy):
            return 2 * dy * self.x

    catches(
        "scratch cache",
        "a prediction between forward and backward changes the gradient of x",
        OnTheLayer(),
        (3,),
        alone=False,
    )


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

    catches("tied copies", "a tied copy disturbs the other's backward: the gradient of x", Shared(), (3,), alone=False)
    catches("tied copies", r"different parameters[^\n]*\n\Z", Apart(), (4,))
