from types import SimpleNamespace

import caffe_oracle as oracle
import numpy as np
import pytest

from handbrew.data import FileFormatError
from handbrew.layers import Affine, EuclideanLoss, Tanh
from handbrew.nets import Sequential
from handbrew.solvers.caffe_rules import make_policy, make_rule

DEFAULTS = {
    "type": "SGD",
    "base_lr": 0.1,
    "lr_policy": "fixed",
    "gamma": 0.0,
    "power": 0.0,
    "stepsize": 0,
    "stepvalue": [],
    "max_iter": 0,
    "momentum": 0.0,
    "momentum2": 0.999,
    "delta": 1e-8,
    "rms_decay": 0.99,
    "weight_decay": 0.0,
    "regularization_type": "L2",
    "clip_gradients": -1.0,
    "iter_size": 1,
}


def param(**fields):
    """What protobuf's SolverParameter is to those who read it."""
    return SimpleNamespace(**{**DEFAULTS, **fields})


def net_with(w):
    net = Sequential(Affine(4).named("ip1"), Tanh(), Affine(2).named("ip2"), EuclideanLoss()).astype(np.float64)
    net.build((5,))
    for name, p in net.params.items():
        p.data = w[name].T
        p.lr_mult, p.decay_mult = oracle.LR_MULT[name], oracle.DECAY_MULT[name]
        p.trainable = p.lr_mult > 0
    return net


@pytest.mark.parametrize("rest", oracle.REST, ids=lambda rest: "-".join(rest) or "plain")
@pytest.mark.parametrize("rule", oracle.RULES, ids=lambda rule: rule["type"])
def test_rules_are_caffes(rule, rest):
    settings = rule | rest | oracle.POLICIES[1]
    size = settings.get("iter_size", 1)
    w, X, Y = oracle.start()
    net, batches = net_with(w), oracle.batches(X, Y, 8 * size)
    solver = make_rule(param(**settings), net)
    losses = []
    for i in range(0, len(batches), size):
        found = []
        for batch in batches[i : i + size]:
            found.append(net.forward(*batch))
            net.backward()
        solver.step(size)
        losses.append(np.mean(found))
    np.testing.assert_allclose(losses, oracle.train(settings, w, batches), rtol=1e-12)
    for name, p in net.params.items():
        np.testing.assert_allclose(p.data.T, w[name], rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("settings", oracle.POLICIES, ids=lambda settings: settings["lr_policy"])
def test_policies_are_caffes(settings):
    policy = make_policy(param(**settings))
    for it in range(8):
        assert policy(it) == pytest.approx(oracle.rate({"base_lr": 0.1, **settings}, it), rel=1e-12)


def test_nesterov_without_momentum_is_plain():
    assert make_rule(param(type="Nesterov"), net_with(oracle.start()[0])).nesterov is False


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "LBFGS"}, "type: expected one of SGD, Nesterov, .*got 'LBFGS'"),
        ({"lr_policy": "cosine"}, "lr_policy: expected one of fixed, step, .*got 'cosine'"),
        ({"lr_policy": "step"}, "lr_policy: 'step': .*step_size"),
        ({"regularization_type": "L3"}, "regularization_type: expected one of L2, L1; got 'L3'"),
        ({"type": "AdaGrad", "momentum": 0.9}, "momentum: AdaGrad has none; take out the 0.9"),
        ({"type": "RMSProp", "momentum": 0.5}, "momentum: RMSProp has none"),
        ({"iter_size": 0}, "iter_size: expected at least 1, got 0"),
        ({"momentum": 1.0}, r"SGD: momentum must be in \[0, 1\)"),
    ],
)
def test_what_makes_no_sense(fields, message):
    with pytest.raises(FileFormatError, match=f"solver: {message}"):
        make_rule(param(**fields), net_with(oracle.start()[0]))
