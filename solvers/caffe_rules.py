"""The rule and the learning-rate policy that a Caffe solver names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handbrew.data import FileFormatError
from handbrew.layers import Layer

from .adam import Adam
from .adaptive import AdaDelta, AdaGrad, RMSProp
from .policies import Exponential, Fixed, Inverse, MultiStep, Policy, Polynomial, SigmoidDecay, Step
from .sgd import SGD
from .solver import Solver

POLICIES: dict[str, Callable[[Any], Policy]] = {
    "fixed": lambda p: Fixed(p.base_lr),
    "step": lambda p: Step(p.base_lr, p.gamma, p.stepsize),
    "exp": lambda p: Exponential(p.base_lr, p.gamma),
    "inv": lambda p: Inverse(p.base_lr, p.gamma, p.power),
    "multistep": lambda p: MultiStep(p.base_lr, p.gamma, list(p.stepvalue)),
    "poly": lambda p: Polynomial(p.base_lr, p.power, p.max_iter),
    "sigmoid": lambda p: SigmoidDecay(p.base_lr, p.gamma, p.stepsize),
}
# Their formulas are Caffe's own: the learning rate within the velocity, delta added outside of roots and corrections.
RULES: dict[str, Callable[..., Solver]] = {
    "SGD": lambda p, net, lr, **rest: SGD(net, lr, p.momentum, **rest),
    "Nesterov": lambda p, net, lr, **rest: SGD(net, lr, p.momentum, nesterov=p.momentum > 0, **rest),
    "AdaGrad": lambda p, net, lr, **rest: AdaGrad(net, lr, p.delta, **rest),
    "RMSProp": lambda p, net, lr, **rest: RMSProp(net, lr, p.rms_decay, p.delta, **rest),
    "AdaDelta": lambda p, net, lr, **rest: AdaDelta(net, lr, p.momentum, p.delta, **rest),
    "Adam": lambda p, net, lr, **rest: Adam(net, lr, p.momentum, p.momentum2, p.delta, **rest),
}


def make_policy(param: Any) -> Policy:
    """Return the policy of a ``SolverParameter``.

    Raises
    ------
    FileFormatError
        If there is no such policy, or its numbers make no sense.
    """
    make = _known(POLICIES, "lr_policy", param.lr_policy)
    try:
        return make(param)
    except ValueError as error:
        raise FileFormatError(f"solver: lr_policy: {param.lr_policy!r}: {error}") from error


def make_rule(param: Any, net: Layer) -> Solver:
    """Return the rule of a ``SolverParameter`` for a net; ``rule.step(param.iter_size)`` does what Caffe does.

    Caffe clips the sum of the gradients of ``iter_size`` passes, and divides it by their number only then: that is
    the clipping of their mean at ``clip_gradients / iter_size``.

    Raises
    ------
    FileFormatError
        If there is no such rule, or its numbers make no sense.
    """
    make = _known(RULES, "type", param.type)
    decay = _known({"L2": "weight_decay", "L1": "l1"}, "regularization_type", param.regularization_type)
    if param.iter_size < 1:
        raise FileFormatError(f"solver: iter_size: expected at least 1, got {param.iter_size}")
    if param.type in ("AdaGrad", "RMSProp") and param.momentum:
        raise FileFormatError(f"solver: momentum: {param.type} has none; take out the {param.momentum:g}")
    clip = None if param.clip_gradients < 0 else param.clip_gradients / param.iter_size
    try:
        return make(param, net, make_policy(param), clip_norm=clip, **{decay: param.weight_decay})
    except ValueError as error:
        raise FileFormatError(f"solver: {error}") from error


def _known(names: dict[str, Any], field: str, name: str) -> Any:
    if name not in names:
        raise FileFormatError(f"solver: {field}: expected one of {', '.join(names)}; got {name!r}")
    return names[name]
