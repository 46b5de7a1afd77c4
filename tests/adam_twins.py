"""Trainings whose every bit can be compared, by numbers from far below eps to far above it."""

import numpy as np

from handbrew.layers import Layer, Zeros
from handbrew.solvers import Adam

VARIANTS = [{}, {"eps_corrected": True}, {"beta1": 0.5, "beta2": 0.9, "eps": 0.1}, {"beta1": 0.0, "beta2": 0.0}]


class Row(Layer):
    """Parameters and nothing else."""

    def __init__(self, size):
        self.size = size

    def build(self, in_shape):
        self.W = self.param("W", (self.size,), Zeros())
        return in_shape


def begin(size, dtype=np.float32, rule=Adam, **options):
    net = Row(size).astype(dtype)
    net.build((1,))
    net.W.data = np.random.default_rng(0).normal(size=size)
    return rule(net, **options)


def go_on(solver, steps):
    """Take steps along random gradients; a tenth of them are zeros."""
    W = solver.net.W
    for _ in range(steps):
        rng = np.random.default_rng(solver.steps)
        W.grad = (
            rng.normal(size=W.data.size) * 10.0 ** rng.integers(-24, 16, W.data.size) * (rng.random(W.data.size) < 0.9)
        )
        solver.step()
    return solver


def bits(solver):
    """Of the parameters and of what the rule keeps."""
    layout, W = solver._layout, solver.net.W
    return [W.data.tobytes(), *(layout.state(W, name).tobytes() for name in solver.state_arrays)]


def noted(solver, gradient):
    """What ``np.errstate`` hears of in a step along a gradient."""
    solver.net.W.grad, kinds = gradient, []
    with np.errstate(divide="call", over="call", invalid="call", call=lambda kind, flag: kinds.append(kind)):
        solver.step()
    return kinds
