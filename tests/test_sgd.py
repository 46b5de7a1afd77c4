"""SGD against a plain loop over the formulas, element by element."""

import itertools

import numpy as np
import pytest

from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD

X = np.random.default_rng(0).normal(size=(6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])


def make_net():
    return Sequential(Affine(5), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=1).astype(np.float64)


def sgd_by_loops(steps, lr, momentum, nesterov, weight_decay, clip_norm, mults):
    """Caffe's formulas over one scalar at a time; gradients come from a net that no solver ever touches."""
    net = make_net()
    net.build((4,))
    v = {name: np.zeros(p.shape) for name, p in net.params.items()}
    for _ in range(steps):
        net.zero_grad()
        net.forward(X, Y)
        net.backward()
        g = {name: p.grad.copy() for name, p in net.params.items()}
        norm = sum(float(x) ** 2 for a in g.values() for x in a.flat) ** 0.5
        factor = min(1.0, clip_norm / norm) if clip_norm is not None else 1.0
        for name, p in net.params.items():
            lr_mult, decay_mult = mults.get(name, (1, 1))
            w = p.data.copy()
            for at in np.ndindex(w.shape):
                grad = factor * g[name][at] + weight_decay * decay_mult * w[at]
                old = v[name][at]
                v[name][at] = momentum * old + lr * lr_mult * grad
                if nesterov:
                    w[at] -= (1 + momentum) * v[name][at] - momentum * old
                else:
                    w[at] -= v[name][at]
            p.data = w
    return {name: p.data for name, p in net.params.items()}


RULES = [(0.0, False), (0.9, False), (0.9, True)]
MULTS = [{}, {"affine1.b": (2, 0), "affine2.b": (2, 0)}, {"affine1.W": (0, 1)}]


@pytest.mark.parametrize(
    ("rule", "weight_decay", "clip_norm", "mults"),
    list(itertools.product(RULES, [0.0, 0.01], [None, 0.05, 100], MULTS)),
)
def test_five_steps(rule, weight_decay, clip_norm, mults):
    momentum, nesterov = rule
    net = make_net()
    net.build((4,))
    for name, (lr_mult, decay_mult) in mults.items():
        net.params[name].lr_mult, net.params[name].decay_mult = lr_mult, decay_mult
    solver = SGD(net, 0.1, momentum, nesterov, weight_decay, clip_norm)
    for _ in range(5):
        net.forward(X, Y)
        net.backward()
        solver.step()
    expected = sgd_by_loops(5, 0.1, momentum, nesterov, weight_decay, clip_norm, mults)
    for name, p in net.params.items():
        np.testing.assert_allclose(p.data, expected[name], rtol=1e-10, atol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"momentum": -0.1}, "momentum must be in"),
        ({"nesterov": True}, "nesterov needs a momentum"),
        ({"lr": -1}, "lr must be a finite number of at least 0, got -1"),
        ({"lr": float("nan")}, "lr must be a finite number"),
        ({"weight_decay": -1}, "weight_decay must be"),
        ({"clip_norm": float("inf")}, "clip_norm must be"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        SGD(make_net(), **options)
